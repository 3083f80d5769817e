//! Tests of a stage that copies its inputs, after every kind of change.

use std::fs::{self, File, FileTimes};
use std::time::SystemTime;

use clap::Parser;
use serde_json::json;

use super::*;

/// A stage that copies `work/in/*` to `work/out/*.copy`.
struct Work(tempfile::TempDir);

#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    rerun: RerunArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[expect(clippy::disallowed_methods, reason = "a user's files, not a stage's")]
fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Work {
    fn new() -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        ["a", "b", "c"].iter().for_each(|name| put(&work.input(name), name));
        put(&work.input("list"), "a b c");
        work
    }

    fn input(&self, name: &str) -> PathBuf {
        self.0.path().join("in").join(name)
    }

    fn out(&self, name: &str) -> PathBuf {
        self.0.path().join("out").join(name)
    }

    fn names(&self) -> Vec<String> {
        let list = fs::read_to_string(self.input("list")).unwrap_or_default();
        list.split_whitespace().map(str::to_owned).collect()
    }

    /// Runs the stage with `flags` and the parameter `seed`. Returns whether it was not current.
    fn run(&self, seed: u32, flags: &[&str]) -> anyhow::Result<bool> {
        let args = Args::parse_from(["copier", "--quiet"].iter().chain(flags));
        let place = Place::new(&self.out(""), "provenance.json", "copier");
        let job = place.start(&args.rerun, &args.common, || {
            let asked = Inputs::new(&json!({ "seed": seed }))?.file("the list", &self.input("list"));
            Ok(asked
                .files("pictures", self.names().into_iter().map(|name| (name.clone(), self.input(&name)))))
        })?;
        let Some(mut job) = job else { return Ok(false) };
        let _locks = job.lock()?;
        let made = || self.names().into_iter().map(|name| format!("deep/{name}.copy"));
        job.declare(made())?;
        for name in self.names() {
            let text = fs::read(self.input(&name))?;
            commit::write_bytes(&self.out(&format!("deep/{name}.copy")), &text)?;
        }
        job.finish(made())?;
        Ok(true)
    }

    /// Returns the reasons that `--check` prints; none if the outputs are current.
    fn reasons(&self, seed: u32) -> Vec<String> {
        let place = Place::new(&self.out(""), "provenance.json", "copier");
        let mut digests = Digests::open(&place.digests_path());
        let files: Vec<_> = self.names().into_iter().map(|name| (name.clone(), self.input(&name))).collect();
        let inputs = BTreeMap::from([
            ("the list", digests.of_input("the list", &Input::File(self.input("list"))).unwrap()),
            ("pictures", digests.of_input("pictures", &Input::Files(files)).unwrap()),
        ]);
        let parameters = json!({ "seed": seed });
        let reasons = reasons::why(&place, &place.recorded(), &parameters, &inputs, &mut digests).unwrap();
        let checked = self.run(seed, &["--check"]);
        assert_eq!(checked.is_ok(), reasons.is_empty(), "{reasons:?}");
        reasons
    }
}

/// Returns the modification time of every file below `dir`.
fn times(dir: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            found.insert(entry.path(), entry.metadata().unwrap().modified().unwrap());
            pending.extend(entry.path().is_dir().then(|| entry.path()));
        }
    }
    found
}

#[test]
fn a_current_stage_touches_nothing() {
    let work = Work::new();
    assert!(work.run(1, &[]).unwrap());
    let before = times(work.0.path());
    assert!(!work.run(1, &[]).unwrap());
    assert!(work.reasons(1).is_empty());
    assert_eq!(times(work.0.path()), before);
    assert!(work.run(1, &["--force"]).unwrap());
}

