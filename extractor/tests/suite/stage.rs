use std::fs;
use std::path::Path;
use std::process::Command;

use candle_core::Device;
use clap::Parser;
use data::commit;
use data::features::Index;
use data::manifest::Split;
use data::recipe::Recipe;
use data::rejects;
use data::stage::Exit;
use data::weights::{Origin, Weights};
use extractor::{Args, FeatureExtractor, backbone};
use safetensors::tensor::{Dtype, TensorView};

use crate::harness::{Work, picture, seeded_weights, write_changed_weights};

#[test]
fn every_picture_has_its_row_whatever_their_number() {
    // 257 is one more than a shard holds.
    let work = Work::new(257);
    work.extract("all", &[]).unwrap();
    let all = work.train("all");
    assert_eq!(all.rows(), (0..257).collect::<Vec<u32>>());
    assert_eq!(all.labels(), (0..257).map(|i| i % 2).collect::<Vec<u32>>());
    assert_eq!(all.n_features(), 512);
    assert_eq!(
        work.files("all").into_keys().collect::<Vec<_>>(),
        ["index.json", "rejects.csv", "train-00000.safetensors", "train-00001.safetensors"]
    );
    let one = Work::new(1);
    one.extract("one", &[]).unwrap();
    assert_eq!(one.train("one").row(0).unwrap(), all.row(0).unwrap(), "a picture alone has other features");
}

#[test]
fn nothing_to_extract_is_an_error() {
    let work = Work::new(0);
    assert!(work.refusal("out", &[]).starts_with("nothing to extract"));
    assert!(!work.path("out").exists());
}

#[test]
fn the_bytes_depend_neither_on_the_batch_nor_on_threads() {
    let work = Work::new(7);
    work.extract("golden", &["--image-size", "64"]).unwrap();
    for batch in ["1", "3", "16"] {
        for threads in [1, 4] {
            let out = format!("{batch}-{threads}");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| work.extract(&out, &["--image-size", "64", "--batch-size", batch])).unwrap();
            assert_eq!(work.files(&out), work.files("golden"), "batch {batch}, {threads} threads");
        }
    }
}

