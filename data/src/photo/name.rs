//! Classifies files by name: hidden files, and files that are meant to be pictures.

use std::ffi::OsStr;
use std::path::Path;

/// Extensions, in any case, of files that are meant to be pictures; the content decides whether they are.
const EXTENSIONS: [&str; 14] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "apng", "bmp", "dib", "webp", "gif", "heic", "avif", "tif", "tiff"];
/// Files that file managers and archivers create, besides names with a leading dot.
const LEFT_BEHIND: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

/// Returns whether a file or folder is ignored without a message.
pub fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
        || LEFT_BEHIND.iter().any(|left| name.eq_ignore_ascii_case(left))
}

/// Returns whether a file is meant to be a picture; `x.JPG~` is an editor's copy of one.
pub fn has_picture_name(name: &OsStr) -> bool {
    let extension = Path::new(name).extension();
    let extension = extension.and_then(OsStr::to_str).map(|e| e.trim_end_matches('~'));
    extension.is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}
