//! The validated configuration: paths resolved, every value in its range.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::rejects::MaxBad;
use data::stage::CommonArgs;
use serde_json::{Value, json};

use crate::args::{Args, Duplicates, Inspect, Tree};
use crate::method::Method;
use crate::places;

/// The rule that assigns pictures to splits.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) method: Method,
    /// Whether classes that are too small go into train, instead of being an error.
    pub(crate) allow_small: bool,
    /// Whether a single class is split, instead of being an error.
    pub(crate) allow_one_class: bool,
    pub(crate) seed: u64,
}

/// The validated configuration of the stage.
#[derive(Debug)]
pub(crate) struct Config {
    /// The folder of class folders, as the user wrote it: error messages show it.
    pub(crate) images: PathBuf,
    /// The folder of the manifest, as the user wrote it.
    pub(crate) out: PathBuf,
    /// The path from `out` to `images`: the first part of every path in the manifest.
    pub(crate) prefix: String,
    /// The rule that assigns pictures to splits.
    pub(crate) rule: Rule,
    pub(crate) tree: Tree,
    pub(crate) duplicates: Duplicates,
    /// Folder of the annotations with the boxes.
    pub(crate) annotations: Option<PathBuf>,
    pub(crate) inspect: Inspect,
    pub(crate) max_bad: MaxBad,
    pub(crate) rerun: RerunArgs,
    pub(crate) dry_run: bool,
    pub(crate) common: CommonArgs,
}

impl Config {
    /// Validates `args`.
    ///
    /// # Errors
    /// [`data::stage::Exit::Usage`] for values out of range, before anything is read; other errors if
    /// `--images` is not a folder, or if `--images` and `--out` contain each other.
    pub(crate) fn check(args: &Args) -> anyhow::Result<Self> {
        let method = Method::of(args)?;
        places::check_images(&args.images)?;
        let prefix = places::prefix(&args.images, &args.out)?;
        Ok(Self {
            images: args.images.clone(),
            out: args.out.clone(),
            prefix,
            rule: Rule {
                method,
                allow_small: args.allow_small,
                allow_one_class: args.allow_one_class,
                seed: args.common.seed,
            },
            tree: args.tree,
            duplicates: args.duplicates,
            annotations: args.crop_to_box.clone(),
            inspect: args.inspect,
            max_bad: args.max_bad,
            rerun: args.rerun,
            dry_run: args.dry_run,
            common: args.common.clone(),
        })
    }

    /// Returns the path of a picture, with its folder as the user wrote it.
    pub(crate) fn shown(&self, class: &str, name: &str) -> String {
        self.images.join(class).join(name).display().to_string()
    }

    /// Returns the parameters that the files of `--out` depend on, by flag name.
    pub(crate) fn parameters(&self) -> Value {
        let mut parameters = json!({
            "images": self.prefix,
            "seed": self.rule.seed,
            "tree": self.tree,
            "duplicates": self.duplicates,
            "allow-small": self.rule.allow_small,
            "allow-one-class": self.rule.allow_one_class,
            "inspect": self.inspect,
            "max-bad": self.max_bad.to_string(),
            "crop-to-box": self.annotations.is_some(),
        });
        match &self.rule.method {
            Method::Ratio(ratio) => parameters["ratio"] = json!(ratio),
            Method::Unshuffled(ratio) => {
                parameters["ratio"] = json!(ratio);
                parameters["unshuffled"] = json!(true);
            }
            Method::Fixed { n_valid, n_test } => parameters["fixed"] = json!([n_valid, n_test]),
            Method::Listed { valid_share, .. } => {
                parameters["split-list"] = json!(true);
                parameters["valid-share"] = json!(valid_share);
            }
        }
        parameters
    }
}