#[test]
fn a_bad_picture_leaves_no_row_and_shifts_no_neighbour() {
    let work = Work::new(10);
    work.extract("golden", &[]).unwrap();
    let golden = work.train("golden");
    type Harm = fn(&std::path::Path);
    let harms: [(&str, Harm); 3] = [
        ("unreadable", |p| fs::remove_file(p).unwrap()),
        ("changed_since_split", |p| commit::write_bytes(p, b"something else").unwrap()),
        ("empty", |p| commit::write_bytes(p, b"").unwrap()),
    ];
    for (reason, harm) in harms {
        let work = Work::new(10);
        harm(&work.path("images/3.png"));
        let refusal = work.refusal("out", &[]);
        assert!(refusal.contains("1 of 10 pictures are rejected") && refusal.contains(reason), "{refusal}");
        assert!(!work.path("out").join(Index::FILE_NAME).exists());

        work.extract("out", &["--max-bad", "1"]).unwrap();
        let train = work.train("out");
        assert_eq!(train.rows(), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
        for (i, &row) in train.rows().iter().enumerate() {
            assert_eq!(train.row(i).unwrap(), golden.row(row as usize).unwrap());
        }
        let rejects = fs::read_to_string(work.path("out").join(rejects::FILE_NAME)).unwrap();
        assert!(rejects.contains(&format!("images/3.png,{reason},")), "{rejects}");
        assert_eq!(Index::read(&work.path("out")).unwrap().n_rejected, 1);
    }
}

#[test]
fn a_second_run_reads_no_picture_and_changes_no_byte() {
    let work = Work::new(3);
    work.extract("out", &[]).unwrap();
    let golden = work.files("out");
    work.remove_pictures(&work.rows);
    work.extract("out", &["--batch-size", "2"]).unwrap();
    assert_eq!(work.files("out"), golden);
}

#[test]
fn only_new_pictures_are_computed_when_the_manifest_changes() {
    let mut work = Work::new(4);
    work.extract("out", &[]).unwrap();
    let known = work.rows.clone();
    // In front, so that every row number moves; of a class that sorts first, so that every label moves;
    // one for another split; and one less.
    work.rows.pop();
    let new = work.add_picture(100, Split::Train);
    work.rows.insert(0, data::manifest::Row { class: "A".into(), ..new });
    let new = work.add_picture(101, Split::Valid);
    work.rows.push(new);
    work.write_manifest();
    work.extract("golden", &[]).unwrap();
    work.remove_pictures(&known);
    work.extract("out", &[]).unwrap();
    assert_eq!(work.files("out"), work.files("golden"));
    assert_eq!(work.train("out").labels(), [0, 1, 2, 1]);

    // Without the valid picture its shard has to go.
    work.rows.pop();
    work.write_manifest();
    work.extract("out", &[]).unwrap();
    assert!(!work.files("out").contains_key("valid-00000.safetensors"));
}

#[test]
fn of_a_picture_with_a_box_only_the_box_is_seen() {
    let mut work = Work::new(2);
    work.extract("out", &[]).unwrap();
    let whole = work.train("out");

    let crop = data::manifest::Crop { left: 5, top: 3, right: 41, bottom: 38 };
    work.rows[0].crop = Some(crop);
    work.write_manifest();
    // What has features is not read again.
    work.remove_pictures(&work.rows[1..]);
    work.extract("out", &[]).unwrap();
    let boxed = work.train("out");
    assert_eq!(boxed.row(1).unwrap(), whole.row(1).unwrap());

    // The same as of a picture that shows nothing else.
    let mut png = std::io::Cursor::new(Vec::new());
    crop.of(&picture(0)).write_to(&mut png, image::ImageFormat::Png).unwrap();
    data::commit::write_bytes(&work.path("images/alone.png"), png.get_ref()).unwrap();
    let sha256 = data::provenance::from_hex(&data::provenance::sha256_hex(png.get_ref())).unwrap();
    let path = "images/alone.png".to_owned();
    work.rows[0] =
        data::manifest::Row { path, sha256, width: 36, height: 35, crop: None, ..work.rows[0].clone() };
    work.write_manifest();
    work.extract("out", &[]).unwrap();
    assert_eq!(work.train("out").row(0).unwrap(), boxed.row(0).unwrap());
    assert!(boxed.row(0).unwrap() != whole.row(0).unwrap());
}

#[test]
fn a_damaged_shard_is_computed_again_and_no_other() {
    let mut work = Work::new(3);
    let valid = work.add_picture(50, Split::Valid);
    work.rows.push(valid);
    work.write_manifest();
    work.extract("out", &[]).unwrap();
    let golden = work.files("out");
    work.remove_pictures(&work.rows[3..]);
    let shard = "train-00000.safetensors";
    let whole = &golden[shard];
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() - 1], &[], &vec![0; whole.len()]] {
        commit::write_bytes(&work.path("out").join(shard), damaged).unwrap();
        work.extract("out", &[]).unwrap();
        let kept = work.path("out").join(format!("{shard}.edited"));
        assert_eq!(fs::read(&kept).unwrap(), damaged);
        fs::remove_file(kept).unwrap();
        assert_eq!(work.files("out"), golden);
    }
}

#[test]
fn another_recipe_reuses_nothing() {
    let work = Work::new(2);
    work.extract("out", &[]).unwrap();
    for more in [&["--image-size", "64"][..], &["--preset", "caffe"], &["--pool", "avg"], &["--dtype", "f16"]]
    {
        work.extract("out", more).unwrap();
        work.extract("fresh", more).unwrap();
        assert_eq!(work.files("out"), work.files("fresh"), "{more:?}");
        fs::remove_dir_all(work.path("fresh")).unwrap();
    }
}

#[test]
fn parts_come_together_as_one_run_would_make_them() {
    let mut work = Work::new(3);
    for (number, split) in [(50, Split::Valid), (60, Split::Test)] {
        let row = work.add_picture(number, split);
        work.rows.push(row);
    }
    work.write_manifest();
    work.extract("golden", &[]).unwrap();
    // On two machines: bring the files together, run once more.
    work.extract("first", &["--shard", "0/2"]).unwrap();
    work.extract("second", &["--shard", "1/2"]).unwrap();
    assert_eq!(
        work.files("first").into_keys().collect::<Vec<_>>(),
        ["rejects.csv", "test-00000.safetensors", "train-00000.safetensors"]
    );
    let moved = "valid-00000.safetensors";
    fs::copy(work.path("second").join(moved), work.path("first").join(moved)).unwrap();
    // In one directory, one after the other: the last one writes the index.
    work.extract("one", &["--shard", "1/2"]).unwrap();
    work.extract("one", &["--shard", "0/2"]).unwrap();
    assert_eq!(work.files("one"), work.files("golden"));
    work.remove_pictures(&work.rows);
    work.extract("first", &[]).unwrap();
    assert_eq!(work.files("first"), work.files("golden"));
}

