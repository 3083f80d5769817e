//! The result of `trainer fit`, as text and as JSON.

use std::fmt;

use data::head::Keep;
use serde::Serialize;

/// The result of a training run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Pictures in train, augmented copies included.
    pub n_train: usize,
    /// Pictures in valid.
    pub n_valid: usize,
    /// Number of classes.
    pub n_classes: usize,
    /// Number of epochs, those before an interruption included.
    pub epochs: usize,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
    /// The epoch whose weights became the head.
    pub kept_epoch: usize,
    /// Why that epoch.
    pub keep: Keep,
    /// Its loss on valid; `None` without valid pictures.
    pub valid_loss: Option<f64>,
    /// Its top-1 accuracy on valid, 0 to 1; `None` without valid pictures.
    pub valid_top1: Option<f64>,
    /// Top-1 accuracy on valid of pretrained initial weights, 0 to 1; `None` for random ones, or without valid pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_valid_top1: Option<f64>,
    /// Path of the head.
    pub head: String,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let early =
            if self.stopped_early { " (stopped early: the valid loss no longer decreases)" } else { "" };
        let epochs = if self.epochs == 1 { "epoch" } else { "epochs" };
        writeln!(
            f,
            "trained on {} pictures of {} classes for {} {epochs}{early}",
            self.n_train, self.n_classes, self.epochs
        )?;
        let which = match self.keep {
            Keep::Best => "best",
            Keep::Last => "last",
        };
        match self.kept_epoch {
            0 => write!(f, "kept the pretrained start, because no epoch was shown to be better on valid: ")?,
            epoch => write!(f, "{which} epoch {epoch}: ")?,
        }
        match (self.valid_loss, self.valid_top1) {
            (Some(loss), Some(top1)) => writeln!(
                f,
                "top-1 {:.1} % and loss {loss:.4} on {} valid pictures",
                100.0 * top1,
                self.n_valid
            )?,
            _ => writeln!(f, "not evaluated, because there are no valid pictures")?,
        }
        if let (Some(top1), 1..) = (self.start_valid_top1, self.kept_epoch) {
            writeln!(f, "the pretrained start: top-1 {:.1} % on them", 100.0 * top1)?;
        }
        write!(f, "wrote {}", self.head)
    }
}