#[test]
fn every_change_of_parameters_and_inputs_is_named() {
    let work = Work::new();
    assert_eq!(work.reasons(1), ["not made yet"]);
    work.run(1, &[]).unwrap();
    assert_eq!(work.reasons(2), ["seed was 1, is 2"]);
    put(&work.input("b"), "B");
    assert_eq!(work.reasons(1), ["pictures: 1 changed (b)"]);
    put(&work.input("list"), "a c d");
    put(&work.input("d"), "d");
    assert_eq!(work.reasons(1), ["pictures: 1 added (d), 1 removed (b)", "the list changed"]);
    fs::remove_file(work.input("c")).unwrap();
    assert_eq!(work.reasons(1)[0], "pictures: 1 added (d), 1 removed (b), 1 changed (c)");
    fs::remove_file(work.input("list")).unwrap();
    assert_eq!(work.reasons(1)[1], "the list: no such file");
}

#[test]
fn touching_a_file_or_moving_it_away_and_back_is_not_a_change() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    let file = File::options().write(true).open(work.input("a")).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
    put(&work.input("b"), "b");
    put(&work.input(".DS_Store"), "x");
    assert!(work.reasons(1).is_empty());
}

/// The case of `cp -p`, or of an archive that is unpacked over the file.
#[test]
fn a_change_that_keeps_size_and_time_is_seen() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    let modified = fs::metadata(work.input("b")).unwrap().modified().unwrap();
    put(&work.input("b"), "B");
    let file = File::options().write(true).open(work.input("b")).unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    assert_eq!(work.reasons(1), ["pictures: 1 changed (b)"]);
}

/// Git's racy entries: a digest is taken and the file is changed again within one tick of the clock.
#[test]
fn a_change_right_after_the_digest_is_seen() {
    let work = Work::new();
    for round in 0..20 {
        put(&work.input("b"), &format!("{round:02}"));
        work.run(1, &[]).unwrap();
        put(&work.input("b"), &format!("{round:02}").replace(|c: char| c.is_ascii_digit(), "x"));
        assert_eq!(work.reasons(1), ["pictures: 1 changed (b)"], "round {round}");
    }
}

#[test]
fn an_output_that_is_edited_cut_or_missing_is_made_again() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    let output = work.out("deep/b.copy");
    for (damage, expected) in [
        (
            Box::new(|path: &Path| put(path, "mine")) as Box<dyn Fn(&Path)>,
            "deep/b.copy is not what this stage made",
        ),
        (
            Box::new(|path: &Path| File::options().write(true).open(path).unwrap().set_len(0).unwrap()),
            "deep/b.copy is not",
        ),
        (Box::new(|path: &Path| fs::remove_file(path).unwrap()), "deep/b.copy is missing"),
    ] {
        damage(&output);
        let reasons = work.reasons(1);
        assert!(reasons.len() == 1 && reasons[0].starts_with(expected), "{reasons:?}");
        assert!(work.run(1, &[]).unwrap());
        assert_eq!(fs::read_to_string(&output).unwrap(), "b");
    }
    // A person's work is kept, and so is the second.
    assert_eq!(fs::read_to_string(work.out("deep/b.copy.edited")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(work.out("deep/b.copy.edited-2")).unwrap(), "");
    put(&output, "mine");
    work.run(1, &["--force"]).unwrap();
    assert!(!work.out("deep/b.copy.edited-3").exists());
}

#[test]
fn a_file_that_the_stage_did_not_make_is_replaced_with_force_only() {
    let work = Work::new();
    put(&work.out("deep/b.copy"), "mine");
    let refused = work.run(1, &[]).unwrap_err().to_string();
    assert!(refused.contains("deep/b.copy exists") && refused.contains("--force"), "{refused}");
    assert_eq!(fs::read_to_string(work.out("deep/b.copy")).unwrap(), "mine");
    work.run(1, &["--force"]).unwrap();
    assert_eq!(fs::read_to_string(work.out("deep/b.copy")).unwrap(), "b");
    // The same beside a record, for a name that it does not list.
    put(&work.input("list"), "a b c d");
    put(&work.input("d"), "d");
    put(&work.out("deep/d.copy"), "mine");
    assert!(work.run(1, &[]).unwrap_err().to_string().contains("deep/d.copy exists"));
    fs::remove_file(work.out("deep/d.copy")).unwrap();
    fs::create_dir(work.out("deep/d.copy")).unwrap();
    for flags in [&[][..], &["--force"]] {
        let refused = work.run(1, flags).unwrap_err().to_string();
        assert!(refused.contains("deep/d.copy is a folder") && !refused.contains("--force"), "{refused}");
    }
}

