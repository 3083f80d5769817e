//! Everything that the report is made from, read and checked to belong together.

use std::path::Path;

use anyhow::Context;
use data::checkpoint::EpochFigures;
use data::current::Inputs;
use data::features::Index;
use data::head::{self, Head, HeadInfo};
use data::manifest::{Manifest, Split};
use data::provenance::{Provenance, sha256_file};
use data::rejects::{self, RejectedPicture};
use serde_json::{Value, json};

use super::ReportArgs;
use crate::evaluate::manifest_of;
use crate::fit::Keep;
use crate::history;
use crate::metrics::{self, Metrics, SplitMetrics};
use crate::predictions::{self, PredictionRow};

/// What the report is made from.
#[derive(Debug)]
pub(crate) struct Material {
    pub(crate) head: HeadInfo,
    /// Inputs and outputs of the head's layers: D, units, K.
    pub(crate) layer_sizes: Vec<usize>,
    pub(crate) index: Index,
    pub(crate) manifest: Manifest,
    pub(crate) history: Vec<EpochFigures>,
    pub(crate) metrics: Metrics,
    /// The split that the report is about: test where it was measured.
    pub(crate) split: Split,
    /// The predictions of that split.
    pub(crate) predictions: Vec<PredictionRow>,
    /// How the data was split and augmented: parameters by stage, where they are known.
    pub(crate) made_with: Vec<(String, Value)>,
    /// Pictures that the splitter rejected; `None` where that is not known.
    pub(crate) rejected_by_splitter: Option<Vec<RejectedPicture>>,
}

/// What the report depends on: everything that [`Material::gather`] reads, and the pictures.
pub(super) fn asked(args: &ReportArgs) -> anyhow::Result<Inputs> {
    let manifest = Manifest::read(&args.manifest)?;
    let pictures: Vec<_> =
        manifest.rows.iter().map(|row| (row.path.clone(), manifest.resolve(row))).collect();
    let dirs = [args.split_dir.as_deref(), args.manifest.parent()];
    let model = |name: &str| args.model.join(name);
    let mut asked = Inputs::new(&json!({}))?
        .file("the manifest", &args.manifest)
        .files("pictures", pictures)
        .file("the index of the features", &args.features.join(Index::FILE_NAME))
        .file("the head", &model(head::FILE_NAME))
        .file("the history", &model(history::FILE_NAME))
        .file("the metrics", &model(metrics::FILE_NAME))
        .file("the predictions", &model(predictions::FILE_NAME))
        .value("how the pictures were split and augmented", &made_with(&dirs)?)?;
    if let Some(dir) = &args.split_dir {
        asked = asked.file("the splitter's rejects", &dir.join(rejects::FILE_NAME));
        let rejected = rejects(Some(dir))?.unwrap_or_default().into_iter();
        asked = asked
            .files("rejected pictures", rejected.map(|reject| (reject.path.clone(), reject.path.into())));
    }
    Ok(asked)
}

impl Material {
    pub(crate) fn gather(args: &ReportArgs) -> anyhow::Result<Self> {
        let index = Index::read(&args.features)?;
        let manifest = manifest_of(&args.manifest, &index)?;
        let head_path = args.model.join(head::FILE_NAME);
        let Head { layers, info } = Head::read(&head_path)?;
        index.layout.recipe.ensure_same(&info.recipe, &head_path, "trainer fit again")?;
        let metrics_path = args.model.join(metrics::FILE_NAME);
        let metrics = Metrics::read(&metrics_path)?;
        anyhow::ensure!(
            metrics.head_sha256 == sha256_file(&head_path)?,
            "{} was measured on another head; run trainer evaluate again",
            metrics_path.display()
        );
        let split = *metrics.splits.keys().next_back().with_context(|| {
            format!("{} has no figures; run trainer evaluate again", metrics_path.display())
        })?;
        let predictions_path = args.model.join(predictions::FILE_NAME);
        let predictions: Vec<PredictionRow> =
            predictions::read(&predictions_path)?.into_iter().filter(|p| p.split == split).collect();
        anyhow::ensure!(
            predictions.len() == metrics.splits[&split].n,
            "{} has {} pictures of {split}, {} has {}; run trainer evaluate again",
            predictions_path.display(),
            predictions.len(),
            metrics_path.display(),
            metrics.splits[&split].n
        );
        let known = |class: &str| info.classes.iter().any(|c| c == class);
        let stranger = predictions.iter().find(|p| !known(&p.actual) || !known(p.predicted()));
        if let Some(p) = stranger {
            anyhow::bail!(
                "{}: {} is called {} or {}, which the head does not know; run trainer evaluate again",
                predictions_path.display(),
                p.path,
                p.actual,
                p.predicted()
            );
        }
        let history = history_of(&args.model, &info)?;
        let layer_sizes = layers.iter().map(|l| l.n_in).chain([info.classes.len()]).collect();
        let dirs = [args.split_dir.as_deref(), args.manifest.parent()];
        let (made_with, rejected_by_splitter) = (made_with(&dirs)?, rejects(args.split_dir.as_deref())?);
        Ok(Self {
            head: info,
            layer_sizes,
            index,
            manifest,
            history,
            metrics,
            split,
            predictions,
            made_with,
            rejected_by_splitter,
        })
    }

