//! What a published file calls the tensors of a network: the names of our weights files, or the other ones under which they
//! are published, too.

use std::fmt;

use anyhow::Context;
use data::backbone::{Backbone, Tensor};
use data::envelope::Header;
use data::weights::Part;
use safetensors::tensor::Dtype;

/// What a file says of one of its tensors.
pub(crate) struct Stated {
    pub(crate) shape: Vec<usize>,
    /// As an error names it.
    pub(crate) dtype: String,
    /// Whether it is f32, f16, bf16 or f64.
    pub(crate) is_float: bool,
}

/// What a file calls the tensors of one part of a network.
#[derive(Debug)]
pub(crate) struct Names {
    by_other_name: Vec<&'static str>,
}

impl Names {
    /// Finds one part of `backbone` among the tensors of `header`, which is that of `file`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn in_header(
        file: &dyn fmt::Display,
        backbone: &Backbone,
        part: Part,
        header: &Header,
    ) -> anyhow::Result<Self> {
        Self::find(file, backbone, part, &header.tensors.offset_keys(), |name| {
            let info = header.tensors.info(name)?;
            let is_float = matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64);
            Some(Stated { shape: info.shape.clone(), dtype: format!("{:?}", info.dtype), is_float })
        })
    }

    /// Finds one part of `backbone` among the tensors called `names` in `file`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn find(
        file: &dyn fmt::Display,
        backbone: &Backbone,
        part: Part,
        names: &[String],
        stated: impl Fn(&str) -> Option<Stated>,
    ) -> anyhow::Result<Self> {
        let tensors = part.tensors(backbone);
        let mut problems = Vec::new();
        let mut found = Self { by_other_name: Vec::new() };
        let mut n_missing = 0;
        for tensor in tensors {
            let ours = stated(tensor.name).map(|stated| (tensor.name, stated));
            let other = || tensor.other.and_then(|(name, _)| Some((name, stated(name)?)));
            let Some((name, stated)) = ours.or_else(other) else {
                problems.push(format!("{} is missing", tensor.name));
                n_missing += 1;
                continue;
            };
            // The values are in the same order in either shape.
            if stated.shape != tensor.shape && tensor.other.is_none_or(|(_, shape)| stated.shape != shape) {
                problems.push(format!("{name} has shape {:?}, expected {:?}", stated.shape, tensor.shape));
            }
            if !stated.is_float {
                problems.push(format!("{name} is {}, expected F32, F16, BF16 or F64", stated.dtype));
            }
            if name != tensor.name {
                found.by_other_name.push(tensor.name);
            }
        }
        if problems.is_empty() {
            return Ok(found);
        }
        if n_missing == tensors.len() {
            problems = vec![none_of_them(tensors, names)];
        }
        let what = match part {
            Part::Features => "layers that make features",
            Part::Classifier => "classifier",
        };
        anyhow::bail!("{file} does not hold the {what} of {}:\n  {}", backbone.name, problems.join("\n  "))
    }

    /// What the file calls `tensor`.
    ///
    /// # Errors
    /// Never for a tensor of the part that was looked for.
    pub(crate) fn of(&self, tensor: &Tensor) -> anyhow::Result<&'static str> {
        if self.by_other_name.contains(&tensor.name) {
            return Ok(tensor.other.context("the tensor has no other name")?.0);
        }
        Ok(tensor.name)
    }
}

fn none_of_them(tensors: &[Tensor], names: &[String]) -> String {
    let other = tensors[0].other.map_or_else(String::new, |(name, _)| format!(" or {name}"));
    let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    format!(
        "it has none of the {} tensors, such as {}{other}; its {} tensors are {}{}",
        tensors.len(),
        tensors[0].name,
        names.len(),
        shown.join(", "),
        if names.len() > shown.len() { ", ..." } else { "" }
    )
}
