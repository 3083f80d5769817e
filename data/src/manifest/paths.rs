//! The paths in a manifest: relative to its directory, with `/` between the parts.

use std::path::Path;

/// Returns the way from the directory `from` to `to`, both absolute and without `..`; `None` if a part of it is not
/// UTF-8.
pub fn relative(from: &Path, to: &Path) -> Option<String> {
    let n_shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(n_shared).map(|_| Some(".."));
    let down = to.components().skip(n_shared).map(|part| part.as_os_str().to_str());
    let parts: Option<Vec<&str>> = up.chain(down).collect();
    parts.map(|parts| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_up_to_what_is_shared_and_down_again() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to)).unwrap();
        assert_eq!(way("/a/b/c", "/a/x/y"), "../../x/y");
        assert_eq!(way("/a/b", "/a/b/c.jpg"), "c.jpg");
        assert_eq!(way("/a/bc", "/a/b"), "../b");
        assert_eq!(way("/a", "/a"), "");
    }
}
