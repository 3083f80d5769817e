//! Which archives there are, and what is known of each beforehand.

/// Where the authors publish them; plain http, so that the digests are what counts.
pub(crate) const HOME: &str = "http://vision.stanford.edu/aditya86/ImageNetDogs";

/// An archive that is pinned by its digest.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Its name at the server and in `OUT/download`.
    pub name: &'static str,
    /// Bytes.
    pub size: u64,
    /// Of the archive, in hexadecimal digits.
    pub sha256: String,
    /// How the names in it look.
    pub layout: Layout,
    /// The folder of `OUT` for its files.
    pub folder: &'static str,
    /// Files and class folders, where they are known.
    pub counts: Option<(usize, usize)>,
}

/// How the names in an archive look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `<root>/<class>/<file>`
    Classes(&'static str),
    /// `<file>`
    Flat,
}

/// The three archives; sizes and digests as TensorFlow Datasets records them
/// (`url_checksums/stanford_dogs.txt`), counts as the authors give them.
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
