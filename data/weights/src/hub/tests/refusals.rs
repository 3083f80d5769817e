//! Answers that are refused at once, with what to do.

use super::*;

#[test]
fn wrong_redirects_are_refused() {
    assert_refused("redirects more than 5 times", |_| Answer::new(302, b"").with("location", "/again"));
    assert_refused("redirects without a Location", |_| Answer::new(302, b""));
    assert_refused("which is no address", |_| Answer::new(302, b"").with("location", "file"));
    let content = content_server();
    // The hub does not say what it redirects to, and the other server calls it something else.
    assert_refused("is another file: its ETag is of the other server", move |_| {
        Answer::new(302, b"").with("location", content.address.clone())
    });
    let next = remote::redirected("https://huggingface.co/x", Some("http://huggingface.co/y"));
    assert!(next.unwrap_err().to_string().contains("redirects from https"));
}

#[test]
fn a_file_that_is_not_the_pinned_one_is_refused() {
    assert_refused("its ETag is abc, expected the sha256", |asked| right(asked).with("etag", "\"abc\""));
    assert_refused("its ETag is abc", |_| to("http://127.0.0.1:9").with("x-linked-etag", "\"abc\""));
    assert_refused("is of the commit 9999", |asked| right(asked).with("x-repo-commit", "9999"));
    assert_refused("(no ETag)", |asked| {
        let mut answer = right(asked);
        answer.headers.retain(|(name, _)| *name != "etag");
        answer
    });
}

#[test]
fn a_file_that_changes_between_requests_is_refused() {
    let size = whole().len() + 1;
    assert_refused("changed while it was read: it had", move |asked| match asked.number {
        0 => right(asked),
        _ => right(asked).with("content-range", format!("bytes {}-9/{size}", asked.range.start)),
    });
    let content = Server::new(|asked| right(asked).with("etag", format!("\"{}\"", asked.number)));
    assert_refused("changed while it was read: 0, now 1", move |_| to(&content.address));
}

#[test]
fn a_wrong_range_is_refused() {
    assert_refused("answers with the range Some(\"bytes 1-", |asked| {
        right(asked).with("content-range", format!("bytes 1-9/{}", whole().len()))
    });
    assert_refused("answers with the range None", |asked| {
        let mut answer = right(asked);
        answer.headers.retain(|(name, _)| *name != "content-range");
        answer
    });
    assert_refused("answers 416", |_| Answer::new(416, b""));
}

#[test]
fn a_refusal_says_what_to_do() {
    for status in [401, 403] {
        let asked = assert_refused("give a token of the hub in HF_TOKEN", move |_| Answer::new(status, b""));
        assert_eq!(asked.len(), 1, "asked once");
    }
    assert_refused("check HF_ENDPOINT", |_| Answer::new(404, b""));
    assert_refused("answers 418", |_| Answer::new(418, b""));
    let server = Server::new(|_| Answer::new(401, b""));
    let mut user = User::of(&server.address);
    user.environment.token = Some("hf_old".to_owned());
    let message = user.refusal(false);
    assert!(message.contains("does not accept the token") && !message.contains("hf_old"), "{message}");
}

#[test]
fn a_header_that_lies_is_refused() {
    let mut short = whole().to_vec();
    short.truncate(whole().len() - 4);
    assert_refused("its header promises", move |asked| part_of(&short, asked));
    let longer = [&u64::MAX.to_le_bytes()[..], &whole()[8..]].concat();
    assert_refused("its header claims", move |asked| part_of(&longer, asked));
    let name = b"features.2.bias";
    let at = whole().windows(name.len()).position(|w| w == name).unwrap();
    let mut renamed = whole().to_vec();
    renamed[at..at + name.len()].copy_from_slice(b"features.3.bias");
    assert_refused("features.2.bias is missing", move |asked| part_of(&renamed, asked));
}

#[test]
fn an_encoded_answer_is_refused_and_leaves_nothing_in_the_way() {
    let server = Server::new(|asked| match asked.number {
        2 => right(asked).with("content-encoding", "gzip"),
        _ => right(asked),
    });
    let user = User::of(&server.address);
    let message = user.refusal(false);
    assert!(message.contains("content-encoding \"gzip\""), "{message}");
    assert_right(&user.get(false).unwrap());
    assert_refused("content-encoding \"deflate\"", |asked| right(asked).with("content-encoding", "deflate"));
    assert_gets_there(|asked| right(asked).with("content-encoding", "identity"));
}

#[test]
fn offline_the_error_names_the_command_and_the_place() {
    let server = Server::new(right);
    let mut user = User::of(&server.address);
    user.environment.offline = true;
    let message = user.refusal(false);
    let url = format!("https://huggingface.co/owner/tiny.test/resolve/{REVISION}/model.safetensors");
    assert!(message.contains("HF_HUB_OFFLINE is set"), "{message}");
    assert!(message.contains(&format!("curl -fL -o tiny.test.safetensors {url}")), "{message}");
    assert!(message.contains(user.weights_dir().to_str().unwrap()), "{message}");
    // So does the user.
    let placed = user.weights_dir().join("tiny.test.safetensors");
    commit::write_bytes(&placed, &whole()[..1000]).unwrap();
    assert!(user.refusal(false).contains("tiny.test.safetensors is damaged or another file"));
    commit::write_bytes(&placed, whole()).unwrap();
    assert_right(&user.get(false).unwrap());
    assert!(server.asked().is_empty());
}
