//! The program, from arguments to summary.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use data::current::Place;
use data::stage::{self, CommonArgs};
use data::weights::{Origin, Part, Weights};
use serde::Serialize;

use crate::args::Args;
use crate::config::Config;
use crate::hub::{Hub, Settings};
use crate::package;
use crate::published;
use crate::source::Source;

const STAGE: &str = "weights";
const PROVENANCE: &str = "provenance.json";

/// Runs the program.
///
/// # Errors
/// See [`stage::main`] for the exit codes that they become.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::new(args)?;
    let made = make(&config, args, &Settings::from_environment)?;
    // Nothing was made where everything is current; that has been said.
    made.map_or(Ok(()), |summary| stage::print_summary(&args.common, &summary))
}

/// Writes the weights files into `--out`; `None` if there is nothing to do. `settings` is asked only where the hub
/// is needed.
///
/// # Errors
/// As [`run`].
pub(crate) fn make(
    config: &Config,
    args: &Args,
    settings: &dyn Fn() -> anyhow::Result<Settings>,
) -> anyhow::Result<Option<Summary>> {
    let place = Place::new(&config.out, PROVENANCE, STAGE);
    let Some(mut job) = place.start(&args.rerun, &args.common, || config.inputs())? else { return Ok(None) };
    let names = config.file_names();
    // Asked before anything is fetched.
    job.refuse_foreign(&names)?;
    let _locks = job.lock()?;
    let weights = provide(config, &args.common, settings)?;
    job.declare(names.clone())?;
    for (part, name) in weights.iter().zip(&names) {
        part.write(&config.out.join(name))?;
    }
    job.finish(names)?;
    Ok(Some(Summary::new(&config.out.join(Part::Features.file_name(config.backbone)), &weights[0])))
}

/// Gives the parts of the configuration, in its order.
fn provide(
    config: &Config,
    common: &CommonArgs,
    settings: &dyn Fn() -> anyhow::Result<Settings>,
) -> anyhow::Result<Vec<Weights>> {
    match &config.from {
        Source::Seed => {
            tracing::warn!(
                "the weights are random, drawn from seed {}: features made with them know nothing of dogs; give \
                 --from hub or --from package for real results",
                config.seed
            );
            Ok(vec![Weights::seeded(config.backbone, config.seed)])
        }
        Source::File(path) if package::is_wheel(path) => package::read_wheel(path, config),
        Source::File(path) if Weights::wrote(path) => read_again(config, path),
        Source::File(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let origin = Origin { origin: name, revision: None, licence: None, trained: true };
            published::read_parts(path, config.backbone, origin, config.full)
        }
        Source::Package => package::provide(config, OsStr::new("python3")),
        Source::Hub => Hub::new(config, settings()?, common)?.provide(),
    }
}

/// Reads a file that this program made, which keeps its origin.
fn read_again(config: &Config, path: &Path) -> anyhow::Result<Vec<Weights>> {
    anyhow::ensure!(
        !config.full,
        "--full: {} holds no classifier; give the file that it was made of",
        path.display()
    );
    let known = |name: &str| match name == config.backbone.name {
        true => Ok(config.backbone),
        false => anyhow::bail!("it is of {name}, expected {}", config.backbone.name),
    };
    Ok(vec![Weights::read_of(path, Part::Features, known)?])
}

/// What the user sees in the end.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    backbone: String,
    origin: String,
    trained: bool,
    weights_sha256: String,
    file: String,
}

impl Summary {
    fn new(file: &Path, Weights { info, .. }: &Weights) -> Self {
        Self {
            backbone: info.backbone.clone(),
            origin: info.origin.origin.clone(),
            trained: info.origin.trained,
            weights_sha256: info.weights_sha256.clone(),
            file: file.display().to_string(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backbone, origin, trained, weights_sha256, file } = self;
        let untrained = if *trained { "" } else { ", not trained" };
        write!(f, "{backbone}, {origin}{untrained}, sha256 {}, in {file}", &weights_sha256[..12])
    }
}