    /// The figures of the split that the report is about.
    pub(crate) fn figures(&self) -> &SplitMetrics {
        &self.metrics.splits[&self.split]
    }

    /// A training parameter as a person reads it.
    pub(crate) fn training(&self, flag: &str) -> String {
        match self.head.training.get(flag) {
            None => "unknown".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(is)) => if *is { "yes" } else { "no" }.to_owned(),
            Some(other) => other.to_string(),
        }
    }

    /// A parameter of a stage before the training, where it is known.
    pub(crate) fn made_with(&self, stage: &str, flag: &str) -> Option<&Value> {
        self.made_with.iter().find(|(name, _)| name == stage)?.1.get(flag)
    }

    /// Which epoch gave the head, and why.
    pub(crate) fn kept_epoch(&self) -> (usize, Keep) {
        (best_epoch(&self.head), keep_of(&self.head))
    }

    /// Pictures of a split.
    pub(crate) fn n_rows(&self, split: Split) -> usize {
        self.manifest.rows.iter().filter(|row| row.split == split).count()
    }

    /// Whether the pictures of a split are augmented copies in the place of their originals.
    pub(crate) fn is_replaced(&self, split: Split) -> bool {
        self.manifest.rows.iter().any(|row| row.split == split && row.replaces_original())
    }
}

/// Which epoch the head is of; the best one for heads of before there was a choice.
fn keep_of(head: &HeadInfo) -> Keep {
    let told = head.training.get("keep").cloned();
    told.and_then(|keep| serde_json::from_value(keep).ok()).unwrap_or(Keep::Best)
}

/// The history, if it is that of the head.
fn history_of(model: &Path, head: &HeadInfo) -> anyhow::Result<Vec<EpochFigures>> {
    let path = model.join(history::FILE_NAME);
    let history = history::read(&path)?;
    // Which epoch it was is decided once, by fit, from the figures in full.
    let figures = best_epoch(head).checked_sub(1).and_then(|epoch| history.get(epoch));
    let told = |name: &str| head.training.get(name).and_then(Value::as_str).map(str::to_owned);
    anyhow::ensure!(
        figures.is_some_and(|[_, _, loss, top1, ..]| {
            Some(history::cell(*loss)) == told("valid_loss")
                && Some(history::cell(*top1)) == told("valid_top1")
        }),
        "{} is not the history of {}; run trainer fit again",
        path.display(),
        head::FILE_NAME
    );
    Ok(history)
}

/// The epoch that the head is of, from 1; 0 if it does not say.
fn best_epoch(head: &HeadInfo) -> usize {
    let told = head.training.get("best_epoch").and_then(Value::as_u64);
    told.and_then(|epoch| usize::try_from(epoch).ok()).unwrap_or(0)
}

/// Parameters of the stages whose provenance lies in `dirs`.
fn made_with(dirs: &[Option<&Path>]) -> anyhow::Result<Vec<(String, Value)>> {
    let mut found: Vec<(String, Value)> = Vec::new();
    for dir in dirs.iter().flatten() {
        if let Some(p) = Provenance::read(&dir.join("provenance.json"))?
            && !found.iter().any(|(stage, _)| *stage == p.stage)
        {
            let mut parameters = p.parameters;
            // It says what would have been refused, and nothing about what is there.
            parameters.as_object_mut().map(|flags| flags.remove("max-bad"));
            found.push((p.stage, parameters));
        }
    }
    Ok(found)
}

fn rejects(split_dir: Option<&Path>) -> anyhow::Result<Option<Vec<RejectedPicture>>> {
    split_dir.map_or(Ok(None), |dir| rejects::read(&dir.join(rejects::FILE_NAME)))
}
