//! The validated configuration.

use std::path::PathBuf;

use data::backbone::Backbone;
use data::current::Inputs;
use data::stage::usage;
use data::weights::Part;
use serde_json::json;

use crate::args::Args;
use crate::source::Source;

/// The parameters of a run, each checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) backbone: &'static Backbone,
    pub(crate) from: Source,
    pub(crate) seed: u64,
    pub(crate) out: PathBuf,
    pub(crate) full: bool,
}

impl Config {
    /// Checks `args`.
    ///
    /// # Errors
    /// A usage error for a network that is not known, without a package that was asked for, or for a classifier of random
    /// weights.
    pub(crate) fn new(args: &Args) -> anyhow::Result<Self> {
        let backbone = Backbone::find(&args.backbone).map_err(|e| usage(format!("--backbone: {e}")))?;
        if args.full && args.from == Source::Seed {
            return Err(usage("--full: random weights have no classifier; give --from hub or a file"));
        }
        if args.from == Source::Package && backbone.package.is_none() {
            return Err(usage(format!(
                "--from package: no Python package ships the weights of {}; give --from hub or a file",
                backbone.name
            )));
        }
        let Args { from, out, common, .. } = args;
        let full = args.full || (backbone.has_small_classifier() && args.from != Source::Seed);
        Ok(Self { backbone, from: from.clone(), seed: common.seed, out: out.clone(), full })
    }

    /// The parts of the network to write.
    pub(crate) fn parts(&self) -> &'static [Part] {
        if self.full { &[Part::Features, Part::Classifier] } else { &[Part::Features] }
    }

    /// The names of the files to write.
    pub(crate) fn file_names(&self) -> Vec<String> {
        self.parts().iter().map(|part| part.file_name(self.backbone)).collect()
    }

    /// What the weights depend on.
    ///
    /// # Errors
    /// If the parameters are no JSON.
    pub(crate) fn inputs(&self) -> anyhow::Result<Inputs> {
        let hub = &self.backbone.hub;
        let from = match &self.from {
            Source::Hub => {
                let (revision, sha256) = hub.pin.as_ref().map(|pin| (pin.revision, pin.sha256)).unzip();
                json!({ "hub": hub.repository, "revision": revision, "sha256": sha256 })
            }
            Source::Package => {
                let package =
                    self.backbone.package.as_ref().map(|package| (package.name, package.wheel_sha256));
                json!({ "package": package })
            }
            Source::Seed => json!({ "seed": self.seed }),
            // The file's name becomes the origin of the weights; its content is an input.
            Source::File(path) => json!({ "file": path.file_name().map(|name| name.to_string_lossy()) }),
        };
        let parameters = json!({ "backbone": self.backbone.name, "from": from, "full": self.full });
        let inputs = Inputs::new(&parameters)?;
        Ok(match &self.from {
            Source::File(path) => inputs.file("the file of --from", path),
            Source::Hub | Source::Package | Source::Seed => inputs,
        })
    }
}
