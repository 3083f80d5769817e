//! The validated configuration of `trainer compare`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use data::current::{Inputs, RerunArgs};
use data::stage::{CommonArgs, usage};

use super::args::{Args, NamedDir};

/// The configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The finished runs, two or more.
    pub runs: Vec<NamedDir>,
    /// The page to write.
    pub out: PathBuf,
    /// Its file name.
    pub(super) out_name: String,
    /// Its directory.
    pub(super) out_dir: PathBuf,
    /// What to do about a page that is there already.
    pub rerun: RerunArgs,
    /// The flags that every program has.
    pub common: CommonArgs,
}

impl Config {
    /// Validates the arguments.
    ///
    /// # Errors
    /// A usage error for fewer than two runs, or a page without a file name.
    pub fn new(args: &Args, common: &CommonArgs) -> anyhow::Result<Self> {
        let Args { run: runs, out, rerun } = args.clone();
        let name = out.file_name().with_context(|| format!("--out {} names no file", out.display()));
        let out_name = name.map_err(|error| usage(error.to_string()))?.to_string_lossy().into_owned();
        if runs.len() < 2 {
            return Err(usage("--run is given once, expected two runs or more"));
        }
        let out_dir = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { out_dir: out_dir.to_owned(), runs, out, out_name, rerun, common: common.clone() })
    }

    /// Lists what the page depends on: the names of the runs, and their files.
    ///
    /// # Errors
    /// If the names are no JSON.
    pub(super) fn inputs(&self) -> anyhow::Result<Inputs> {
        const FILES: [&str; 9] = [
            "split/rejects.csv",
            "split/provenance.json",
            "augmented/manifest.csv",
            "augmented/provenance.json",
            "features/index.json",
            "model/head.safetensors",
            "model/history.csv",
            "model/metrics.json",
            "model/predictions.csv",
        ];
        let names: Vec<&str> = self.runs.iter().map(|run| run.name.as_str()).collect();
        let of_run = |run: &NamedDir| FILES.map(|file| (format!("{}/{file}", run.name), run.dir.join(file)));
        let files = self.runs.iter().flat_map(of_run);
        Ok(Inputs::new(&serde_json::json!({ "run": names }))?.files("runs", files))
    }
}
