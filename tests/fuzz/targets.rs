//! The checks of each reader for arbitrary bytes: it does not panic, it does not hang, and accepted content is
//! consistent. Every function returns whether the bytes were accepted.

#![allow(dead_code, reason = "each fuzz target calls one of them")]

use std::path::{Path, PathBuf};

use data::backbone::{Backbone, HubFile, Tensor, Tensors};
use data::head::Head;
use data::manifest::{self, Manifest};
use data::photo::{self, Limits};
use data::profiles::{self, Profile, Profiles};
use data::recipe::Pool;
use data::weights::Part;

/// Checks a picture: the header and the decoder agree, and decoding again gives the same pixels.
pub(crate) fn photo(bytes: &[u8]) -> bool {
    let limits = Limits { max_pixels: 1 << 22, ..Limits::STANDARD };
    let Ok(decoded) = photo::decode(bytes, &limits) else { return false };
    let (width, height) = decoded.rgb.dimensions();
    assert!(width > 0 && height > 0 && u64::from(width) * u64::from(height) <= limits.max_pixels);
    let header = photo::header(bytes, &limits).expect("what decodes has a header");
    assert_eq!((header.width, header.height), (width, height));
    let again = photo::decode(bytes, &limits).expect("it was decoded just now");
    assert_eq!(again.rgb, decoded.rgb);
    true
}

/// Checks a manifest: it can be written, and is then read back unchanged.
pub(crate) fn manifest(bytes: &[u8]) -> bool {
    let dir = InFile::new("manifest.csv", bytes);
    let Ok(read) = Manifest::read(&dir.path) else { return false };
    let copy = dir.path.with_file_name("copy.csv");
    let with_copies = read.rows.iter().any(|row| row.augmented.is_some());
    manifest::write(&copy, &read.rows, with_copies).expect("what was read is right");
    assert_eq!(Manifest::read(&copy).expect("what was written is right").rows, read.rows);
    true
}

/// Checks profiles: the count of rows is right, and the valid ones can be written and are then read back unchanged.
pub(crate) fn profiles(bytes: &[u8]) -> bool {
    let dir = InFile::new(profiles::FILE_NAME, bytes);
    let Ok(mut table) = Profiles::open(&dir.path) else { return false };
    let mut good: Vec<Profile> = Vec::new();
    let mut n_rows = 0;
    loop {
        match table.next_row() {
            Ok(Some(row)) => {
                n_rows += 1;
                good.extend(row);
            }
            Ok(None) => break,
            Err(_) => return false,
        }
    }
    assert_eq!(Profiles::count(&dir.path).expect("it was read to its end"), n_rows);
    let copy = dir.path.with_file_name("copy.csv");
    let written = profiles::to_csv(&good).expect("it is written into memory");
    data::commit::write_bytes(&copy, &written).expect("there is room");
    let mut again = Profiles::open(&copy).expect("what was written is right");
    for profile in &good {
        let read = again.next_row().expect("what was written is right").expect("as many rows");
        let read = read.expect("what was written is right");
        // Degrees are rounded.
        assert_eq!(Profile { location: profile.location, ..read }, *profile);
    }
    !good.is_empty()
}

/// Checks a head: it can be written, and then has the same bytes.
pub(crate) fn head(bytes: &[u8]) -> bool {
    let dir = InFile::new("head.safetensors", bytes);
    let Ok(read) = Head::read(&dir.path) else { return false };
    let copy = dir.path.with_file_name("copy.safetensors");
    read.write(&copy).expect("what was read is right");
    assert_eq!(Head::read(&copy).expect("what was written is right"), read);
    true
}

/// A published weights file, a state dict of PyTorch or safetensors: every tensor has the values that its shape asks
/// for, all of them finite.
pub(crate) fn pth(bytes: &[u8]) -> bool {
    static ONE_LAYER: Backbone = Backbone {
        name: "one",
        hub: HubFile { repository: "", file: "", pin: None, tensor_bytes: 0, licence: "" },
        package: None,
        features: Tensors::Listed(&[
            Tensor::new("features.0.weight", &[4, 3, 3, 3]),
            Tensor::new("features.0.bias", &[4]),
        ]),
        classifier: Tensors::Listed(&[]),
        n_channels: 4,
        stride: 1,
        image_size: 1,
        presets: &["torchvision"],
        pool: Pool::None,
        has_maps: true,
    };
    let dir = InFile::new("weights.pth", bytes);
    let Ok(tensors) = weights::published::read(&dir.path, &ONE_LAYER, Part::Features) else { return false };
    assert_eq!(tensors.iter().map(|tensor| tensor.values.len()).collect::<Vec<_>>(), [108, 4]);
    assert!(tensors.iter().all(|tensor| tensor.values.iter().all(|value| value.is_finite())));
    true
}

/// Writes the bytes into a temporary file.
struct InFile {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl InFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("there is a place for temporary files");
        let path = dir.path().join(Path::new(name));
        data::commit::write_bytes(&path, bytes).expect("there is room");
        Self { _dir: dir, path }
    }
}
