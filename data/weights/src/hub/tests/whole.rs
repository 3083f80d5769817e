//! The whole file, through hf-hub into the shared cache.
//!
//! The first two requests are ours: the length of the header, and the header. Each download by hf-hub is two: one for
//! what the file is (`bytes=0-0`), one for its bytes.

use std::ops::Range;
use std::time::Instant;

use super::*;

/// Answers the first `n` requests as the hub should, and from then on with `behaviour`.
fn after(n: usize, behaviour: impl Fn(&Asked) -> Answer + Send + 'static) -> Server {
    Server::new(move |asked| if asked.number < n { right(asked) } else { behaviour(asked) })
}

fn assert_nothing_is_left_in_the_cache(user: &User) {
    let (snapshot, blob) = user.cached();
    assert!(snapshot.symlink_metadata().is_err() && !blob.exists());
    assert!(user.names().is_empty(), "{:?}", user.names());
}

#[test]
fn the_whole_file_goes_into_the_shared_cache() {
    let server = Server::new(|asked| match asked.number {
        3 => right(asked).cut_after(20_000),
        _ => right(asked),
    });
    let user = User::of(&server.address);
    assert_right(&user.get(true).unwrap());
    let (snapshot, blob) = user.cached();
    assert!(fs::read(&snapshot).unwrap() == whole());
    assert_eq!(snapshot.canonicalize().unwrap(), blob.canonicalize().unwrap());
    assert_eq!(user.names(), ["tiny-classifier.safetensors", "tiny.safetensors"]);
    let asked = server.asked();
    assert_eq!(asked.len(), 6);
    assert_eq!(asked[5].range, 20_000..whole().len(), "it goes on where it broke");
    let classifier =
        crate::tests::read(&user.weights_dir().join("tiny-classifier.safetensors"), Part::Classifier);
    assert_eq!(classifier.tensors, published::read(&snapshot, tiny(), Part::Classifier).unwrap());
    user.get(true).unwrap();

    // Another work directory, and no network: the cache is enough.
    fs::remove_dir_all(user.weights_dir()).unwrap();
    assert_right(&user.get(false).unwrap());
    assert_eq!(server.asked().len(), 6);
    fs::remove_dir_all(user.weights_dir()).unwrap();
    commit::write_bytes(&blob, &whole()[1..]).unwrap();
    let message = user.refusal(false);
    assert!(message.contains("model.safetensors is damaged or another file"), "{message}");
}

#[test]
fn another_program_finds_the_file_where_hf_hub_looks_for_it() {
    let server = Server::new(right);
    let user = User::of(&server.address);
    user.get(true).unwrap();
    let repo = Repo::with_revision("owner/tiny.test".into(), RepoType::Model, REVISION.into());
    let found = Cache::new(user.environment.cache.clone()).repo(repo).get("model.safetensors");
    assert_eq!(found, Some(user.cached().0));
}

