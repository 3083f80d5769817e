//! What a file's name says: whether it is looked at, and whether it is meant to be a picture.

use std::ffi::OsStr;
use std::path::Path;

/// What ends so, in any case, is meant to be a picture; whether it is one is decided by content.
const EXTENSIONS: [&str; 14] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "apng", "bmp", "dib", "webp", "gif", "heic", "avif", "tif", "tiff"];
/// What file managers and archivers leave behind, beside the names that start with a dot.
const LEFT_BEHIND: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

/// Whether a file or folder is passed over without a word.
pub fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
        || LEFT_BEHIND.iter().any(|left| name.eq_ignore_ascii_case(left))
}

/// Whether a file is meant to be a picture; `x.JPG~` is an editor's copy of one.
pub fn has_picture_name(name: &OsStr) -> bool {
    let extension = Path::new(name).extension();
    let extension = extension.and_then(OsStr::to_str).map(|e| e.trim_end_matches('~'));
    extension.is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}
