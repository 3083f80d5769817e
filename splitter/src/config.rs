//! What was typed, checked: paths resolved, shares that sum to 1, one way of splitting.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::rejects::MaxBad;
use data::stage::{CommonArgs, usage};
use serde_json::{Value, json};

use crate::args::{Args, Duplicates, Inspect, Tree};
use crate::assign::Rule;
use crate::places;

/// How far from 1 a ratio may sum: 0.333,0.333,0.334 is meant well, 0.33,0.33,0.33 is not.
const RATIO_TOLERANCE: f64 = 1e-6;

/// Everything the stage needs to know; ranges are checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// The folder of class folders, as it was typed: error messages show it.
    pub(crate) images: PathBuf,
    /// The folder of the manifest, as it was typed.
    pub(crate) out: PathBuf,
    /// From `out` to `images`: the first part of every path in the manifest.
    pub(crate) prefix: String,
    /// How pictures are given to splits.
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

/// The way of splitting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plan {
    /// By these shares of train, valid and test.
    Ratio([f64; 3]),
    /// By these shares, each class in the order of its listing: train first, test last.
    Unshuffled([f64; 3]),
    /// That many of each class to valid and to test, the rest to train.
    Fixed { n_valid: usize, n_test: usize },
    /// As two lists say, with this share of train carved out for valid.
    Listed { train: PathBuf, test: PathBuf, valid_share: f64 },
}

impl Config {
    /// Checks `args`.
    ///
    /// # Errors
    /// [`data::stage::Exit::Usage`] for values out of range, before anything is read; other errors if
    /// `--images` is no folder or lies in `--out` or around it.
    pub(crate) fn check(args: &Args) -> anyhow::Result<Self> {
        let plan = plan(args)?;
        places::check_images(&args.images)?;
        let prefix = places::prefix(&args.images, &args.out)?;
        Ok(Self {
            images: args.images.clone(),
            out: args.out.clone(),
            prefix,
            rule: Rule {
                plan,
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

    /// Where a picture lies, as the user named its folder.
    pub(crate) fn shown(&self, class: &str, name: &str) -> String {
        self.images.join(class).join(name).display().to_string()
    }

    /// What the files of `--out` depend on beside files, by flag name.
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
        match &self.rule.plan {
            Plan::Ratio(ratio) => parameters["ratio"] = json!(ratio),
            Plan::Unshuffled(ratio) => {
                parameters["ratio"] = json!(ratio);
                parameters["unshuffled"] = json!(true);
            }
            Plan::Fixed { n_valid, n_test } => parameters["fixed"] = json!([n_valid, n_test]),
            Plan::Listed { valid_share, .. } => {
                parameters["split-list"] = json!(true);
                parameters["valid-share"] = json!(valid_share);
            }
        }
        parameters
    }
}

fn plan(args: &Args) -> anyhow::Result<Plan> {
    match args.fixed[..] {
        [] => {}
        [0] | [0, 0] => return Err(usage("--fixed 0 leaves both valid and test empty")),
        [n] => return Ok(Plan::Fixed { n_valid: n, n_test: n }),
        [n_valid, n_test] => return Ok(Plan::Fixed { n_valid, n_test }),
        _ => return Err(usage("--fixed takes one or two counts, valid and test, as in 10,20")),
    }
    match &args.split_list[..] {
        [] => {}
        [train, test] => {
            let valid_share = args.valid_share;
            if !(0.0..1.0).contains(&valid_share) {
                return Err(usage(format!("--valid-share is {valid_share}, expected 0 or more and below 1")));
            }
            return Ok(Plan::Listed { train: train.clone(), test: test.clone(), valid_share });
        }
        _ => return Err(usage("--split-list takes two files, as in train_list.txt,test_list.txt")),
    }
    let Ok(ratio) = <[f64; 3]>::try_from(args.ratio.clone()) else {
        return Err(usage(format!(
            "--ratio takes three shares, train,valid,test, found {}; 0 leaves a part empty, as in 0.8,0.2,0",
            args.ratio.len()
        )));
    };
    if let Some(share) = ratio.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        return Err(usage(format!("--ratio has the share {share}, expected 0 to 1")));
    }
    let sum: f64 = ratio.iter().sum();
    if (sum - 1.0).abs() > RATIO_TOLERANCE {
        return Err(usage(format!("--ratio sums to {sum:.6}, expected 1")));
    }
    if ratio[0] == 0.0 {
        return Err(usage("--ratio leaves train empty"));
    }
    Ok(if args.unshuffled { Plan::Unshuffled(ratio) } else { Plan::Ratio(ratio) })
}
