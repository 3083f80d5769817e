//! Everything that the stages, `fit` and `evaluate` wrote, read and checked to belong together.

use std::path::PathBuf;

use anyhow::Context;
use data::current::Inputs;
use data::features::Index;
use data::head::{self, Head, HeadInfo, Keep};
use data::manifest::{Manifest, Split};
use data::metrics::{self, Metrics, SplitMetrics};
use data::provenance::{Provenance, sha256_file};
use data::rejects::{self, RejectedPicture};
use serde_json::{Value, json};

use crate::history::{self, Epoch};
use crate::manifest;
use crate::predictions::{self, PredictionRow};

/// The directories and files that results are read from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The feature directory.
    pub features: PathBuf,
    /// The model directory.
    pub model: PathBuf,
    /// The manifest that the features were made from.
    pub manifest: PathBuf,
    /// The output directory of the splitter, where it is known.
    pub split_dir: Option<PathBuf>,
}

impl Sources {
    /// Lists everything that [`Results::read`] reads, and the pictures.
    ///
    /// # Errors
    /// If the manifest, a provenance or the rejects cannot be read.
    pub(super) fn inputs(&self) -> anyhow::Result<Inputs> {
        let manifest = Manifest::read(&self.manifest)?;
        let pictures: Vec<_> =
            manifest.rows.iter().map(|row| (row.path.clone(), manifest.resolve(row))).collect();
        let model = |name: &str| self.model.join(name);
        let mut inputs = Inputs::new(&json!({}))?
            .file("the manifest", &self.manifest)
            .files("pictures", pictures)
            .file("the index of the features", &self.features.join(Index::FILE_NAME))
            .file("the head", &model(head::FILE_NAME))
            .file("the metrics", &model(metrics::FILE_NAME))
            .file("the predictions", &model(predictions::FILE_NAME))
            .value("how the pictures were split and augmented", &self.made_with()?)?;
        if model(history::FILE_NAME).exists() {
            // A head that was not trained has none.
            inputs = inputs.file("the history", &model(history::FILE_NAME));
        }
        if let Some(dir) = &self.split_dir {
            inputs = inputs.file("the splitter's rejects", &dir.join(rejects::FILE_NAME));
            let rejected = self.rejects()?.unwrap_or_default().into_iter();
            inputs = inputs
                .files("rejected pictures", rejected.map(|reject| (reject.path.clone(), reject.path.into())));
        }
        Ok(inputs)
    }

    /// Reads the parameters of the splitter and the augmenter, where their provenance is found.
    fn made_with(&self) -> anyhow::Result<Vec<(String, Value)>> {
        let mut found: Vec<(String, Value)> = Vec::new();
        for dir in [self.split_dir.as_deref(), self.manifest.parent()].into_iter().flatten() {
            if let Some(p) = Provenance::read(&dir.join("provenance.json"))?
                && !found.iter().any(|(stage, _)| *stage == p.stage)
            {
                let mut parameters = p.parameters;
                // It only limits how many pictures may be rejected and does not change those that were not.
                parameters.as_object_mut().map(|flags| flags.remove("max-bad"));
                found.push((p.stage, parameters));
            }
        }
        Ok(found)
    }

    fn rejects(&self) -> anyhow::Result<Option<Vec<RejectedPicture>>> {
        let dir = self.split_dir.as_ref();
        dir.map_or(Ok(None), |dir| rejects::read(&dir.join(rejects::FILE_NAME)))
    }

    /// Reads the metrics, and chooses the split that the report is about: test where it was evaluated.
    fn metrics(&self) -> anyhow::Result<(Metrics, Split)> {
        let path = self.model.join(metrics::FILE_NAME);
        let metrics = Metrics::read(&path)?;
        anyhow::ensure!(
            metrics.head_sha256 == sha256_file(&self.model.join(head::FILE_NAME))?,
            "{} belongs to another head; run trainer evaluate again",
            path.display()
        );
        let split = *metrics
            .splits
            .keys()
            .next_back()
            .with_context(|| format!("{} has no split; run trainer evaluate again", path.display()))?;
        Ok((metrics, split))
    }