#[test]
fn a_file_that_the_disk_has_no_room_for_is_not_begun() {
    // The header of a file with one tensor of 4 PiB.
    let n_header = u64::from_le_bytes(whole()[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&whole()[8..8 + n_header]).unwrap();
    let huge = &mut header["other.weight"];
    let start = huge["data_offsets"][0].as_u64().unwrap();
    *huge = serde_json::json!({"dtype": "F32", "shape": [1u64 << 50], "data_offsets": [start, start + (1 << 52)]});
    let header = serde_json::to_vec(&header).unwrap();
    let size = 8 + header.len() as u64 + start + (1 << 52);
    let file = [&(header.len() as u64).to_le_bytes()[..], &header].concat();
    let server = Server::new(move |asked| {
        let Range { start, end } = asked.range;
        part_of(&file, asked).with("content-range", format!("bytes {start}-{}/{size}", end - 1))
    });
    let user = User::of(&server.address);
    let message = format!("{:#}", user.get(true).unwrap_err());
    assert!(message.contains("the whole file of the weights needs 4503599.6"), "{message}");
    assert_eq!(server.asked().len(), 2, "the header and no more");
}

#[test]
fn a_whole_file_with_wrong_bytes_does_not_stay_in_the_cache() {
    let mut damaged = whole().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let server = Server::new(move |asked| part_of(&damaged, asked));
    let user = User::of(&server.address);
    let message = user.refusal(true);
    assert!(message.contains("sent bytes with the sha256") && message.contains("run again"), "{message}");
    assert_nothing_is_left_in_the_cache(&user);
}

#[test]
fn the_text_of_an_error_is_not_taken_for_the_file() {
    let server = after(3, |_| Answer::new(200, b"<html>Sorry, come back later</html>"));
    let user = User::of(&server.address);
    let message = user.refusal(true);
    assert!(message.contains("sent bytes with the sha256"), "{message}");
    assert_nothing_is_left_in_the_cache(&user);

    let server = after(3, |_| Answer::new(500, b"<html>Sorry, come back later</html>"));
    let user = User::of(&server.address);
    let message = user.refusal(true);
    assert!(message.contains("gave up after 4 tries in a row") && message.contains("500"), "{message}");
    assert_nothing_is_left_in_the_cache(&user);
}

/// What was there and the whole file once more is no file; the next run starts over.
#[test]
fn the_whole_file_in_answer_to_a_resume_is_refused() {
    let server = Server::new(|asked| match asked.number {
        3 => right(asked).cut_after(20_000),
        5 => Answer { status: 200, body: whole().to_vec(), ..right(asked) },
        _ => right(asked),
    });
    let user = User::of(&server.address);
    let message = user.refusal(true);
    assert!(message.contains("sent bytes with the sha256"), "{message}");
    assert_nothing_is_left_in_the_cache(&user);
    assert_right(&user.get(true).unwrap());
}

#[test]
fn an_unfinished_file_that_is_too_long_is_begun_anew() {
    let server = Server::new(right);
    let user = User::of(&server.address);
    let part = user.cached().1.with_extension("part");
    commit::write_bytes(&part, &vec![0; whole().len() + 1]).unwrap();
    assert_right(&user.get(true).unwrap());
}

#[test]
fn a_redirect_without_a_location_is_an_error_and_no_panic() {
    let server = after(2, |asked| Answer { status: 302, ..right(asked) });
    let mut user = User::of(&server.address);
    // Printing the panic's backtrace may take longer than a quick user waits.
    user.policy.stall = Duration::from_secs(20);
    let message = user.refusal(true);
    assert!(message.contains("the server's answer cannot be understood"), "{message}");
    assert!(message.contains("curl -fL"), "{message}");
    assert_nothing_is_left_in_the_cache(&user);
}

#[test]
fn a_server_that_stalls_or_drips_is_given_up_with_code_75() {
    let start = Instant::now();
    let drip = |asked: &Asked| Answer { drips: Some(Duration::from_millis(50)), ..right(asked) };
    let silent = "the server sent nothing for 0.3 s";
    let cases: [(&str, usize, fn(&Asked) -> Answer, &str); 3] = [
        ("no answer", 2, |asked| right(asked).stalling_after(0), silent),
        ("a stall after a while", 3, |asked| right(asked).stalling_after(20_000), silent),
        ("a byte now and then", 3, drip, "bytes in 2 s, expected at least 4000"),
    ];
    for (what, n, behaviour, expected) in cases {
        let server = after(n, behaviour);
        let user = User::of(&server.address);
        let error = user.get(true).unwrap_err();
        assert!(
            matches!(error.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains(expected) && m.contains("run the same command again")),
            "{what}: {error:#}"
        );
        assert_nothing_is_left_in_the_cache(&user);
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn another_host_never_gets_the_token() {
    let content = content_server();
    let address = content.address.clone();
    let hub = Server::new(move |_| to(&address));
    let mut user = User::of(&hub.address);
    user.environment.token = Some("hf_secret".to_owned());
    assert_right(&user.get(true).unwrap());
    assert!(content.asked().iter().all(|asked| asked.authorization.is_none()), "{:?}", content.asked());

    // A mirror that sends the bytes itself gets it.
    let mirror = Server::new(right);
    let mut user = User::of(&mirror.address);
    user.environment.token = Some("hf_secret".to_owned());
    user.get(true).unwrap();
    assert!(mirror.asked().iter().all(|asked| asked.authorization.as_deref() == Some("Bearer hf_secret")));
}
