use std::fs::{self, File};
use std::process::Stdio;

use crate::harness::{Ran, Work, extractor_args, stages};

const PROGRAMS: [&str; 8] =
    ["sample", "stanford-dogs", "weights", "splitter", "augmenter", "extractor", "trainer", "matcher"];

#[test]
fn help_shows_an_example_and_the_common_flags() {
    let work = Work::new();
    for program in PROGRAMS {
        let help = work.ok(program, &["--help"]);
        for expected in ["Example", "--seed", "--threads", "--quiet", "--verbose", "--json"] {
            assert!(help.contains(expected), "{program} --help lacks {expected}:\n{help}");
        }
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_writes_nothing() {
    let work = Work::new();
    work.ok("sample", &["--out", "raw", "--per-class", "3", "--size", "32"]);
    let cases: [(&str, &[&str]); 9] = [
        ("splitter", &["--images", "raw", "--out", "x", "--ratio", "0.8,0.3,0.1"]),
        ("splitter", &["--images", "raw", "--out", "x", "--ratio", "nan,0.5,0.5"]),
        ("augmenter", &["--manifest", "m.csv", "--out", "x", "--zoom-range", "1"]),
        ("augmenter", &["--manifest", "m.csv", "--out", "x", "--shear-range", "90"]),
        ("augmenter", &["--manifest", "m.csv", "--out", "x", "--rotation-range=-inf"]),
        ("extractor", &["--manifest", "m.csv", "--out", "x", "--weights", "w", "--image-size", "33"]),
        ("extractor", &["--manifest", "m.csv", "--out", "x", "--weights", "w", "--shard", "3/2"]),
        ("trainer", &["fit", "--features", "f", "--out", "x", "--dropout", "1"]),
        ("trainer", &["fit", "--features", "f", "--out", "x", "--learning-rate=-1"]),
    ];
    for (program, args) in cases {
        let ran = work.run(program, args);
        assert_eq!(ran.code, Some(2), "{program} {args:?}: {}", ran.stderr);
        assert!(!work.path("x").exists(), "{program} {args:?} wrote something");
    }
}

#[test]
fn a_locked_directory_is_exit_code_75() {
    let work = Work::with_model();
    for (stage, mut args) in stages().into_iter().skip(1) {
        args.push("--force");
        let out = match stage {
            "splitter" => "split",
            "augmenter" => "augmented",
            "weights" => "weights",
            "extractor" => "features",
            "trainer" => "model",
            _ => "matches",
        };
        let held = data::commit::lock(&work.path(out), "another one").unwrap();
        work.fails(75, "is in use by another one (pid ", stage, &args);
        drop(held);
        work.ok(stage, &args);
    }
}

#[test]
fn json_summaries_are_one_line_of_json() {
    let work = Work::new();
    for (stage, mut args) in stages() {
        args.push("--json");
        let stdout = work.ok(stage, &args);
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&stdout);
        assert!(parsed.is_ok() && stdout.trim().lines().count() == 1, "{stage} {args:?}: {stdout:?}");
    }
}

#[test]
fn quiet_means_nothing_on_either_stream() {
    let work = Work::new();
    for (stage, mut args) in stages() {
        args.push("--quiet");
        let ran = work.run(stage, &args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{stage}: {}", ran.stderr);
        assert_eq!(ran.stderr, "", "{stage}");
    }
}

#[test]
fn a_full_stdout_is_an_error_and_a_closed_one_is_not() {
    let work = Work::with_model();
    let (stage, args) = &stages()[1];
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = Ran::of(work.command(stage, args).stdout(full).stderr(Stdio::piped()).output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("cannot write to stdout"), "{}", ran.stderr);

    let mut child = work.command(stage, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_terminated_stage_says_so_and_ends_with_143() {
    let work = Work::new();
    work.ok("sample", &["--out", "raw", "--per-class", "20", "--size", "64"]);
    work.ok("splitter", &["--images", "raw", "--out", "split"]);
    let mut args = extractor_args("split/manifest.csv");
    args[7] = "96"; // slow enough to be interrupted
    work.ok("weights", &["--from", "seed", "--out", "weights"]);
    let mut child = work.command("extractor", &args).stderr(Stdio::piped()).spawn().unwrap();
    let began = std::time::Instant::now();
    // The lock appears when the stage has begun its work.
    while !work.path("features/.tindogr.lock").exists() {
        assert!(began.elapsed().as_secs() < 60, "the extractor never began");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut stderr).unwrap();
    assert_eq!(status.code(), Some(143), "{stderr}");
    assert!(stderr.contains("interrupted; run the same command again"), "{stderr}");
    assert!(!work.path("features/index.json").exists());
}

/// Starts a server that accepts connections and never answers.
fn silent_server() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let kept: Vec<_> = listener.incoming().collect();
        drop(kept);
    });
    address
}

#[test]
fn a_download_from_a_silent_server_ends_soon_after_a_signal() {
    let work = Work::new();
    let address = silent_server();
    let features = ["--from", "hub", "--out", "weights"];
    let whole = ["--from", "hub", "--out", "whole", "--full"];
    let dogs = ["--out", "dogs", "--mirror", &address];
    for (program, args) in [("weights", &features[..]), ("weights", &whole), ("stanford-dogs", &dogs)] {
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let mut command = work.command(program, args);
            command.env("HF_ENDPOINT", &address).env("HF_HOME", work.path("hf")).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_secs(2));
            assert!(child.try_wait().unwrap().is_none(), "{program} did not wait for the server");
            let sent = std::time::Instant::now();
            std::process::Command::new("kill")
                .args([&format!("-{signal}"), &child.id().to_string()])
                .status()
                .unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{program} {signal}");
            assert!(sent.elapsed().as_secs_f64() < 3.0, "{program} {signal}: {:?}", sent.elapsed());
        }
    }
}