#[test]
fn the_outputs_of_another_stage_are_neither_replaced_nor_removed() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    let place = Place::new(&work.out(""), "provenance.json", "another");
    for flag in ["--force", "--clean", "--check"] {
        let args = Args::parse_from(["another", "--quiet", flag]);
        let refused = place.start(&args.rerun, &args.common, || Inputs::new(&json!({}))).unwrap_err();
        assert!(refused.to_string().contains("has the outputs of the copier"), "{refused}");
    }
    assert!(work.reasons(1).is_empty());
}

#[test]
fn clean_removes_what_a_record_of_another_version_lists_and_keeps_an_unreadable_one() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    let record = fs::read_to_string(work.out("provenance.json")).unwrap();
    for damaged in ["{", r#"{"format_version":1,"stage":"copier"}"#] {
        put(&work.out("provenance.json"), damaged);
        let refused = format!("{:#}", work.run(1, &["--clean"]).unwrap_err());
        assert!(
            refused.contains("nothing is removed") && refused.contains("provenance.json is not"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(work.out("provenance.json")).unwrap(), damaged);
        assert!(work.out("deep/a.copy").exists());
    }
    let other_version = record.replace("\"format_version\":", "\"format_version\":1000");
    put(&work.out("provenance.json"), &other_version.replace("\"inputs\"", "\"sources\""));
    work.run(1, &["--clean"]).unwrap();
    assert!(!work.out("").exists());
}

#[test]
fn the_record_of_an_unfinished_run_is_not_removed_as_an_old_output() {
    let work = Work::new();
    let place = Place::new(&work.out(""), "provenance.json", "copier");
    let args = Args::parse_from(["copier", "--quiet"]);
    let job = || place.start(&args.rerun, &args.common, || Inputs::new(&json!({}))).unwrap().unwrap();
    job().declare(["deep/a.copy".to_owned()]).unwrap();
    put(&work.out("deep/a.copy"), "a");
    let mut again = job();
    let _locks = again.lock().unwrap();
    again.declare(["deep/a.copy".to_owned()]).unwrap();
    assert_eq!(again.finish(["deep/a.copy".to_owned()]).unwrap(), 0, "no old file was removed");
}

/// The record is read again under the lock.
#[test]
fn a_run_knows_the_files_of_one_that_ended_after_it_started() {
    let work = Work::new();
    let place = Place::new(&work.out(""), "provenance.json", "copier");
    let args = Args::parse_from(["copier", "--quiet"]);
    let mut waiting = place.start(&args.rerun, &args.common, || Inputs::new(&json!({}))).unwrap().unwrap();
    work.run(1, &[]).unwrap();
    let _locks = waiting.lock().unwrap();
    waiting.declare(["deep/a.copy".to_owned()]).unwrap();
    // The record names the files of both.
    assert_eq!(waiting.finish(["deep/a.copy".to_owned()]).unwrap(), 2);
    assert!(!work.out("deep/b.copy").exists());
}

#[test]
fn check_names_a_run_that_is_running() {
    let work = Work::new();
    let place = Place::new(&work.out(""), "provenance.json", "copier");
    let args = Args::parse_from(["copier", "--quiet"]);
    let mut job = place.start(&args.rerun, &args.common, || Inputs::new(&json!({}))).unwrap().unwrap();
    let locks = job.lock().unwrap();
    job.declare(["deep/a.copy".to_owned()]).unwrap();
    let expected = format!("copier (pid {}) is running", std::process::id());
    assert_eq!(work.reasons(1), [expected]);
    drop(locks);
    assert_eq!(work.reasons(1), ["an earlier run did not end"]);
}

