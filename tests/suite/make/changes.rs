//! Whatever is changed, what make status said is what make does.

use std::path::Path;

use super::*;

/// A change, the arguments of make after it, and the first stage that it makes stale.
type Change = (fn(&Work), &'static str, &'static str);

fn changes() -> [Change; 23] {
    const NOTHING: fn(&Work) = |_| {};
    [
        (NOTHING, "SEED=7", "sample"),
        (NOTHING, "RATIO=0.6,0.2,0.2", "split"),
        (NOTHING, "TREE=symlink", "split"),
        (NOTHING, "COPIES=1", "augment"),
        (NOTHING, "AUGMENT_FLAGS=--format png --output-size 40", "augment"),
        (NOTHING, "POOL=avg", "features"),
        (NOTHING, "STANDARDIZE=no", "train"),
        (NOTHING, "DROPOUT=0.5", "train"),
        (NOTHING, "EVALUATE_FLAGS=--split test", "evaluate"),
        (NOTHING, "MY_DOG=pug", "match"),
        (NOTHING, "MATCH_FLAGS=--max-age 40", "match"),
        (
            |work| {
                data::commit::write_bytes(
                    &work.path("W/raw/not_a_dog/mine.jpg"),
                    &std::fs::read(first_in(&work.path("W/raw/not_a_dog"))).unwrap(),
                )
                .unwrap()
            },
            "",
            "split",
        ),
        (|work| std::fs::remove_file(work.path("W/raw/not_a_dog/mine.jpg")).unwrap(), "", "split"),
        (|work| overwrite(&first_in(&work.path("W/profiles/photos")), lengthen), "", "sample"),
        (
            |work| {
                overwrite(&work.path("W/profiles/profiles.csv"), |mut text| {
                    text.extend(b"me,Me,30,male,48,8,\n");
                    text
                })
            },
            "",
            "sample",
        ),
        (|work| std::fs::remove_file(work.path("W/split/rejects.csv")).unwrap(), "", "split"),
        (
            |work| overwrite(&first_in(&first_in(&work.path("W/augmented/images"))), |_| b"x".to_vec()),
            "",
            "augment",
        ),
        (|work| std::fs::remove_file(work.path("W/weights/vgg16.safetensors")).unwrap(), "", "weights"),
        (
            |work| std::fs::remove_file(work.path("W/features/test-00000.safetensors")).unwrap(),
            "",
            "features",
        ),
        (
            |work| {
                overwrite(&work.path("W/model/head.safetensors"), |mut head| {
                    head.truncate(100);
                    head
                })
            },
            "",
            "train",
        ),
        (|work| std::fs::remove_file(work.path("W/model/metrics.json")).unwrap(), "", "evaluate"),
        (|work| overwrite(&work.path("W/model/report.html"), |_| b"edited".to_vec()), "", "report"),
        (|work| std::fs::remove_file(work.path("W/matches/decisions.csv")).unwrap(), "", "match"),
    ]
}

pub(super) fn overwrite(path: &Path, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let changed = change(std::fs::read(path).unwrap());
    data::commit::write_bytes(path, &changed).unwrap();
}

/// Appends bytes after the end of a JPEG, which change the file but not the picture.
fn lengthen(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(b"another file");
    bytes
}

pub(super) fn first_in(dir: &Path) -> std::path::PathBuf {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.into_iter().find(|path| !path.file_name().unwrap().as_encoded_bytes().starts_with(b".")).unwrap()
}

/// Whatever is changed, and whichever target is asked for: what `make status` said is what make does, and then
/// everything is up to date.
#[test]
fn status_and_make_agree_about_every_change() {
    let work = Work::new();
    work.make_ok(&["all"]);
    for (change, args, first) in changes() {
        change(&work);
        let args: Vec<&str> = [args].into_iter().filter(|args| !args.is_empty()).collect();
        for target in ["split", "augment", "features", "train", "evaluate", "report", "match", "all"] {
            let said = status(&work, &args);
            let ran = run_by(&work, target, &args);
            // The status of the stages up to the first stale one is certain.
            for (stage, _) in STAGES.iter().take_while(|(stage, _)| *stage != first) {
                assert!(
                    said[*stage].ends_with("up to date\n"),
                    "{args:?} {target}: {stage}: {}",
                    said[*stage]
                );
                assert!(!ran.contains(stage), "{args:?} make {target} ran {stage}, but {}", said[*stage]);
            }
            for (stage, said) in &said {
                let sure = !said.contains("before it");
                let is_asked = target == "all" || *stage == *target;
                if sure && said.contains("up to date") {
                    assert!(!ran.contains(&stage.as_str()), "{args:?} make {target} ran {stage}: {said}");
                } else if sure && is_asked {
                    assert!(
                        ran.contains(&stage.as_str()),
                        "{args:?} make {target} did not run {stage}: {said}"
                    );
                }
            }
            if target == "all" {
                let rest = status(&work, &args);
                assert!(rest.values().all(|said| said.ends_with("up to date\n")), "{args:?}: {rest:?}");
            }
        }
    }
}

#[test]
fn a_new_picture_costs_one_pass_through_the_network() {
    let work = Work::new();
    let first = work.make_ok(&["features", "COPIES=0"]).stdout;
    assert!(first.contains("computed 72 ") && first.contains("reused 0,"), "{first}");
    let class = work.path("W/raw/not_a_dog");
    let picture = std::fs::read_dir(&class).unwrap().next().unwrap().unwrap().path();
    // Bytes after the end of a JPEG change the file but not the picture.
    let mut bytes = std::fs::read(&picture).unwrap();
    bytes.extend(b"another file");
    data::commit::write_bytes(&class.join("not_a_dog_99999.jpg"), &bytes).unwrap();
    let second = work.make_ok(&["features", "COPIES=0"]).stdout;
    assert!(second.contains("computed 1 ") && second.contains("reused 72,"), "{second}");
}
