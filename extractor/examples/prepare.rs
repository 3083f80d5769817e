//! What becomes of photos on their way to the network, so that others can be compared step by step.
//!
//! `prepare OUT PHOTO...` writes the safetensors file OUT; of the i-th PHOTO
//!
//! * `decoded_i` (H, W, 3): upright levels;
//! * `square_i` (224, 224, 3): levels, resized and cropped;
//! * `torchvision_i`, `caffe_i` (3, 224, 224): the network's input under these presets, f32.

use std::collections::BTreeMap;
use std::path::Path;

use data::commit;
use data::photo::{self, Limits};
use extractor::preprocess::{Filter, Preset, centre_crop, preprocess};
use image::RgbImage;
use safetensors::tensor::{Dtype, TensorView};

const SIDE: u32 = 224;

type Tensor = (Dtype, Vec<usize>, Vec<u8>);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, photos @ ..] = arguments.as_slice() else { anyhow::bail!("usage: prepare OUT PHOTO...") };
    let mut tensors = BTreeMap::new();
    for (i, path) in photos.iter().enumerate() {
        add(&mut tensors, i, Path::new(path))?;
    }
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)));
    let views: Vec<_> = views.collect::<anyhow::Result<_>>()?;
    commit::write_bytes(Path::new(out), &safetensors::serialize(views, None)?)
}

fn add(tensors: &mut BTreeMap<String, Tensor>, i: usize, path: &Path) -> anyhow::Result<()> {
    let bytes = photo::read(path, &Limits::STANDARD)?;
    let photo = photo::decode(&bytes, &Limits::STANDARD)?.rgb;
    for name in ["torchvision", "caffe"] {
        let input = preprocess(&photo, Preset::find(name)?, SIDE)?;
        let bytes = input.into_iter().flat_map(f32::to_le_bytes).collect();
        tensors.insert(format!("{name}_{i}"), (Dtype::F32, vec![3, SIDE as usize, SIDE as usize], bytes));
    }
    tensors.insert(format!("square_{i}"), levels(centre_crop(&photo, Filter::Bilinear, 256, SIDE)?));
    tensors.insert(format!("decoded_{i}"), levels(photo));
    Ok(())
}

/// (H, W, 3)
fn levels(picture: RgbImage) -> Tensor {
    let shape = vec![picture.height() as usize, picture.width() as usize, 3];
    (Dtype::U8, shape, picture.into_raw())
}
