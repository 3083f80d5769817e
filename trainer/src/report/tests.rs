use data::commit;

use super::*;
use crate::evaluate::tests::for_imagenet;
use crate::synthetic::{Synthetic, Workspace, damage, message, write_constant_imagenet_head};

fn evaluated(dir: &std::path::Path) -> Workspace {
    let set = Synthetic { noise: 2.5, ..Synthetic::small() };
    let workspace = set.write_with_pictures(dir);
    workspace.fit("--epochs 6").unwrap();
    workspace.evaluate("").unwrap();
    workspace
}

fn page(workspace: &Workspace) -> String {
    std::fs::read_to_string(workspace.model().join(FILE_NAME)).unwrap()
}

#[test]
fn the_page_needs_no_other_file_and_its_bytes_repeat() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = evaluated(dir.path());
    workspace.report("").unwrap();
    let first = page(&workspace);
    assert!(first.contains("src=\"data:image/jpeg;base64,"), "no picture");
    for outside in ["http://", "https://", "src=\"/", "href=", "@import", "url("] {
        assert!(!first.contains(outside), "{outside}");
    }
    assert!(first.contains("not trained on anything") && first.contains("seed 42"));
    for section in ["training", "confusion", "pairs", "worst", "best", "calibration", "classes"] {
        assert!(first.contains(&format!("id=\"{section}\"")), "{section}");
    }
    assert!(!first.contains(&dir.path().display().to_string()), "the page knows where it was made");
    workspace.report("").unwrap();
    assert!(first == page(&workspace));
}

#[test]
fn a_lost_picture_is_told_in_its_place_and_test_features_are_not_needed() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = evaluated(dir.path());
    std::fs::remove_dir_all(dir.path().join("split/test")).unwrap();
    std::fs::remove_file(dir.path().join("features/test-00000.safetensors")).unwrap();
    workspace.report("").unwrap();
    assert!(page(&workspace).contains("not readable: unreadable"));
}

#[test]
fn names_are_escaped() {
    let dir = tempfile::tempdir().unwrap();
    let classes = ["<script>alert(1)</script>", "b"].map(str::to_owned).into();
    let set = Synthetic { classes, ..Synthetic::small() };
    let workspace = set.write(dir.path());
    workspace.fit("--epochs 2").unwrap();
    workspace.evaluate("").unwrap();
    workspace.report("").unwrap();
    assert!(!page(&workspace).contains("<script>alert"));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = evaluated(dir.path());
    let model = workspace.model();
    let cases: [(&str, &str, fn(&mut Vec<u8>)); 4] = [
        ("metrics.json", "belongs to another head", |b| replace(b, "head_sha256\":\"", "head_sha256\":\"0")),
        ("history.csv", "is not the history of head.safetensors", |b| {
            b.truncate(b.iter().position(|&c| c == b'\n').unwrap() + 1);
        }),
        ("predictions.csv", "run trainer evaluate again", |b| b.truncate(b.len() / 2)),
        ("../split/manifest.csv", "is not the manifest", |b| b.extend_from_slice(b"\n")),
    ];
    for (file, expected, change) in cases {
        let path = model.join(file);
        let whole = std::fs::read(&path).unwrap();
        damage(&path, change);
        let found = message(workspace.report(""));
        assert!(found.contains(expected), "{file}: {found}");
        commit::write_bytes(&path, &whole).unwrap();
    }
    workspace.report("").unwrap();
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    *bytes = String::from_utf8(std::mem::take(bytes)).unwrap().replace(from, to).into_bytes();
}

/// What the page says is wrong with a set that was split with `parameters` and trained with `flags`.
fn flaws_of(set: &Synthetic, parameters: &serde_json::Value, flags: &str) -> (String, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let workspace = set.write(dir.path());
    let provenance = data::provenance::Provenance::new("splitter", parameters).unwrap();
    provenance.write(&dir.path().join("split/provenance.json")).unwrap();
    workspace.fit(&format!("--epochs 2 {flags}")).unwrap();
    workspace.evaluate("").unwrap();
    workspace.report("").unwrap();
    let page = page(&workspace);
    let section =
        page.split("<section id=\"flaws\">").nth(1).unwrap_or("").split("</section>").next().unwrap();
    let first_cell = |row: &str| row.split("</th>").next().unwrap().to_owned();
    let rows = section.split("<th scope=\"row\">").skip(1).map(first_cell).collect();
    (page, rows)
}