#[test]
fn features_that_are_no_numbers_are_refused_by_the_name_of_the_picture() {
    let work = Work::new(3);
    let weights = work.path("overflow.safetensors");
    write_changed_weights(&weights, |name, values| {
        if name == "features.0.weight" || name == "features.2.weight" {
            values.iter_mut().for_each(|w| *w *= 1e25);
        }
    });
    let refusal = work.refusal("out", &["--weights", weights.to_str().unwrap()]);
    assert!(refusal.contains("images/0.png is") && refusal.starts_with("feature "), "{refusal}");
    assert!(work.files("out").is_empty());
}

#[test]
fn half_precision_rounds_and_refuses_what_it_cannot_hold() {
    let work = Work::new(2);
    work.extract("f32", &[]).unwrap();
    work.extract("f16", &["--dtype", "f16"]).unwrap();
    let (whole, half) = (work.train("f32"), work.train("f16"));
    let rounded: Vec<f32> = whole.row(1).unwrap().iter().map(|&x| half::f16::from_f32(x).to_f32()).collect();
    assert_eq!(half.row(1).unwrap()[..], rounded);

    let weights = work.path("large.safetensors");
    write_changed_weights(&weights, |name, values| {
        if name == "features.28.bias" {
            values.fill(70_000.0);
        }
    });
    let refusal = work.refusal("out", &["--weights", weights.to_str().unwrap(), "--dtype", "f16"]);
    assert!(refusal.contains("images/0.png") && refusal.contains("--dtype f32"), "{refusal}");
}

#[test]
fn pooling_takes_the_mean_of_each_channel() {
    let work = Work::new(2);
    work.extract("none", &["--image-size", "64"]).unwrap();
    work.extract("avg", &["--image-size", "64", "--pool", "avg"]).unwrap();
    let (maps, means) = (work.train("none"), work.train("avg"));
    assert_eq!((maps.n_features(), means.n_features()), (512 * 4, 512));
    for (map, mean) in maps.row(1).unwrap().chunks(4).zip(means.row(1).unwrap().iter()) {
        assert!((map.iter().sum::<f32>() / 4.0 - mean).abs() <= 1e-5 * mean.abs());
    }
}

#[test]
fn a_photo_is_seen_as_extraction_saw_it() {
    let work = Work::new(2);
    work.extract("out", &[]).unwrap();
    let recipe = Index::read(&work.path("out")).unwrap().layout.recipe;
    let extractor = FeatureExtractor::new(recipe.clone(), seeded_weights(), &Device::Cpu).unwrap();
    assert_eq!(extractor.features(&[picture(1)]).unwrap().values(), work.train("out").row(1).unwrap());
    assert_eq!(extractor.features(&[]).unwrap().n(), 0);

    let changes: [(&str, fn(&mut Recipe)); 5] = [
        ("is not the weights file", |r| r.weights_sha256 = "ab".repeat(32)),
        ("the weights are of vgg16, the features of vgg19", |r| r.backbone = "vgg19".into()),
        ("not with version 99", |r| r.preprocessing_version = 99),
        ("\"keras\" is no preset", |r| r.preset = "keras".into()),
        ("an image size of 33", |r| r.image_size = 33),
    ];
    for (expected, change) in changes {
        let mut other = recipe.clone();
        change(&mut other);
        let refused = FeatureExtractor::new(other, seeded_weights(), &Device::Cpu);
        let message = refused.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn flags_outside_their_range_are_usage_errors() {
    let work = Work::new(1);
    let cases: [(&[&str], &str); 6] = [
        (&["--image-size", "33"], "--image-size: an image size of 33 does not work"),
        (&["--image-size", "0"], "expected a multiple of 32"),
        (&["--batch-size", "0"], "--batch-size: 0 is outside 1 to 1024"),
        (&["--preset", "keras"], "expected one of torchvision, caffe, tindogr-2018"),
        #[cfg(not(feature = "cuda"))]
        (&["--device", "cuda"], "built without it; build it with `cargo build --release --features cuda`"),
        #[cfg(not(feature = "metal"))]
        (&["--device", "metal"], "built without it; build it with `cargo build --release --features metal`"),
    ];
    for (flags, expected) in cases {
        let error = work.extract("out", flags).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::Usage(m)) if m.contains(expected)), "{error:#}");
    }
    for flags in [["--shard", "2/2"], ["--shard", "1"], ["--shard", "0/0"], ["--pool", "max"]] {
        let parsed = Args::try_parse_from(
            ["extractor", "--manifest", "m", "--out", "o", "--weights", "w"].into_iter().chain(flags),
        );
        assert!(parsed.is_err(), "{flags:?}");
    }
    assert!(!work.path("out").exists());
}

