use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use image::{ImageFormat, RgbaImage};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::harness::{Ran, Work};
use list_files::mat;

// The only writer of MATLAB files.
#[path = "../../data/stanford-dogs/src/mat/files.rs"]
mod list_files;

/// Number of pictures of each class in the official lists.
const N_TRAIN: usize = 20;
const N_TEST: usize = 6;
/// Bytes of images.tar in the first answer, before the server stops sending.
const N_FIRST: usize = 100_000;

/// The three archives with the authors' layout, in a folder that a server serves.
struct Miniature {
    work: Work,
    server: Server,
    /// Class folders with the dogs of the sample.
    classes: Vec<String>,
    /// Number of pictures in images.tar.
    n_pictures: usize,
}

impl Miniature {
    /// Makes archives with the defects of the real data set, see [`plant_defects`].
    fn new() -> Self {
        let work = Work::new();
        let per_class = (N_TRAIN + N_TEST).to_string();
        work.ok("sample", &["--out", "painted", "--per-class", &per_class, "--size", "48"]);
        let mut pictures: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut classes: Vec<String> =
            names(&work.path("painted")).into_iter().filter(|class| class.starts_with("n0")).collect();
        classes.truncate(4);
        for class in &classes {
            for (i, name) in names(&work.path("painted").join(class)).iter().enumerate() {
                let bytes = fs::read(work.path("painted").join(class).join(name)).unwrap();
                pictures.insert(picture(class, i), bytes);
            }
        }
        plant_defects(&classes, &mut pictures);

        let listed = |range: std::ops::Range<usize>| -> Vec<String> {
            classes.iter().flat_map(|class| range.clone().map(|i| picture(class, i))).collect()
        };
        let mut train = listed(0..N_TRAIN);
        train.push(picture(&classes[1], 9999)); // is in no archive
        let test = listed(N_TRAIN..N_TRAIN + N_TEST);
        let all = [train.clone(), test.clone()].concat();
        let list = |entries: &[String]| mat(&entries.iter().map(String::as_str).collect::<Vec<_>>());
        let lists = [("file_list", all), ("train_list", train), ("test_list", test)];
        let lists = lists.map(|(name, entries)| (format!("{name}.mat"), list(&entries)));
        let annotations = pictures.iter().map(|(path, bytes)| {
            // The second of the duplicates has another box; the PNG's annotation is of another picture.
            let right = if path.ends_with("_0001.jpg") { 20 } else { 999 };
            let is_png = bytes.starts_with(b"\x89PNG");
            let size = data::photo::dimensions(bytes, &data::photo::Limits::STANDARD).unwrap();
            let (width, height) = if is_png { (9, 99) } else { size };
            let annotation = format!(
                "<annotation><size><width>{width}</width><height>{height}</height></size><object><bndbox><xmin>11</xmin>\
                 <ymin>0</ymin><xmax>{right}</xmax><ymax>30</ymax></bndbox></object></annotation>"
            )
            .into_bytes();
            (format!("Annotation/{}", path.trim_end_matches(".jpg")), annotation)
        });
        let images = pictures.iter().map(|(path, bytes)| (format!("Images/{path}"), bytes.clone()));
        let served = work.path("served");
        data::commit::write_bytes(&served.join("lists.tar"), &tar(lists)).unwrap();
        data::commit::write_bytes(&served.join("annotation.tar"), &tar(annotations)).unwrap();
        data::commit::write_bytes(&served.join("images.tar"), &tar(images)).unwrap();
        Self { server: Server::new(served), work, classes, n_pictures: pictures.len() }
    }

    /// Returns the command `make split` with `work` as the run.
    fn make(&self, work: &Work) -> Command {
        let mirror = format!("MIRROR={}", self.server.address);
        let mut command = work.make_command(&["split", "DATASET=stanford-dogs", &mirror]);
        command.env("MINIATURE_OF_STANFORD_DOGS", self.work.path("served"));
        command
    }

    fn make_ok(&self, work: &Work) {
        let ran = Ran::of(self.make(work).output().unwrap());
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    }
}

/// Returns a `class/picture` of the lists.
fn picture(class: &str, i: usize) -> String {
    let synset = class.split('-').next().unwrap();
    format!("{class}/{synset}_{i:04}.jpg")
}

