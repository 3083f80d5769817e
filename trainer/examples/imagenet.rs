//! The 1000 logits of ImageNet's own head, so that they can be compared with PyTorch's.
//!
//! `imagenet FEATURES WEIGHTS OUT`: for the train pictures of the features directory FEATURES, in the order of
//! the manifest, by the classifier WEIGHTS, which `weights --full` writes; OUT gets (n, 1000) as little-endian f32. Prints the seconds
//! that loading took, and those of the logits.

use std::path::Path;
use std::time::Instant;

use data::commit;
use data::features::Features;
use data::manifest::Split;
use data::stage::print_line;
use trainer::imagenet::ImagenetHead;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [features, weights, out] = arguments.as_slice() else {
        anyhow::bail!("usage: imagenet FEATURES WEIGHTS OUT");
    };
    let features = Features::open(Path::new(features))?;
    let start = Instant::now();
    let head = ImagenetHead::open(Path::new(weights), &features.index.layout.recipe)?;
    let load_s = start.elapsed().as_secs_f64();
    let pictures = features.open_split(Split::Train)?;
    let all: Vec<usize> = (0..pictures.len()).collect();
    let features = pictures.read(&all)?; // (n,512*7*7)
    let start = Instant::now();
    let logits = head.logits(&features)?; // (n,512*7*7) -> (n,1000)
    print_line(&format!("{load_s:.3} {:.3}", start.elapsed().as_secs_f64()))?;
    let bytes: Vec<u8> = logits.into_iter().flatten().flat_map(f32::to_le_bytes).collect();
    commit::write_bytes(Path::new(out), &bytes)
}