#[test]
fn an_engine_that_the_machine_lacks_is_a_usage_error() {
    let work = Work::new(2);
    let run = |engine: &str| {
        Command::new(env!("CARGO_BIN_EXE_extractor"))
            .env(backbone::ENGINE_VARIABLE, engine)
            .args(["--quiet", "--image-size", "32", "--manifest"])
            .args([work.path("manifest.csv"), "--out".into(), work.path(&format!("out-{engine}"))])
            .args(["--weights".as_ref(), seeded_weights()])
            .output()
            .unwrap()
    };
    let refused = run("sse9");
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(
        message.contains("TINDOGR_CONV3X3=sse9: this machine has") && message.contains("portable, candle")
    );
    assert!(!work.path("out-sse9").exists());
    for engine in backbone::Engine::available() {
        let done = run(engine.name());
        assert!(done.status.success(), "{engine}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(work.train(&format!("out-{engine}")).len(), 2);
    }
    assert!(run("").status.success(), "empty is as unset");
}

#[test]
fn two_runs_do_not_share_a_directory() {
    let work = Work::new(1);
    let _held = commit::lock(&work.path("out"), "extractor").unwrap();
    let error = work.extract("out", &[]).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Exit::TryAgain(_))), "{error:#}");
}

#[test]
fn the_recipe_says_where_the_weights_come_from() {
    let work = Work::new(1);
    work.extract("features", &[]).unwrap();
    let recipe = Index::read(&work.path("features")).unwrap().layout.recipe;
    assert_eq!((recipe.backbone.as_str(), recipe.weights.as_str()), ("vgg16", "seeded:42"));
    // The same weights of another origin: nothing is computed again.
    let renamed = work.path("renamed.safetensors");
    let Weights { info, tensors } = Weights::seeded(backbone::vgg16::BACKBONE, 42);
    let origin = Origin { origin: "vgg16.pth".into(), trained: true, ..info.origin };
    Weights::of_features(backbone::vgg16::BACKBONE, origin, tensors).write(&renamed).unwrap();
    work.remove_pictures(&work.rows);
    work.extract("features", &["--weights", renamed.to_str().unwrap()]).unwrap();
    let recipe = Index::read(&work.path("features")).unwrap().layout.recipe;
    assert_eq!(recipe.weights, "vgg16.pth");
    assert_eq!(work.train("features").len(), 1);
}

#[test]
fn untrained_weights_are_warned_of() {
    let work = Work::new(1);
    let said = |weights: &Path, out: &str| {
        let run = Command::new(env!("CARGO_BIN_EXE_extractor"))
            .args(["--image-size", "32", "--manifest"])
            .args([work.path("manifest.csv"), "--out".into(), work.path(out)])
            .args(["--weights".as_ref(), weights])
            .output()
            .unwrap();
        assert!(run.status.success());
        String::from_utf8(run.stderr).unwrap()
    };
    let trained = work.path("trained.safetensors");
    let Weights { info, tensors } = Weights::seeded(backbone::vgg16::BACKBONE, 1);
    let origin = Origin { trained: true, ..info.origin };
    Weights::of_features(backbone::vgg16::BACKBONE, origin, tensors).write(&trained).unwrap();
    let warning = "the features know nothing of dogs";
    assert!(!said(&trained, "trained").contains(warning));
    let warned = said(seeded_weights(), "seeded");
    assert!(warned.contains(warning) && warned.contains("weights --from hub"), "{warned}");
}

#[test]
fn a_weights_file_of_another_program_is_refused_with_the_command_that_converts_it() {
    let work = Work::new(1);
    let file = work.path("published.safetensors");
    let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
    commit::write_bytes(&file, &safetensors::serialize([("features.0.weight", view)], None).unwrap())
        .unwrap();
    let refusal = work.refusal("out", &["--weights", file.to_str().unwrap()]);
    assert!(refusal.contains(&format!("`weights --from '{}' --out", file.display())), "{refusal}");
}