/// Adds the defects of the real data set: identical pictures with different names, within train, within test, and
/// across both, in one class and in two; and one PNG with the extension .jpg.
fn plant_defects(classes: &[String], pictures: &mut BTreeMap<String, Vec<u8>>) {
    let [a, b] = [&classes[0], &classes[1]];
    let test = |i: usize| N_TRAIN + i;
    for (copy, of) in [
        (picture(a, 1), picture(a, 0)),
        (picture(a, test(1)), picture(a, test(0))),
        (picture(a, 2), picture(a, test(2))),
        (picture(b, 3), picture(a, test(3))),
    ] {
        let bytes = pictures[&of].clone();
        pictures.insert(copy, bytes);
    }
    let mut png = std::io::Cursor::new(Vec::new());
    RgbaImage::from_fn(53, 47, |x, y| image::Rgba([x as u8, y as u8, 90, 255]))
        .write_to(&mut png, ImageFormat::Png)
        .unwrap();
    pictures.insert(picture(b, 4), png.into_inner());
}

fn tar(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

/// A server of the files of a folder; in the first answer for images.tar it stops sending.
struct Server {
    address: String,
    /// The requests: name and first byte.
    asked: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Server {
    fn new(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            let mut silent = Vec::new();
            for connection in listener.incoming() {
                silent.extend(serve(connection.unwrap(), &folder, &log));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<(String, usize)> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers one request. Returns the connection if it must stay open.
fn serve(mut connection: TcpStream, folder: &Path, log: &Mutex<Vec<(String, usize)>>) -> Option<TcpStream> {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
    let name = lines.next()?.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let start = lines
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned))
        .map(|range| range.trim_end_matches('-').parse::<usize>().unwrap());
    let is_first = {
        let mut log = log.lock().unwrap();
        log.push((name.clone(), start.unwrap_or(0)));
        log.iter().filter(|(asked, _)| *asked == name).count() == 1
    };
    let file = fs::read(folder.join(&name)).unwrap();
    let body = &file[start.unwrap_or(0)..];
    let (status, range) = match start {
        None => (200, String::new()),
        Some(start) => (206, format!("content-range: bytes {start}-{}/{}\r\n", file.len() - 1, file.len())),
    };
    let head =
        format!("HTTP/1.1 {status} x\r\netag: \"one\"\r\n{range}content-length: {}\r\n\r\n", body.len());
    let falls_silent = is_first && name == "images.tar";
    let sent = if falls_silent { &body[..N_FIRST] } else { body };
    connection.write_all(head.as_bytes()).ok()?;
    connection.write_all(sent).ok()?;
    falls_silent.then_some(connection)
}

/// Starts `command`, kills it and its child processes when `is_time` is true, and waits until they have ended.
fn kill_when(mut command: Command, work: &Work, mut is_time: impl FnMut() -> bool) {
    let mut make: Child =
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !is_time() && make.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never got there");
        thread::sleep(Duration::from_micros(200));
    }
    let _ = kill_process_group(Pid::from_child(&make), Signal::KILL);
    make.wait().unwrap();
    // The kernel releases a lock when its process has ended; this one was taken last.
    File::open(work.path("W/raw/.tindogr.lock")).unwrap().lock().unwrap();
}

fn n_unpacked(work: &Work) -> usize {
    let raw = work.path("W/raw");
    names(&raw).iter().map(|class| names(&raw.join(class)).len()).sum()
}

#[test]
fn killed_while_it_downloads_and_while_it_unpacks_make_ends_in_the_same_files() {
    let miniature = Miniature::new();
    let killed = Work::new();
    let part = killed.path("W/download/images.tar.part");
    kill_when(miniature.make(&killed), &killed, || {
        fs::metadata(&part).is_ok_and(|part| part.len() == N_FIRST as u64)
    });
    assert_eq!(n_unpacked(&killed), 0);

    // After the tenth picture, the last one may have been written before the signal.
    let target = killed.path("W/raw/.stanford-dogs.json");
    for _ in 0..10 {
        kill_when(miniature.make(&killed), &killed, || n_unpacked(&killed) >= 10);
        if n_unpacked(&killed) < miniature.n_pictures {
            break;
        }
        fs::remove_dir_all(killed.path("W/raw")).unwrap();
    }
    assert!(n_unpacked(&killed) >= 10 && n_unpacked(&killed) < miniature.n_pictures);
    let record = fs::read_to_string(&target).unwrap();
    assert!(
        record.contains("null") && !killed.path("W/split/manifest.csv").exists(),
        "a run that did not end"
    );
    let first = killed.path("W/raw").join(picture(&miniature.classes[0], 0));
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let written = modified(&first);

    miniature.make_ok(&killed);
    assert_eq!(modified(&first), written, "existing files are not written again");
    let of_images: Vec<usize> =
        miniature.server.asked().iter().filter(|(name, _)| name == "images.tar").map(|a| a.1).collect();
    assert_eq!(of_images, [0, N_FIRST], "received bytes are not requested again");

    let n_asked = miniature.server.asked().len();
    let made = [target.clone(), killed.path("W/split/manifest.csv")].map(|path| modified(&path));
    miniature.make_ok(&killed);
    assert_eq!(made, [target, killed.path("W/split/manifest.csv")].map(|path| modified(&path)));
    assert_eq!(miniature.server.asked().len(), n_asked, "the second make asks for nothing");

    let golden = Work::new();
    miniature.make_ok(&golden);
    for below in ["W/download", "W/raw", "W/annotations", "W/lists", "W/split"] {
        // The paths of rejects have the folder as make wrote it, which differs for each run; and the record of the
        // split has the digest of the rejects.
        let artefacts = |work: &Work| {
            let mut tree = work.tree(below);
            tree.retain(|path, _| {
                !path.ends_with("split/rejects.csv") && !path.ends_with("split/provenance.json")
            });
            tree
        };
        let tree = artefacts(&golden);
        assert!(!tree.is_empty() && tree == artefacts(&killed), "{below}");
    }
    let inventory = |work: &Work| fs::read(work.path("W/raw/.stanford-dogs.json")).unwrap();
    assert_eq!(inventory(&golden), inventory(&killed));
}

/// Returns a map from the column `first` to the column `second`.
fn table(path: &Path, first: &str, second: &str) -> BTreeMap<String, String> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (first, second) = (at(first), at(second));
    reader.records().map(|row| row.unwrap()).map(|row| (row[first].into(), row[second].into())).collect()
}

#[test]
fn the_official_split_handles_each_defect() {
    let (miniature, work) = (Miniature::new(), Work::new());
    data::commit::write_link(&work.path("W/download"), &miniature.work.path("served")).unwrap();
    miniature.make_ok(&work);
    assert!(miniature.server.asked().is_empty(), "existing archives need no network");

    let [a, b, c, d] = &miniature.classes[..] else { panic!("four classes") };
    let splits = table(&work.path("W/split/manifest.csv"), "path", "split");
    let split = |class: &str, i: usize| splits.get(&format!("../raw/{}", picture(class, i))).cloned();
    let count = |class: &str, wanted: &str| {
        splits.iter().filter(|(path, split)| path.contains(class) && *split == wanted).count()
    };
    let counts = |class: &str| ["train", "valid", "test"].map(|split| count(class, split));
    // 0.1 of train is valid, after train copies of test pictures are dropped.
    assert_eq!([a, b, c, d].map(|class| counts(class)), [[17, 2, 6], [17, 2, 6], [18, 2, 6], [18, 2, 6]]);
    for class in [a, b, c, d] {
        assert!((N_TRAIN..N_TRAIN + N_TEST).all(|i| split(class, i).as_deref() == Some("test")));
    }
    assert_eq!(split(a, 0), split(a, 1), "duplicates in train stay together, in train or in valid");
    assert_eq!([split(a, 2), split(b, 3)], [None, None], "no copy of a test picture is in train");
    assert!(split(b, 4).is_some(), "a PNG with the extension .jpg is a picture");

    let rejects = table(&work.path("W/split/rejects.csv"), "path", "detail");
    // With the folder as make wrote it.
    let shown = |class: &str, i: usize| work.path("W/raw").join(picture(class, i)).display().to_string();
    let detail = |class: &str, i: usize| rejects[&shown(class, i)].clone();
    assert_eq!(rejects.len(), 3, "{rejects:?}");
    let same = |i: usize| format!("same as {}, of the test list", shown(a, N_TRAIN + i));
    assert_eq!([detail(a, 2), detail(b, 3)], [same(2), same(3)]);
    assert_eq!(detail(b, 9999), "in the train list, but there is no such file");
    let shas = table(&work.path("W/split/manifest.csv"), "sha256", "split");
    let by_split = |wanted: &str| splits.values().filter(|split| *split == wanted).count();
    assert_eq!(shas.len() + 2, splits.len(), "two pairs of duplicates are left");
    assert_eq!(by_split("test"), 4 * N_TEST);

    // Now with crops: the same pictures in the same splits, each with its own box.
    let mut make = miniature.make(&work);
    make.arg("CROP_TO_BOX=yes");
    let ran = Ran::of(make.output().unwrap());
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let whole = splits.len() - 1;
    assert!(
        ran.stdout.contains(&format!("cropped {whole} pictures to their box; 1 without")),
        "{}",
        ran.stdout
    );
    assert_eq!(table(&work.path("W/split/manifest.csv"), "path", "split"), splits);
    let boxes = table(&work.path("W/split/manifest.csv"), "path", "box");
    let of = |class: &str, i: usize| boxes[&format!("../raw/{}", picture(class, i))].as_str();
    let width =
        &table(&work.path("W/split/manifest.csv"), "path", "width")[&format!("../raw/{}", picture(a, 0))];
    assert_eq!([of(a, 0), of(a, 1), of(b, 4)], [&format!("10;0;{width};30"), "10;0;20;30", ""]);
}
