//! The validated configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use data::stage;

use crate::args::Args;

/// The validated configuration of the program.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) out: PathBuf,
    pub(crate) profiles: Option<PathBuf>,
    pub(crate) per_class: usize,
    pub(crate) size: u32,
    pub(crate) seed: u64,
}

impl Config {
    pub(crate) fn new(args: &Args) -> anyhow::Result<Self> {
        if !(1..=100_000).contains(&args.per_class) {
            return Err(stage::usage(format!(
                "--per-class must be from 1 to 100000, got {}",
                args.per_class
            )));
        }
        if !(32..=2048).contains(&args.size) {
            return Err(stage::usage(format!("--size must be from 32 to 2048 pixels, got {}", args.size)));
        }
        Ok(Self {
            out: args.out.clone(),
            profiles: args.profiles.clone(),
            per_class: args.per_class,
            size: args.size,
            seed: args.common.seed,
        })
    }

    pub(crate) fn parameters(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([
            ("per-class", self.per_class as u64),
            ("seed", self.seed),
            ("size", u64::from(self.size)),
        ])
    }
}
