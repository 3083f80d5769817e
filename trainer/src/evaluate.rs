//! `trainer evaluate`: how good the head is on pictures that it was not trained on. The one place that
//! opens the features of test.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use data::commit;
use data::current::{Inputs, Place, RerunArgs};
use data::features::{Features, Index, SplitFeatures};
use data::head;
use data::manifest::{self, Manifest, Split};
use data::provenance::{FORMAT_VERSION, sha256_file};
use data::stage::{self, CommonArgs, usage};
use serde::Serialize;
use serde_json::json;

use crate::classifier::Classifier;
use crate::imagenet::ImagenetHead;
use crate::imagenet::baseline::{Baseline, BaselineSplit, Mask};
use crate::metrics::{self, Metrics, Prediction, SplitMetrics, sizes_of, top5_tells};
use crate::predictions;

/// Flags of `trainer evaluate`.
#[derive(Debug, Clone, clap::Args)]
pub struct EvaluateArgs {
    /// Directory with the features (index.json)
    #[arg(long)]
    pub features: PathBuf,
    /// Directory with head.safetensors; metrics.json, predictions.csv and confusion.csv are written there
    #[arg(long)]
    pub model: PathBuf,
    /// The manifest that the features were made from: it knows the pictures' paths
    #[arg(long)]
    pub manifest: PathBuf,
    /// Parts of the data to measure on [default: valid, where it has pictures, and test]
    #[arg(long, value_delimiter = ',')]
    pub split: Vec<Split>,
    /// The dense layers that the network was published with (weights --full writes OUT/vgg16-classifier.safetensors):
    /// this head, restricted to the classes at hand, is measured beside the trained one
    #[arg(long, value_name = "FILE")]
    pub imagenet: Option<PathBuf>,
    /// What to do about figures that are there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}

/// What evaluate leaves.
const OUTPUTS: [&str; 3] = [predictions::FILE_NAME, predictions::CONFUSION_FILE_NAME, metrics::FILE_NAME];

/// Measures a head; `None` if the figures are current, or only that was asked.
///
/// # Errors
/// If features, head and manifest do not belong together, a split has no pictures, or a file cannot be
/// written.
pub fn evaluate(args: &EvaluateArgs, common: &CommonArgs) -> anyhow::Result<Option<Summary>> {
    if args.split.contains(&Split::Train) {
        return Err(usage("--split train: a head is not measured on what it was trained on"));
    }
    let place = Place::new(&args.model, "provenance-evaluate.json", "trainer evaluate");
    let Some(mut job) = place.start(&args.rerun, common, || asked(args))? else { return Ok(None) };
    let _lock = commit::lock(&args.model, "trainer")?;
    job.declare(OUTPUTS.map(str::to_owned))?;
    let features = Features::open(&args.features)?;
    let manifest = manifest_of(&args.manifest, &features.index)?;
    let classifier = Classifier::open(&args.model)?;
    ensure_belongs(&classifier, &features.index, args)?;
    warn_of_replaced(&manifest);
    let has_valid = features.index.shards.get(&Split::Valid).is_some_and(|shards| !shards.is_empty());
    let splits = match &args.split[..] {
        [] if has_valid => &[Split::Valid, Split::Test],
        [] => &[Split::Test][..],
        asked => asked,
    };
    let classes = &classifier.info().classes;
    let mask = Mask::of(classes);
    let imagenet = imagenet_head(args, &mask, &features.index)?;
    let mut predicted = BTreeMap::new();
    let mut beside = BTreeMap::new();
    for &split in splits {
        let pictures = open_pictures(&features, split, &manifest)?;
        let predictions = predict(&classifier, &pictures, common)?;
        if let Some(head) = &imagenet {
            let baseline = predict_by_imagenet(head, &mask, &pictures, common)?;
            beside.extend(BaselineSplit::of(&baseline, &predictions).map(|figures| (split, figures)));
        }
        predicted.insert(split, predictions);
    }
    let metrics = Metrics {
        format_version: FORMAT_VERSION,
        head_sha256: sha256_file(&args.model.join(head::FILE_NAME))?,
        imagenet: imagenet.is_some().then(|| baseline(args, mask, beside)),
        splits: predicted.iter().map(|(split, p)| (*split, SplitMetrics::of(p, classes))).collect(),
    };
    predictions::write(&args.model.join(predictions::FILE_NAME), &predicted, &manifest, classes)?;
    predictions::write_confusion(&args.model.join(predictions::CONFUSION_FILE_NAME), &predicted, classes)?;
    metrics.write(&args.model.join(metrics::FILE_NAME))?;
    job.finish(OUTPUTS.map(str::to_owned))?;
    Ok(Some(Summary { metrics }))
}

/// What the figures depend on.
fn asked(args: &EvaluateArgs) -> anyhow::Result<Inputs> {
    let splits: Vec<&str> = args.split.iter().map(|split| split.name()).collect();
    let asked = Inputs::new(&json!({ "split": splits }))?
        .files("features", Index::files(&args.features, &[Split::Valid, Split::Test])?)
        .file("the manifest", &args.manifest)
        .file("the head", &args.model.join(head::FILE_NAME));
    Ok(match &args.imagenet {
        Some(path) => asked.file("ImageNet's head", path),
        None => asked,
    })
}

/// Says which figures will be of augmented pictures.
fn warn_of_replaced(manifest: &Manifest) {
    for split in [Split::Valid, Split::Test] {
        if manifest.rows.iter().any(|row| row.split == split && row.replaces_original()) {
            tracing::warn!(
                "the {split} pictures are augmented copies: the figures do not say how good the head is on \
                 photos as they are"
            );
        }
    }
}

/// The manifest at `path`, if it is the one that the features of `index` were made from.
///
/// # Errors
/// If it is missing, damaged or another one.
pub(crate) fn manifest_of(path: &Path, index: &Index) -> anyhow::Result<Manifest> {
    let manifest = Manifest::read(path)?;
    anyhow::ensure!(
        manifest.sha256 == index.manifest_sha256,
        "{} is not the manifest that the features were made from; run the extractor again",
        path.display()
    );
    anyhow::ensure!(
        manifest.rows.len() == index.n_pictures(),
        "{} has {} rows, the index of the features accounts for {}; run the extractor again",
        path.display(),
        manifest.rows.len(),
        index.n_pictures()
    );
    Ok(manifest)
}

fn ensure_belongs(classifier: &Classifier, index: &Index, args: &EvaluateArgs) -> anyhow::Result<()> {
    let file = args.model.join(head::FILE_NAME);
    let info = classifier.info();
    index.layout.recipe.ensure_same(&info.recipe, &file, "trainer fit again")?;
    anyhow::ensure!(
        info.classes == index.classes,
        "{} was trained on other classes than {} has ({}); run trainer fit again",
        file.display(),
        args.features.display(),
        first_difference(&info.classes, &index.classes),
    );
    anyhow::ensure!(
        info.feature_shape == index.layout.shape,
        "{} takes features of shape {:?}, {} has {:?}; run trainer fit again",
        file.display(),
        info.feature_shape,
        args.features.display(),
        index.layout.shape
    );
    Ok(())
}

fn first_difference(head: &[String], features: &[String]) -> String {
    let at = head.iter().zip(features).take_while(|(a, b)| a == b).count();
    let name = |classes: &[String]| classes.get(at).map_or("none".to_owned(), |c| format!("{c:?}"));
    format!("output {at} is {}, expected {}", name(head), name(features))
}

/// ImageNet's head, if it was asked for and knows any of the classes.
fn imagenet_head(args: &EvaluateArgs, mask: &Mask, index: &Index) -> anyhow::Result<Option<ImagenetHead>> {
    let Some(path) = &args.imagenet else { return Ok(None) };
    if mask.len() == 0 {
        tracing::warn!(
            "--imagenet: none of the {} classes bears the name of a breed of Stanford Dogs, so that ImageNet's head \
             is not measured",
            index.classes.len()
        );
        return Ok(None);
    }
    ImagenetHead::open(path, &index.layout.recipe).map(Some)
}

fn baseline(args: &EvaluateArgs, mask: Mask, splits: BTreeMap<Split, BaselineSplit>) -> Baseline {
    let name = args.imagenet.as_deref().and_then(Path::file_name).unwrap_or_default();
    Baseline {
        weights: name.to_string_lossy().into_owned(),
        n_classes: mask.len(),
        left_out: mask.left_out,
        splits,
    }
}

fn open_pictures(features: &Features, split: Split, manifest: &Manifest) -> anyhow::Result<SplitFeatures> {
    let pictures = features.open_split(split)?;
    anyhow::ensure!(
        !pictures.is_empty(),
        "there are no {split} pictures to measure on; run the splitter with a --ratio that gives {split} \
         some, or ask for another --split"
    );
    for (&row, &label) in pictures.rows().iter().zip(pictures.labels()) {
        let is_that = |of: &manifest::Row| {
            of.split == split && features.index.classes.get(label as usize) == Some(&of.class)
        };
        anyhow::ensure!(
            manifest.rows.get(row as usize).is_some_and(is_that),
            "the {split} features have row {row} of the manifest with the label {label}, which {} does not; run \
             the extractor again",
            manifest.path.display()
        );
    }
    Ok(pictures)
}

fn predict(
    classifier: &Classifier,
    pictures: &SplitFeatures,
    common: &CommonArgs,
) -> anyhow::Result<Vec<Prediction>> {
    let sizes = sizes_of(&classifier.info().classes);
    let mut predictions = Vec::with_capacity(pictures.len());
    in_batches(pictures, common, |pictures, batch| {
        for (&(row, label), log_probabilities) in pictures.iter().zip(classifier.log_probabilities(batch)?) {
            predictions.push(Prediction::new(row, label, &log_probabilities, &sizes));
        }
        Ok(())
    })?;
    Ok(predictions)
}

/// Without the pictures of classes that ImageNet does not have.
fn predict_by_imagenet(
    head: &ImagenetHead,
    mask: &Mask,
    pictures: &SplitFeatures,
    common: &CommonArgs,
) -> anyhow::Result<Vec<Prediction>> {
    let mut predictions = Vec::with_capacity(pictures.len());
    in_batches(pictures, common, |pictures, batch| {
        for (&(row, label), logits) in pictures.iter().zip(head.logits(batch)?) {
            predictions.extend(mask.predict(row, label, &logits));
        }
        Ok(())
    })?;
    Ok(predictions)
}

/// Hands `visit` the pictures batch by batch: (row of the manifest, label) of each, and its features.
fn in_batches(
    pictures: &SplitFeatures,
    common: &CommonArgs,
    mut visit: impl FnMut(&[(u32, usize)], &[&[f32]]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bar = stage::progress(common, pictures.len() as u64, "pictures");
    let order: Vec<usize> = (0..pictures.len()).collect();
    for indices in order.chunks(crate::classifier::BATCH_SIZE) {
        stage::check_interrupted()?;
        let rows = indices.iter().map(|&i| pictures.row(i)).collect::<anyhow::Result<Vec<_>>>()?;
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let named: Vec<_> =
            indices.iter().map(|&i| (pictures.rows()[i], pictures.labels()[i] as usize)).collect();
        visit(&named, &rows)?;
        bar.inc(indices.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Summary {
    /// As in `metrics.json`.
    pub metrics: Metrics,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (split, m) in &self.metrics.splits {
            let [low, high] = m.top1_interval.map(|x| 100.0 * x);
            let top5 = |top5: f64| {
                if top5_tells(m.n_classes) { format!(", top-5 {:.1} %", 100.0 * top5) } else { String::new() }
            };
            writeln!(
                f,
                "{split}: top-1 {:.1} % ({low:.1} to {high:.1}){}, loss {:.4} on {} pictures of {} \
                 classes; the most frequent class alone: {:.1} %",
                100.0 * m.top1,
                top5(m.top5),
                m.loss,
                m.n,
                m.n_classes,
                100.0 * m.majority_top1
            )?;
            if let Some(beside) = self.metrics.imagenet.as_ref().and_then(|i| i.splits.get(split)) {
                let [low, high] = beside.imagenet.top1_interval.map(|x| 100.0 * x);
                writeln!(
                    f,
                    "{split}: ImageNet's own head, untrained on this, top-1 {:.1} % ({low:.1} to {high:.1}){}; \
                     the trained head on the same {} pictures {:.1} %",
                    100.0 * beside.imagenet.top1,
                    top5(beside.imagenet.top5),
                    beside.n,
                    100.0 * beside.head.top1
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