    /// Reads the predictions of `split`, of which the metrics have `n`.
    fn predictions(&self, split: Split, n: usize, classes: &[String]) -> anyhow::Result<Vec<PredictionRow>> {
        let path = self.model.join(predictions::FILE_NAME);
        let predictions: Vec<PredictionRow> =
            predictions::read(&path)?.into_iter().filter(|p| p.split == split).collect();
        anyhow::ensure!(
            predictions.len() == n,
            "{} has {} pictures of {split}, {} has {n}; run trainer evaluate again",
            path.display(),
            predictions.len(),
            metrics::FILE_NAME
        );
        let is_known = |class: &str| classes.iter().any(|c| c == class);
        if let Some(p) = predictions.iter().find(|p| !is_known(&p.actual) || !is_known(p.predicted())) {
            anyhow::bail!(
                "{}: {} has the classes {} and {}, expected classes of the head; run trainer evaluate again",
                path.display(),
                p.path,
                p.actual,
                p.predicted()
            );
        }
        Ok(predictions)
    }

    /// Reads the history of a trained head, if it is that of the head.
    fn history(&self, info: &HeadInfo) -> anyhow::Result<Vec<Epoch>> {
        let Some(training) = &info.training else { return Ok(Vec::new()) };
        let path = self.model.join(history::FILE_NAME);
        let history = history::read(&path)?;
        // fit chose the epoch from unrounded numbers; choosing again from rounded ones could give another.
        let kept = match (training.kept_epoch.checked_sub(1), &training.start) {
            (Some(epoch), _) => {
                history.get(epoch).map(|e| (e.valid.map(|v| v.loss), e.valid.map(|v| v.top1)))
            }
            (None, start) => start.as_ref().map(|start| (start.valid_loss, start.valid_top1)),
        };
        let is_same = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-6,
            (None, None) => true,
            _ => false,
        };
        anyhow::ensure!(
            kept.is_some_and(
                |(loss, top1)| is_same(loss, training.valid_loss) && is_same(top1, training.valid_top1)
            ),
            "{} is not the history of {}; run trainer fit again",
            path.display(),
            head::FILE_NAME
        );
        Ok(history)
    }
}

/// The results of one run of all stages.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) head_info: HeadInfo,
    /// D, units of the hidden layers, K.
    pub(crate) layer_sizes: Vec<usize>,
    pub(crate) index: Index,
    pub(crate) manifest: Manifest,
    pub(crate) history: Vec<Epoch>,
    pub(crate) metrics: Metrics,
    /// The split that the report is about: test where it was evaluated.
    pub(crate) split: Split,
    /// The predictions for that split.
    pub(crate) predictions: Vec<PredictionRow>,
    /// Parameters of the splitter and the augmenter by stage, where they are known.
    pub(crate) made_with: Vec<(String, Value)>,
    /// Pictures that the splitter rejected; `None` where that is not known.
    pub(crate) rejected_by_splitter: Option<Vec<RejectedPicture>>,
}

impl Results {
    /// Reads all files.
    ///
    /// # Errors
    /// If one is missing or damaged, or they do not belong together.
    pub(crate) fn read(sources: &Sources) -> anyhow::Result<Self> {
        let index = Index::read(&sources.features)?;
        let manifest = manifest::read(&sources.manifest, &index)?;
        let head_path = sources.model.join(head::FILE_NAME);
        let Head { layers, info } = Head::read(&head_path)?;
        index.layout.recipe.ensure_same(&info.recipe, &head_path, "trainer fit again")?;
        let (metrics, split) = sources.metrics()?;
        let predictions = sources.predictions(split, metrics.splits[&split].n, &info.classes)?;
        let history = sources.history(&info)?;
        Ok(Self {
            layer_sizes: layers.iter().map(|l| l.n_in).chain([info.n_outputs()]).collect(),
            head_info: info,
            index,
            manifest,
            history,
            metrics,
            split,
            predictions,
            made_with: sources.made_with()?,
            rejected_by_splitter: sources.rejects()?,
        })
    }

    /// The metrics of the split that the report is about.
    pub(crate) fn metrics_of_split(&self) -> &SplitMetrics {
        &self.metrics.splits[&self.split]
    }

    /// Which epoch's weights became the head; `None` for a head that was not trained.
    pub(crate) fn keep(&self) -> Option<Keep> {
        self.head_info.training.as_ref().map(|training| training.hyperparameters.keep)
    }

    /// Finds a parameter of a stage before the training, where it is known.
    pub(crate) fn made_with(&self, stage: &str, flag: &str) -> Option<&Value> {
        self.made_with.iter().find(|(name, _)| name == stage)?.1.get(flag)
    }

    /// Counts the pictures of a split.
    pub(crate) fn n_rows(&self, split: Split) -> usize {
        self.manifest.rows.iter().filter(|row| row.split == split).count()
    }

    /// Whether the pictures of a split are augmented copies that replaced their originals.
    pub(crate) fn is_replaced(&self, split: Split) -> bool {
        self.manifest.rows.iter().any(|row| row.split == split && row.replaces_original())
    }
}
