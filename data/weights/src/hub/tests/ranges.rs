//! The layers that make features, fetched by ranges: what is asked for, stored and found again.

use super::*;

#[test]
fn only_the_layers_that_make_features_are_fetched_and_only_once() {
    let server = Server::new(right);
    let user = User::of(&server.address);
    let slim = user.get(false).unwrap();
    assert_right(&slim);
    let asked = server.asked();
    assert_eq!(asked.len(), 3, "the header's length, the header, one merged range: {asked:?}");
    assert_eq!(asked[0].path, format!("/owner/tiny.test/resolve/{REVISION}/model.safetensors"));
    let n_bytes = 4 * tiny().features.iter().map(data::backbone::Tensor::len).sum::<usize>();
    assert_eq!(asked[2].range.len(), n_bytes);

    let text = String::from_utf8_lossy(&fs::read(&slim).unwrap()).into_owned();
    for recorded in ["hub:owner/tiny.test", REVISION, "MIT", "\\\"trained\\\":true"] {
        assert!(text.contains(recorded), "{recorded}");
    }
    user.get(false).unwrap();
    assert_eq!(server.asked().len(), 3, "the second time nothing is asked");
}

#[test]
fn a_flipped_bit_is_found() {
    let server = Server::new(right);
    let user = User::of(&server.address);
    let slim = user.get(false).unwrap();
    let mut bytes = fs::read(&slim).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    commit::write_bytes(&slim, &bytes).unwrap();
    let message = format!("{:#}", Weights::read_of(&slim, Part::Features, |_| Ok(tiny())).unwrap_err());
    assert!(message.contains("tiny.safetensors is damaged"), "{message}");
    user.get(false).unwrap();
    assert_right(&slim);
    assert_eq!(server.asked().len(), 6, "it was fetched anew");
}

#[test]
fn redirects_are_followed_and_the_token_stays_with_the_hub() {
    let content = content_server();
    let address = content.address.clone();
    let hub = Server::new(move |asked| match asked.path.starts_with("/owner/") {
        true => Answer::new(307, b"").with("location", "/renamed"),
        false => to(&address),
    });
    let mut user = User::of(&hub.address);
    user.environment.token = Some("hf_secret".to_owned());
    assert_right(&user.get(false).unwrap());
    assert!(hub.asked().iter().all(|a| a.authorization.as_deref() == Some("Bearer hf_secret")));
    assert_eq!(hub.asked().len(), 6);
    assert!(content.asked().iter().all(|a| a.authorization.is_none() && a.path == "/bytes?signature=x"));
    assert_eq!(content.asked().len(), 3);
}

#[test]
fn a_server_without_ranges_is_read_from_the_start() {
    let asked = assert_gets_there(|_| Answer::new(200, whole()).with("etag", format!("\"{}\"", sha256())));
    assert_eq!(asked.len(), 3);
}

#[test]
fn an_interrupted_download_goes_on_in_the_next_run() {
    let server = Server::new(|asked| match asked.number {
        0..=1 | 4.. => right(asked),
        2 => right(asked).cut_after(1300),
        _ => Answer::new(403, b""),
    });
    let user = User::of(&server.address);
    user.refusal(false);
    // Of the two pieces one is damaged meanwhile.
    let parts = user.weights_dir().join(".tiny.test-01234567-features.parts");
    let mut stored: Vec<_> = fs::read_dir(&parts).unwrap().map(|e| e.unwrap().path()).collect();
    stored.sort();
    assert_eq!(stored.len(), 2);
    let start = server.asked()[2].range.start;
    let damaged = parts.join(format!("{start}-{}", start + 512));
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[100] ^= 1;
    commit::write_bytes(&damaged, &bytes).unwrap();

    assert_right(&user.get(false).unwrap());
    let asked = server.asked();
    assert_eq!(asked[6].range, start..start + 512);
    assert_eq!(asked[7].range.start, start + 1024);
    assert_eq!(user.names(), ["tiny.safetensors"]);
}

#[test]
fn parts_that_were_refused_do_not_stay() {
    // Every bit of a float set: no number.
    let server = Server::new(|asked| match asked.number {
        2 => Answer { body: vec![0xff; asked.range.len()], ..right(asked) },
        _ => right(asked),
    });
    let user = User::of(&server.address);
    let message = user.refusal(false);
    assert!(message.contains("weights that are not usable"), "{message}");
    assert!(user.names().is_empty(), "{:?}", user.names());
    assert_right(&user.get(false).unwrap());
}

#[test]
fn layers_with_another_digest_than_the_first_time_are_refused() {
    let server = Server::new(|asked| match asked.number {
        5 => Answer { body: vec![0x3f; asked.range.len()], ..right(asked) },
        _ => right(asked),
    });
    let user = User::of(&server.address);
    let slim = user.get(false).unwrap();
    fs::remove_file(&slim).unwrap();
    let message = user.refusal(false);
    assert!(message.contains("those of the first time had") && message.contains("--full"), "{message}");
    assert!(user.names().is_empty(), "{:?}", user.names());
    assert_right(&user.get(false).unwrap());

    // A damaged record does not count as none: the server would be trusted anew.
    fs::remove_file(&slim).unwrap();
    commit::write_bytes(&user.weights_dir().join("tiny.test-features.sha256"), b"not a digest").unwrap();
    let message = user.refusal(false);
    assert!(message.contains("tiny.test-features.sha256 is damaged, expected a sha256"), "{message}");
    // What is a part of the whole file is right, whatever was recorded.
    commit::write_bytes(&user.weights_dir().join("tiny.test-features.sha256"), "0".repeat(64).as_bytes())
        .unwrap();
    assert_right(&user.get(true).unwrap());
    fs::remove_file(&slim).unwrap();
    fs::remove_dir_all(&user.environment.cache).unwrap();
    assert_right(&user.get(false).unwrap());
}
