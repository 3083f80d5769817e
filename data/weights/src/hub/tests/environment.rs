//! The environment variables.

use std::ffi::OsString;

use super::*;

#[test]
fn the_variables_are_read_in_their_order() {
    let read = |variables: &[(&str, &str)]| {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(n, v)| (n.to_string(), v.into())).collect();
        Environment::from(move |name| Some(variables.iter().find(|(n, _)| n == name)?.1.clone()))
    };
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    commit::write_bytes(&dir.path().join("token"), b" hf_stored\n").unwrap();
    let stored = read(&[("HF_HOME", home)]).unwrap();
    assert_eq!(stored.cache, dir.path().join("hub"));
    assert_eq!(stored.token.as_deref(), Some("hf_stored"));
    assert_eq!(stored.endpoint, "https://huggingface.co");
    assert!(stored.bars && !stored.offline);

    let given = [
        ("HF_HOME", home),
        ("HF_HUB_CACHE", "/cache"),
        ("HF_TOKEN", "hf_given"),
        ("HF_ENDPOINT", "https://mirror.example/"),
        ("HF_HUB_OFFLINE", "1"),
        ("HF_HUB_DISABLE_PROGRESS_BARS", "TRUE"),
    ];
    let given = read(&given).unwrap();
    assert_eq!(given.cache, Path::new("/cache"));
    assert_eq!(given.token.as_deref(), Some("hf_given"));
    assert_eq!(given.endpoint, "https://mirror.example");
    assert!(!given.bars && given.offline);

    let none =
        read(&[("XDG_CACHE_HOME", "/x"), ("HF_TOKEN", "t"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).unwrap();
    assert_eq!(none.cache, Path::new("/x/huggingface/hub"));
    assert_eq!(none.token, None);

    let token = dir.path().join("token");
    let named = [("HUGGINGFACE_HUB_CACHE", "~/hub"), ("HF_TOKEN_PATH", token.to_str().unwrap())];
    let named = read(&named).unwrap();
    assert_eq!(named.cache, std::env::home_dir().unwrap().join("hub"));
    assert_eq!(named.token.as_deref(), Some("hf_stored"));
    let both = read(&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/new")]).unwrap();
    assert_eq!(both.cache, Path::new("/new"));
    assert!(read(&[("HF_ENDPOINT", "mirror.example")]).is_err());
    assert!(read(&[("HF_TOKEN", "two words")]).is_err());
}
