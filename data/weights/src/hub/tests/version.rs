//! Files of which no version is known: the first answer is believed, and later ones must be like it.

use super::*;
use crate::tests::{sha256, unpinned};

const OTHER_REVISION: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// Runs the program for a network of which no version is known.
fn fetch(user: &User) -> anyhow::Result<()> {
    let (args, mut config) = run_of(Source::Hub, &user.weights_dir(), true);
    config.backbone = unpinned();
    let settings =
        Settings { environment: user.environment.clone(), policy: user.policy.clone(), piece_bytes: 512 };
    crate::run::make(&config, &args, &|| Ok(settings.clone())).map(|_| ())
}

fn message(user: &User) -> String {
    format!("{:#}", fetch(user).unwrap_err())
}

fn record(user: &User) -> PathBuf {
    user.weights_dir().join("tiny.test.version.json")
}

/// Removes what was made, and what was fetched, but not the record.
fn forget(user: &User) {
    for name in ["tiny.safetensors", "tiny-classifier.safetensors", "tiny.test-features.sha256"] {
        fs::remove_file(user.weights_dir().join(name)).unwrap();
    }
    let _ = fs::remove_dir_all(&user.environment.cache);
}

#[test]
fn the_first_version_is_recorded_and_taken_again() {
    let server = Server::new(right);
    let user = User::of(&server.address);
    fetch(&user).unwrap();
    assert_right(&user.file());
    let asked = server.asked();
    assert!(asked[0].path.ends_with("/owner/tiny.test/resolve/main/model.safetensors"), "{}", asked[0].path);
    let pinned = format!("/owner/tiny.test/resolve/{REVISION}/model.safetensors");
    assert!(asked[1..].iter().all(|asked| asked.path.ends_with(&pinned)));
    let text = fs::read_to_string(record(&user)).unwrap();
    let version: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(version, serde_json::json!({ "revision": REVISION, "sha256": sha256() }));
    assert_eq!(crate::tests::read(&user.file(), Part::Features).info.origin.revision.unwrap(), REVISION);

    forget(&user);
    fetch(&user).unwrap();
    let again = server.asked();
    assert!(again[asked.len()..].iter().all(|asked| asked.path.ends_with(&pinned)), "the branch was asked");
}

#[test]
fn another_file_than_the_first_is_refused() {
    let first = Server::new(right);
    let mut user = User::of(&first.address);
    fetch(&user).unwrap();
    forget(&user);
    let changed = Server::new(|asked| right(asked).with("etag", format!("\"{}\"", "7".repeat(64))));
    user.environment.endpoint = changed.address.clone();
    let refused = message(&user);
    assert!(refused.contains(&format!("expected the sha256 {}", sha256())), "{refused}");
    assert!(!user.file().exists());

    commit::write_bytes(&record(&user), b"{}").unwrap();
    let damaged = message(&user);
    assert!(damaged.contains("tiny.test.version.json is damaged; remove it to take the latest"), "{damaged}");
}

#[test]
fn a_file_of_the_cache_is_a_first_version_too() {
    let server = Server::new(right);
    let mut user = User::of(&server.address);
    fetch(&user).unwrap();
    forget(&user);
    fs::remove_file(record(&user)).unwrap();
    // As Python's huggingface_hub leaves it: the branch names the commit, whose directory has the file.
    let repository = user.environment.cache.join("models--owner--tiny.test");
    commit::write_bytes(&repository.join("refs/main"), OTHER_REVISION.as_bytes()).unwrap();
    let file = repository.join("snapshots").join(OTHER_REVISION).join("model.safetensors");
    commit::write_bytes(&file, whole()).unwrap();
    user.environment.offline = true;
    let n_asked = server.asked().len();
    fetch(&user).unwrap();
    assert_eq!(server.asked().len(), n_asked);
    assert!(fs::read_to_string(record(&user)).unwrap().contains(OTHER_REVISION));
}

#[test]
fn a_hub_that_does_not_say_what_it_sends_is_not_believed() {
    let without = |name: &'static str| {
        move |asked: &Asked| {
            let mut answer = right(asked);
            answer.headers.retain(|(known, _)| *known != name);
            answer
        }
    };
    let refused = |behaviour: Box<dyn Fn(&Asked) -> Answer + Send>| {
        let server = Server::new(behaviour);
        let user = User::of(&server.address);
        let text = message(&user);
        assert!(
            text.contains("https://huggingface.co/owner/tiny.test/resolve/main/model.safetensors"),
            "{text}"
        );
        assert!(!record(&user).exists());
        text
    };
    assert!(refused(Box::new(without("x-repo-commit"))).contains("does not say which version it sends"));
    assert!(refused(Box::new(without("etag"))).contains("does not say what it sends (no ETag)"));
    let short = refused(Box::new(|asked| right(asked).with("etag", "\"0123456789abcdef\"")));
    assert!(short.contains("is no sha256"), "{short}");
    let mut user = User::of("http://127.0.0.1:1");
    user.environment.offline = true;
    let offline = message(&user);
    assert!(offline.contains("HF_HUB_OFFLINE is set; where there is a network, run"), "{offline}");
    assert!(offline.contains("give that file with --from"), "{offline}");
}
