//! The real HTTP path, against a server on this machine that can misbehave in every way.

mod environment;
mod faults;
mod ranges;
mod refusals;
mod server;
mod version;
mod whole;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data::weights::{Part, Weights};
use tempfile::TempDir;

use super::*;
use crate::published;
use crate::source::Source;
use crate::tests::{REVISION, run_of, sha256, tiny, whole};
use server::{Answer, Asked, Server, part_of, right};

const QUICK: RetryPolicy = RetryPolicy {
    stall: Duration::from_millis(300),
    first_pause: Duration::from_millis(1),
    n_tries: 4,
    longest_pause: Duration::from_secs(2),
    least_bytes: 64,
    least_bytes_per_window: 4000,
    window: Duration::from_millis(1500),
};

/// A user of the server at an address.
struct User {
    dir: TempDir,
    environment: Environment,
    policy: RetryPolicy,
}

impl User {
    fn of(address: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment {
            endpoint: address.to_owned(),
            cache: dir.path().join("cache"),
            token: None,
            offline: false,
            bars: true,
        };
        Self { dir, environment, policy: QUICK }
    }

    fn weights_dir(&self) -> PathBuf {
        self.dir.path().join("weights")
    }

    fn file(&self) -> PathBuf {
        self.weights_dir().join("tiny.safetensors")
    }

    /// Runs the program; gives the file with the layers that make features.
    fn get(&self, full: bool) -> anyhow::Result<PathBuf> {
        let (args, config) = run_of(Source::Hub, &self.weights_dir(), full);
        let settings =
            Settings { environment: self.environment.clone(), policy: self.policy.clone(), piece_bytes: 512 };
        crate::run::make(&config, &args, &|| Ok(settings.clone()))?;
        Ok(self.file())
    }

    fn refusal(&self, full: bool) -> String {
        format!("{:#}", self.get(full).unwrap_err())
    }

    /// Names in the weights directory, without the lock, the records of the run and the record of the digest.
    fn names(&self) -> Vec<String> {
        let known = [".tindogr.lock", "provenance.json", ".provenance.digests", "tiny.test-features.sha256"];
        let entries = fs::read_dir(self.weights_dir()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !known.contains(&name.as_str()));
        names.sort();
        names
    }

    /// Where the cache has the file: the name by commit, and the file by digest that it points to.
    fn cached(&self) -> (PathBuf, PathBuf) {
        let repository = self.environment.cache.join("models--owner--tiny.test");
        let snapshot = repository.join("snapshots").join(REVISION).join("model.safetensors");
        (snapshot, repository.join("blobs").join(sha256()))
    }
}

/// Checks that a file holds the layers of the published one.
fn assert_right(file: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole.safetensors");
    commit::write_bytes(&path, whole()).unwrap();
    let expected = published::read(&path, tiny(), Part::Features).unwrap();
    let found = crate::tests::read(file, Part::Features);
    assert_eq!(found.tensors, expected);
    assert_eq!(found.info.weights_sha256, data::weights::digest(&expected));
    assert!(found.info.origin.trained);
}

/// Checks that a server with this behaviour leads to the right weights.
fn assert_gets_there(behaviour: impl Fn(&Asked) -> Answer + Send + 'static) -> Vec<Asked> {
    let server = Server::new(behaviour);
    let user = User::of(&server.address);
    assert_right(&user.get(false).unwrap());
    assert_eq!(user.names(), ["tiny.safetensors"], "nothing else is left");
    server.asked()
}

/// Checks that a server with this behaviour is refused, with this in the message, and leaves no weights.
fn assert_refused(expected: &str, behaviour: impl Fn(&Asked) -> Answer + Send + 'static) -> Vec<Asked> {
    let server = Server::new(behaviour);
    let user = User::of(&server.address);
    let message = user.refusal(false);
    assert!(message.contains(expected), "{message}");
    let command = "curl -fL -o tiny.test.safetensors https://huggingface.co/owner/tiny.test";
    assert!(message.contains(command), "{message}");
    assert!(!user.names().iter().any(|name| name.ends_with(".safetensors")));
    server.asked()
}

/// The server that has the bytes; the hub redirects everybody to it.
fn content_server() -> Server {
    Server::new(|asked| right(asked).with("etag", "\"of the other server\"").with("x-repo-commit", REVISION))
}

/// The hub's redirect to the server that has the bytes.
fn to(address: &str) -> Answer {
    Answer::new(302, b"")
        .with("location", format!("{address}/bytes?signature=x"))
        .with("x-linked-etag", format!("\"{}\"", sha256()))
        .with("x-repo-commit", REVISION)
}
