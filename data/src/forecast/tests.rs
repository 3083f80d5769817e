//! Tests of the counts and of the output.

use std::time::Instant;

use clap::Parser;

use super::*;
use crate::manifest::{self, Augmented, Row};
use crate::photo;

#[derive(Debug, clap::Parser)]
struct Args {
    #[command(flatten)]
    plan: PlanArgs,
}

fn args(flags: &[&str]) -> PlanArgs {
    Args::try_parse_from(["x", "--plan"].iter().chain(flags)).unwrap().plan
}

#[test]
fn pictures_are_counted_by_the_manifest_else_by_the_folder_else_by_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = dir.path().join("manifest.csv");
    let raw = dir.path().join("raw");
    let none = Pictures::find(&manifest, &args(&[])).unwrap_err().to_string();
    assert!(none.contains("run the splitter first"), "{none}");

    let stanford = Pictures::find(&manifest, &args(&["--plan-pictures", "12000,0,8580"])).unwrap();
    assert_eq!((stanford.n, stanford.with_copies(4)), ([12000, 0, 8580], [60000, 0, 8580]));
    for example in &stanford.examples {
        let decoded = photo::decode(example, &photo::Limits::STANDARD).unwrap();
        assert_eq!(decoded.rgb.dimensions(), examples::SIZE);
        assert!((20_000..60_000).contains(&example.len()), "{} bytes", example.len());
    }
    let total = Pictures::find(&manifest, &args(&["--plan-pictures", "20"])).unwrap();
    assert_eq!(total.n, [14, 3, 3]);

    let picture = examples::example(0).unwrap();
    for i in 0..10 {
        let extension = ["JPG", "jfif", "", "JPG~"][i % 4]; // the content decides
        crate::commit::write_bytes(&raw.join("c").join(i.to_string()).with_extension(extension), &picture)
            .unwrap();
    }
    #[cfg(unix)]
    assert!(std::process::Command::new("mkfifo").arg(raw.join("c/pipe.jpg")).status().unwrap().success());
    crate::commit::write_bytes(&raw.join("c/notes.txt"), b"not a picture").unwrap();
    crate::commit::write_bytes(&raw.join("c/.hidden.jpg"), b"not a picture").unwrap();
    let flags = ["--plan-images", raw.to_str().unwrap(), "--plan-ratio", "0.5,0,0.5"];
    let of_folder = Pictures::find(&manifest, &args(&flags)).unwrap();
    assert_eq!((of_folder.n, of_folder.examples.len()), ([5, 0, 5], 10));

    let row = |i: u32, split, augmented| Row {
        path: format!("raw/c/{i}.JPG"),
        class: "c".into(),
        split,
        sha256: [0; 32],
        width: 40,
        height: 30,
        crop: None,
        augmented,
    };
    let copy = Augmented { source: "raw/c/0.JPG".into(), copy: 1 };
    let rows = [row(0, Split::Train, None), row(1, Split::Train, Some(copy)), row(2, Split::Test, None)];
    manifest::write(&manifest, &rows, true).unwrap();
    assert_eq!(Pictures::find(&manifest, &args(&flags)).unwrap().n, [1, 0, 1]);
}

#[test]
fn a_measurement_lasts_a_second_and_counts_the_items() {
    let mut n_rounds = 0;
    let start = Instant::now();
    let rate = measure(|| {
        n_rounds += 1;
        std::thread::sleep(std::time::Duration::from_millis(50));
        Ok(10)
    });
    assert!(start.elapsed().as_secs_f64() >= measure::SECONDS && n_rounds > measure::ROUNDS);
    let rate = rate.unwrap();
    assert!(rate > 0.0 && rate <= 200.0, "{rate}");
}

#[test]
fn times_are_for_people() {
    assert_eq!([duration(0.2), duration(119.0), duration(150.0)], ["1 s", "119 s", "2 min 30 s"]);
    assert_eq!(duration(12_000.0), "3 h 20 min");
}
