//! The environment variables that users of the Hugging Face hub know, all read here, in the order of
//! `huggingface_hub`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use data::regular;
use data::stage::usage;

/// The values of these variables.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    /// `HF_ENDPOINT`, without a slash at its end.
    pub(super) endpoint: String,
    /// The cache that all programs share.
    pub(super) cache: PathBuf,
    /// The token of the user.
    pub(super) token: Option<String>,
    /// `HF_HUB_OFFLINE`: whether to make no request.
    pub(super) offline: bool,
    /// Whether to show progress bars: `HF_HUB_DISABLE_PROGRESS_BARS` is not set.
    pub(super) bars: bool,
}

impl Environment {
    /// Reads the variables of this process.
    ///
    /// # Errors
    /// A usage error for an endpoint or a token that cannot be one.
    pub(super) fn read() -> anyhow::Result<Self> {
        Self::from(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    /// Does the same as [`Environment::read`] with variables that `get` knows.
    pub(super) fn from(get: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<Self> {
        let text = |name: &str| get(name).map(|value| value.to_string_lossy().trim().to_owned());
        let path = |name: &str| get(name).map(|value| from_home(PathBuf::from(value)));
        let is_set = |name: &str| {
            text(name).is_some_and(|v| ["1", "on", "yes", "true"].contains(&v.to_ascii_lowercase().as_str()))
        };
        let home = || -> anyhow::Result<PathBuf> {
            let cache = || Some(env::home_dir()?.join(".cache"));
            let beside = || Some(path("XDG_CACHE_HOME").or_else(cache)?.join("huggingface"));
            path("HF_HOME").or_else(beside).context("there is no home directory; set HF_HOME")
        };
        let cache = match path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")) {
            Some(cache) => cache,
            None => home()?.join("hub"),
        };
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(usage(format!(
                "HF_ENDPOINT is {endpoint}, expected an address such as https://huggingface.co"
            )));
        }
        let stored = || {
            let file = path("HF_TOKEN_PATH").or_else(|| Some(home().ok()?.join("token")))?;
            regular::read_to_string(&file).ok().map(|token| token.trim().to_owned())
        };
        let implicit = !is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN");
        let token = Some(()).filter(|()| implicit).and_then(|()| text("HF_TOKEN").or_else(stored));
        let token = token.filter(|token| !token.is_empty());
        if token.as_ref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(usage("the token in HF_TOKEN, or in the file of HF_TOKEN_PATH, has blanks in it"));
        }
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache,
            token,
            offline: is_set("HF_HUB_OFFLINE"),
            bars: !is_set("HF_HUB_DISABLE_PROGRESS_BARS"),
        })
    }
}

/// Expands `~/x`, as Python's programs do.
fn from_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}
