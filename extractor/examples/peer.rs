//! The convolutions as a program that stays loaded, so that others can be timed in turns with them.
//!
//! `peer` prints the engines of this machine, the best first, one a line. `peer WEIGHTS INPUT` loads the
//! engine that TINDOGR_CONV3X3 names, else the best, with WEIGHTS, a file of the program `weights`; INPUT is a tensor
//! (B, 3, 224, 224) of little-endian f32. It prints one line of JSON and then answers each line of stdin with
//! one line:
//!
//! * `run N`: the first N pictures once through the network; prints the nanoseconds;
//! * `write PATH N`: the same, the features with the network's usual pooling going to PATH as little-endian f32: maps
//!   (N, 512, 7, 7) of `vgg16`, means (N, 1280) of `efficientnet-lite0`;
//! * `peaks`: prints what one core can multiply at most, as JSON: 10⁹ operations a second by engine.
//!
//! `RAYON_NUM_THREADS` sets the threads. An answer that begins with `error` says what went wrong.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use candle_core::{Device, Tensor};
use data::backbone::Backbone;
use data::commit;
use data::recipe::Pool;
use data::stage::print_line;
use data::weights::{Part, Weights};
use extractor::backbone::{self, Engine, Network};

const SIDE: usize = 224;
const PICTURE: usize = 3 * SIDE * SIDE;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => Engine::available().iter().try_for_each(|engine| print_line(engine.name())),
        [weights, input] => answer(&Loaded::new(Path::new(weights), Path::new(input))?),
        _ => anyhow::bail!("usage: peer [WEIGHTS INPUT]"),
    }
}

struct Loaded {
    network: Box<dyn Network>,
    pool: Pool,
    input: Vec<f32>,
    about: String,
}

impl Loaded {
    fn new(weights: &Path, input: &Path) -> anyhow::Result<Self> {
        let engine = Engine::from_env()?;
        let weights = Weights::read(weights, Part::Features)?;
        let start = Instant::now();
        let network = backbone::open(&weights, &Device::Cpu, engine)?;
        let about = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "kernels": engine.name(),
            "load_s": start.elapsed().as_secs_f64(),
        });
        let bytes = std::fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
        let input = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        let pool = Backbone::find(&weights.info.backbone)?.pool;
        Ok(Self { network, pool, input, about: about.to_string() })
    }

    /// (n, D) of the first `n` pictures, flat: from floats in memory to floats in memory.
    fn features(&self, n: usize) -> anyhow::Result<Vec<f32>> {
        let pictures = self.input.get(..n * PICTURE).context("there are fewer pictures")?;
        let batch = Tensor::from_slice(pictures, (n, 3, SIDE, SIDE), &Device::Cpu)?;
        Ok(self.network.features(&batch, self.pool)?.flatten_all()?.to_vec1()?)
    }

    fn execute(&self, command: &str) -> anyhow::Result<String> {
        match command.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["run", n] => {
                let n = n.parse()?;
                let start = Instant::now();
                black_box(self.features(n)?);
                Ok(start.elapsed().as_nanos().to_string())
            }
            ["write", path, n] => {
                let bytes: Vec<u8> =
                    self.features(n.parse()?)?.into_iter().flat_map(f32::to_le_bytes).collect();
                commit::write_bytes(Path::new(path), &bytes)?;
                Ok("written".to_owned())
            }
            ["peaks"] => {
                let engines = Engine::available();
                let peak = |engine: &Engine| Some((engine.name(), engine.peak_gflops()?));
                let peaks: BTreeMap<&str, f64> = engines.iter().filter_map(peak).collect();
                Ok(serde_json::to_string(&peaks)?)
            }
            _ => anyhow::bail!("unknown command {command:?}"),
        }
    }
}

fn answer(loaded: &Loaded) -> anyhow::Result<()> {
    print_line(&loaded.about)?;
    for command in std::io::stdin().lock().lines() {
        let answer = loaded.execute(&command?);
        print_line(&answer.unwrap_or_else(|error| format!("error: {error:#}")))?;
    }
    Ok(())
}