/// Tests every file argument with a pipe that has no writer.
#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
    let work = Work::with_model();
    let pipe = work.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let cases: [(&str, &[&str]); 9] = [
        ("splitter", &["--images", "raw", "--out", "x", "--split-list", "pipe,pipe"]),
        ("augmenter", &["--manifest", "pipe", "--out", "x"]),
        ("weights", &["--from", "pipe", "--out", "x"]),
        ("extractor", &["--manifest", "pipe", "--out", "x", "--weights", "weights/vgg16.safetensors"]),
        ("extractor", &["--manifest", "split/manifest.csv", "--out", "x", "--weights", "pipe"]),
        ("trainer", &["evaluate", "--features", "features", "--model", "model", "--manifest", "pipe"]),
        ("matcher", &["classify", "--model", "model", "--weights", "pipe", "pipe"]),
        (
            "matcher",
            &[
                "decide",
                "--model",
                "model",
                "--weights",
                "weights/vgg16.safetensors",
                "--profiles",
                "pipe",
                "--my-dog",
                "beagle",
                "--out",
                "x",
            ],
        ),
        ("matcher", &["classify", "--model", "pipes", "--weights", "weights/vgg16.safetensors", "pipe"]),
    ];
    fs::create_dir(work.path("pipes")).unwrap();
    let renamed =
        std::process::Command::new("mv").arg(&pipe).arg(work.path("pipes/head.safetensors")).status();
    assert!(renamed.unwrap().success());
    fs::hard_link(work.path("pipes/head.safetensors"), &pipe).unwrap();
    for (program, args) in cases {
        let began = std::time::Instant::now();
        work.fails(1, "it is not a regular file but a pipe", program, args);
        assert!(began.elapsed().as_secs() < 10, "{program} {args:?}");
    }
}

#[test]
fn artefacts_are_readable_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let work = Work::with_model();
    for artefact in
        ["split/manifest.csv", "features/index.json", "model/head.safetensors", "matches/decisions.csv"]
    {
        let mode = fs::metadata(work.path(artefact)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o644, "{artefact}");
    }
}

/// Makes an animated picture, which causes a log line.
fn animation() -> Vec<u8> {
    let mut gif = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
    for shade in [10, 200] {
        encoder
            .encode_frame(image::Frame::new(image::RgbaImage::from_pixel(8, 8, image::Rgba([shade; 4]))))
            .unwrap();
    }
    drop(encoder);
    gif
}

#[test]
fn a_log_that_cannot_be_written_ends_no_stage() {
    let work = Work::new();
    work.ok("sample", &["--out", "raw", "--per-class", "3", "--size", "32"]);
    data::commit::write_bytes(&work.path("raw/not_a_dog/moving.gif"), &animation()).unwrap();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let (reading, closed) = std::io::pipe().unwrap();
    drop(reading);
    for (out, stderr) in [("full", Stdio::from(full())), ("closed", Stdio::from(closed))] {
        let args = ["--images", "raw", "--out", out, "--allow-small"];
        let ran =
            Ran::of(work.command("splitter", &args).stderr(stderr).stdout(Stdio::piped()).output().unwrap());
        assert_eq!(ran.code, Some(0), "{out}: {}", ran.stdout);
        assert!(work.path(out).join("manifest.csv").exists());
    }
}
