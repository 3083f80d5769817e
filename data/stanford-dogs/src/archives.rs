//! The archives, with their known sizes, digests and layouts.

/// The authors' server. It uses plain http, so the archives are verified by their digests.
pub(crate) const HOME: &str = "http://vision.stanford.edu/aditya86/ImageNetDogs";

/// An archive with a known digest.
#[derive(Debug, Clone)]
pub struct Archive {
    /// File name on the server and in `OUT/download`.
    pub name: &'static str,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the archive, in hexadecimal digits.
    pub sha256: String,
    /// Layout of the names in it.
    pub layout: Layout,
    /// Folder in `OUT` for its files.
    pub folder: &'static str,
    /// Numbers of files and of class folders, if they are known.
    pub counts: Option<(usize, usize)>,
}

/// The layout of the names in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `<root>/<class>/<file>`
    Classes(&'static str),
    /// `<file>`
    Flat,
}

/// Returns the three archives. Sizes and digests are those in TensorFlow Datasets
/// (`url_checksums/stanford_dogs.txt`), counts those of the authors.
pub fn pinned() -> [Archive; 3] {
    [
        Archive {
            name: "lists.tar",
            size: 481_280,
            sha256: "34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c".to_owned(),
            layout: Layout::Flat,
            folder: "lists",
            counts: None,
        },
        Archive {
            name: "annotation.tar",
            size: 21_852_160,
            sha256: "662ed36f707be6b195c2fda392d8e153e83af28cedc8e2134a649f198def30fd".to_owned(),
            layout: Layout::Classes("Annotation"),
            folder: "annotations",
            counts: None,
        },
        Archive {
            name: "images.tar",
            size: 793_579_520,
            sha256: "a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58".to_owned(),
            layout: Layout::Classes("Images"),
            folder: "raw",
            counts: Some((20_580, 120)),
        },
    ]
}