/// As after a disk that was full from the beginning.
#[test]
fn clean_removes_a_lock_without_a_record() {
    let work = Work::new();
    drop(commit::lock(&work.out(""), "copier").unwrap());
    work.run(1, &["--clean"]).unwrap();
    assert!(!work.out("").exists());
}

#[test]
fn an_unfinished_run_is_not_current_and_its_files_are_known() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    let place = Place::new(&work.out(""), "provenance.json", "copier");
    let args = Args::parse_from(["copier", "--quiet", "--force"]);
    let job = place.start(&args.rerun, &args.common, || Inputs::new(&json!({}))).unwrap();
    job.unwrap().declare(["deep/new.copy".to_owned()]).unwrap();
    put(&work.out("deep/new.copy"), "half of a run");
    assert_eq!(work.reasons(1), ["an earlier run did not end"]);
    work.run(1, &["--clean"]).unwrap();
    assert!(!work.out("").exists(), "{:?}", times(&work.out("")));
}

#[test]
fn old_outputs_are_removed_and_files_of_the_user_stay() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    put(&work.out("deep/mine.copy"), "mine");
    put(&work.input("list"), "a");
    work.run(1, &[]).unwrap();
    assert!(!work.out("deep/b.copy").exists() && work.out("deep/mine.copy").exists());
    put(&work.out("deep/a.copy"), "edited");
    work.run(1, &["--clean"]).unwrap();
    let left: Vec<_> = times(&work.out("")).into_keys().collect();
    assert_eq!(left, [work.out("deep"), work.out("deep/a.copy"), work.out("deep/mine.copy")]);
    assert_eq!(work.reasons(1), ["not made yet"]);
}

/// A record may come with a folder from somebody else, and lists the files that `--clean` removes.
#[test]
fn a_record_that_lists_files_elsewhere_removes_none_of_them() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    let path = work.out("provenance.json");
    let mut record = Provenance::read(&path).unwrap().unwrap();
    let absolute = work.input("b").display().to_string();
    for name in ["../in/a", "deep/../../in/c", &absolute] {
        record.outputs.insert(name.to_owned(), None);
    }
    record.write(&path).unwrap();
    work.run(1, &[]).unwrap();
    record.write(&path).unwrap();
    work.run(1, &["--clean"]).unwrap();
    assert!(["a", "b", "c"].iter().all(|name| work.input(name).exists()));
    assert!(!work.out("deep/a.copy").exists());
}

#[test]
fn an_unreadable_record_is_a_reason_to_run_but_not_to_replace_files() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    let job_after = |record: &str| {
        put(&work.out("provenance.json"), record);
        let place = Place::new(&work.out(""), "provenance.json", "copier");
        let args = Args::parse_from(["copier", "--quiet"]);
        place.start(&args.rerun, &args.common, || Inputs::new(&json!({}))).unwrap().unwrap()
    };
    for (record, because) in
        [("not json", "is not JSON"), (r#"{"format_version":1}"#, "(format 1, this program reads")]
    {
        let refused = job_after(record).declare(["x".to_owned()]).unwrap_err().to_string();
        assert!(refused.contains("provenance.json is not") && refused.contains("--force"), "{refused}");
        assert!(work.reasons(1)[0].contains(because));
    }
}

#[test]
fn without_the_cache_all_files_are_read_again_and_the_stage_is_current() {
    let work = Work::new();
    work.run(1, &[]).unwrap();
    fs::remove_file(work.out(".provenance.digests")).unwrap();
    assert!(work.reasons(1).is_empty());
    put(&work.out(".provenance.digests"), "name,content\n\u{0}");
    assert!(work.reasons(1).is_empty());
    put(&work.input("b"), "B");
    assert_eq!(work.reasons(1), ["pictures changed"]);
}