#[test]
fn each_flaw_is_named_where_the_artefacts_show_it_and_nowhere_else() {
    use data::manifest::Split;
    let shuffled = serde_json::json!({"ratio": [0.7, 0.15, 0.15]});
    let unshuffled = serde_json::json!({"ratio": [0.7, 0.0, 0.3], "unshuffled": true});
    let good = Synthetic { image_size: 224, ..Synthetic::small() };
    let all = Split::ALL.to_vec();
    let preset = Synthetic { preset: "tindogr-2018", ..good.clone() };
    let no_valid = Synthetic { per_class: [20, 0, 7], ..good.clone() };
    let small = Synthetic { image_size: 64, ..good.clone() };
    let train_replaced = Synthetic { replaced: vec![Split::Train], ..good.clone() };
    let all_replaced = Synthetic { replaced: all.clone(), ..good.clone() };
    let cases: [(&Synthetic, _, &str, &[&str]); 8] = [
        (&good, &shuffled, "", &[]),
        (&preset, &shuffled, "", &["Pixel values are only divided", "Pictures are resized to a square"]),
        (&small, &shuffled, "", &["The image size is 64 pixels"]),
        (&good, &unshuffled, "", &["The pictures were split in the order"]),
        (
            &no_valid,
            &shuffled,
            "--keep last",
            &["There are no valid", "The head is that of the last epoch, 2"],
        ),
        (&good, &shuffled, "--keep last", &["The head is that of the last epoch, 2"]),
        (&train_replaced, &shuffled, "", &["Every train picture was replaced"]),
        (
            &all_replaced,
            &shuffled,
            "",
            &["The valid and test pictures are augmented", "Every train picture was"],
        ),
    ];
    for (set, parameters, flags, expected) in cases {
        let (_, found) = flaws_of(set, parameters, flags);
        let named =
            found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.starts_with(e));
        assert!(named, "{expected:?}: {found:?}");
    }
    let posts = Synthetic { image_size: 64, per_class: [20, 0, 7], replaced: all, ..preset };
    let (page, found) = flaws_of(&posts, &unshuffled, "--keep last --patience 0");
    assert_eq!(found.len(), 8, "{found:?}");
    assert!(
        page.contains("The test pictures are augmented")
            && page.contains("it dropped the last, smaller batch")
    );
}

#[test]
fn imagenets_classifier_is_compared_with_the_trained_head() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = for_imagenet().write(dir.path());
    workspace.fit("--epochs 1").unwrap();
    workspace.evaluate("").unwrap();
    workspace.report("").unwrap();
    assert!(!page(&workspace).contains("ImageNet's own classifier"));
    let file = dir.path().join("full.safetensors");
    write_constant_imagenet_head(&file, &[0.0; 1000]);
    workspace.evaluate(&format!("--imagenet {}", file.display())).unwrap();
    workspace.report("").unwrap();
    let page = page(&workspace);
    // Of equals the first: all are called beagle, and half of them are.
    for expected in [
        "id=\"baseline\"",
        "vgg16 was published with",
        "2 of them are",
        "the same 8 test pictures",
        "<td class=\"number\">50.0\u{a0}%</td>",
        "4 pictures of classes",
        "(not_a_dog)",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

/// Epochs that differ by less than the history's six digits: which one was kept is decided once, by fit.
#[test]
fn classes_that_are_easily_told_apart_have_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let set = Synthetic { noise: 0.05, ..Synthetic::small() };
    let workspace = set.write_with_pictures(dir.path());
    workspace.fit("--epochs 400 --patience 0 --hidden none --learning-rate 2").unwrap();
    let history = crate::history::read(&workspace.model().join(crate::history::FILE_NAME)).unwrap();
    let head = data::head::Head::read(&workspace.model().join(data::head::FILE_NAME)).unwrap();
    let kept = head.info.training.unwrap().kept_epoch;
    assert_ne!(crate::history::best_epoch(&history), Some(kept), "the test shows nothing: no tie");
    workspace.evaluate("").unwrap();
    workspace.report("").unwrap();
    assert!(!page(&workspace).contains("ReLU"), "a linear head has none");
}

#[test]
fn rejected_pictures_are_named_and_shown_where_they_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = evaluated(dir.path());
    let manifest = data::manifest::Manifest::read(&workspace.manifest()).unwrap();
    let readable = manifest.resolve(&manifest.rows[0]).display().to_string();
    let reject =
        |path: &str, reason, detail: &str| (path.to_owned(), data::photo::Reject::new(reason, detail));
    let rejects = [
        reject(&readable, data::photo::Reason::Duplicate, "same as another"),
        reject("my/<broken>.jpg", data::photo::Reason::Truncated, "ends after 7 bytes"),
    ];
    let split_dir = workspace.manifest().parent().unwrap().to_owned();
    let table = split_dir.join(data::rejects::FILE_NAME);
    data::rejects::write(&table, &rejects).unwrap();
    workspace.report(&format!("--split-dir {}", split_dir.display())).unwrap();
    let page = page(&workspace);
    let section = &page[page.find("Rejected pictures").unwrap()..];
    assert!(page.contains("duplicate 1, truncated 1"), "no counts");
    for expected in ["my/&lt;broken&gt;.jpg", "ends after 7 bytes", "same as another", &readable] {
        assert!(section.contains(expected), "{expected}");
    }
    assert_eq!(section.matches("<img src=\"data:image/jpeg;base64,").count(), 1);
    data::rejects::write(&table, &[]).unwrap();
    workspace.report(&format!("--split-dir {}", split_dir.display())).unwrap();
    assert!(!self::page(&workspace).contains("Rejected pictures"), "nothing is left out now");
}
