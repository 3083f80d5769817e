//! The convolutions as a program that stays loaded, so that others can be timed in turns with them.
//!
//! `peer` prints the engines of this machine, the best first, one a line. `peer WEIGHTS INPUT [BACKBONE]` loads the
//! engine that TINDOGR_CONV3X3 names, else the best, with WEIGHTS: of `vgg16`, the default, a file of the program `weights`;
//! of `efficientnet-lite0` one that `FoldedLite0::from_safetensors` takes. INPUT is a tensor (B, 3, 224, 224) of little-endian f32. It
//! prints one line of JSON and then answers each line of stdin with one line:
//!
//! * `run N`: the first N pictures once through the network; prints the nanoseconds;
//! * `write PATH N`: the same, the output going to PATH as little-endian f32: maps (N, 512, 7, 7) of `vgg16`, features
//!   (N, 1280) of `efficientnet-lite0`;
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
use data::commit;
use data::stage::print_line;
use data::weights::{Part, Weights};
use extractor::vgg16::Engine;
use extractor::{FoldedLite0, Vgg16};

const SIDE: usize = 224;
const PICTURE: usize = 3 * SIDE * SIDE;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => Engine::available().iter().try_for_each(|engine| print_line(engine.name())),
        [weights, input, backbone @ ..] if backbone.len() < 2 => {
            let backbone = backbone.first().map_or("vgg16", String::as_str);
            answer(&Loaded::new(Path::new(weights), Path::new(input), backbone)?)
        }
        _ => anyhow::bail!("usage: peer [WEIGHTS INPUT [BACKBONE]]"),
    }
}

enum Network {
    Vgg16(Vgg16),
    Lite0(FoldedLite0),
}

struct Loaded {
    network: Network,
    input: Vec<f32>,
    about: String,
}

impl Loaded {
    fn new(weights: &Path, input: &Path, backbone: &str) -> anyhow::Result<Self> {
        let engine = Engine::from_env()?;
        let mut start = Instant::now();
        let network = match backbone {
            "vgg16" => {
                let weights = Weights::read(weights, Part::Features)?;
                start = Instant::now();
                Network::Vgg16(Vgg16::new(&weights, &Device::Cpu, engine)?)
            }
            "efficientnet-lite0" => Network::Lite0(
                FoldedLite0::from_safetensors(&std::fs::read(weights)?, engine.name())
                    .with_context(|| weights.display().to_string())?,
            ),
            other => anyhow::bail!("{other} is none of vgg16, efficientnet-lite0"),
        };
        let about = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "kernels": engine.name(),
            "load_s": start.elapsed().as_secs_f64(),
        });
        let bytes = std::fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
        let input = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        Ok(Self { network, input, about: about.to_string() })
    }

    /// (n, 512, 7, 7), or (n, 1280), of the first `n` pictures, flat: from floats in memory to floats in memory.
    fn outputs(&self, n: usize) -> anyhow::Result<Vec<f32>> {
        let pictures = self.input.get(..n * PICTURE).context("there are fewer pictures")?;
        match &self.network {
            Network::Vgg16(network) => {
                let batch = Tensor::from_slice(pictures, (n, 3, SIDE, SIDE), &Device::Cpu)?;
                Ok(network.forward(&batch)?.flatten_all()?.to_vec1()?)
            }
            Network::Lite0(network) => network.features(pictures, n, SIDE),
        }
    }

    fn execute(&self, command: &str) -> anyhow::Result<String> {
        match command.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["run", n] => {
                let n = n.parse()?;
                let start = Instant::now();
                black_box(self.outputs(n)?);
                Ok(start.elapsed().as_nanos().to_string())
            }
            ["write", path, n] => {
                let bytes: Vec<u8> =
                    self.outputs(n.parse()?)?.into_iter().flat_map(f32::to_le_bytes).collect();
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
