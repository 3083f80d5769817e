//! The table of the data, the network and the hyperparameters.

use std::collections::BTreeMap;

use data::head::{Hyperparameters, Keep, StartRecord, TrainingRecord};
use data::manifest::{Row, Split};
use data::rejects::RejectedPicture;
use maud::{Markup, html};
use serde_json::json;

use super::format::{parameter, parameters as parameters_in_words, percent};
use super::results::Results;

/// The section of the page.
pub(super) fn section(results: &Results) -> Markup {
    let recipe = &results.head_info.recipe;
    let row = |name: &str, value: Markup| html! { tr { th scope="row" { (name) } td { (value) } } };
    html! {
        section #settings {
            h2 { "Data and hyperparameters" }
            table.plain {
                (row("data", pictures_by_split(results)))
                (row("rejected", rejected(results)))
                @for (stage, parameters) in &results.made_with {
                    (row(stage, html! { (parameters_in_words(parameters)) }))
                }
                (row("network", html! { (recipe.backbone) ", up to the last pooling (" (recipe.pool) "): " (shape(results)) " features" }))
                (row("weights", html! { (recipe.weights) " " code { (recipe.weights_sha256) } }))
                (row("preprocessing", html! {
                    "preset " (recipe.preset) ", version " (recipe.preprocessing_version) ", " (recipe.image_size) " pixels a side"
                }))
                (row("head", head(results)))
                @if let Some(training) = &results.head_info.training {
                    (row("training", hyperparameters(&training.hyperparameters)))
                    @if let Some(start) = &training.start { (row("start", of_start(start, &training.hyperparameters))) }
                    (row("epochs", epochs(results, training)))
                }
            }
        }
    }
}

/// The hyperparameters of the training.
fn hyperparameters(h: &Hyperparameters) -> Markup {
    html! {
                    (parameter(&json!(h.optimizer))) ", learning rate " (h.learning_rate) ", momentum " (h.momentum)
                    ", weight decay " (h.weight_decay) ", label smoothing " (h.label_smoothing) ", class weights "
                    (parameter(&json!(h.class_weights))) ", batch size " (h.batch_size) ", standardized features: "
                    (parameter(&json!(h.standardize))) ", seed " (h.seed) ", device " (parameter(&json!(h.device)))
    }
}

/// The initial weights of a pretrained classifier.
fn of_start(start: &StartRecord, h: &Hyperparameters) -> Markup {
    html! {
        "ImageNet's classifier, restricted to the classes"
        @if let Some(top1) = start.valid_top1 { ": top-1 " (percent(top1)) " on valid before training" }
        "; penalty on the distance from it " (h.start_penalty)
        @if !start.unknown_classes.is_empty() { "; not known to ImageNet: " (start.unknown_classes.join(", ")) }
    }
}

/// The shape of the features of one picture.
fn shape(results: &Results) -> String {
    let sides: Vec<String> = results.head_info.feature_shape.iter().map(usize::to_string).collect();
    sides.join(" × ")
}

/// The number of pictures in each split.
fn pictures_by_split(results: &Results) -> Markup {
    let is_copy = |row: &&Row| row.augmented.is_some() && !row.replaces_original();
    let n_copies = results.manifest.rows.iter().filter(is_copy).count();
    let pictures = |split: Split| {
        let n = results.n_rows(split) - if split == Split::Train { n_copies } else { 0 };
        let kind =
            if results.is_replaced(split) { " (augmented copies instead of the originals)" } else { "" };
        format!("{n} {split}{kind}")
    };
    let copies = if n_copies > 0 { format!(" and {n_copies} augmented copies") } else { String::new() };
    html! {
        (pictures(Split::Train)) (copies) ", " (pictures(Split::Valid)) ", " (pictures(Split::Test)) " pictures; "
        (results.head_info.classes.len()) " classes"
    }
}

/// The number of pictures that the splitter and the extractor rejected.
fn rejected(results: &Results) -> Markup {
    html! {
        @if let Some(rejected) = &results.rejected_by_splitter {
            (rejected.len()) " by the splitter"
            @if !rejected.is_empty() { " (" (by_reason(rejected)) "; shown at the end)" }
            ", "
        }
        (results.index.n_rejected) " by the extractor"
    }
}

/// The layers of the head.
fn head(results: &Results) -> Markup {
    let sizes: Vec<String> = results.layer_sizes.iter().map(usize::to_string).collect();
    html! {
        (sizes.join(" → "))
        @if let Some(training) = &results.head_info.training {
            @if sizes.len() > 2 {
                ", ReLU between layers, dropout " (training.hyperparameters.dropout) " after the first hidden layer"
            }
            ", softmax"
        } @else {
            ", softmax: ImageNet's own classifier; the probability of a class is the sum of those of its outputs"
        }
    }
}

/// The number of epochs, and the one that was kept.
fn epochs(results: &Results, training: &TrainingRecord) -> Markup {
    html! {
        (results.history.len()) " of at most " (training.epochs) ", patience of early stopping "
        (training.hyperparameters.patience)
        @if training.kept_epoch == 0 {
            "; the weights are those of the start, because no epoch was shown to be better on valid"
        } @else {
            (kept(training))
        }
    }
}

/// The epoch that was kept.
fn kept(training: &TrainingRecord) -> Markup {
    html! {
        "; the weights are those of epoch " (training.kept_epoch)
        @if training.hyperparameters.keep == Keep::Best { ", which has the highest top-1 accuracy on valid" } @else { ", the last" }
    }
}

/// Counts the pictures by reason: `duplicate 3, truncated 1`.
fn by_reason(rejected: &[RejectedPicture]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    rejected.iter().for_each(|reject| *counts.entry(&reject.reason).or_default() += 1);
    counts.iter().map(|(why, n)| format!("{why} {n}")).collect::<Vec<_>>().join(", ")
}
