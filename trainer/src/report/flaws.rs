//! Flaws of the recipe that make the metrics worth less, found in the files of the stages. The post's own recipe has all
//! of them.

use data::head::Keep;
use data::manifest::Split;
use maud::{Markup, html};
use serde_json::json;

use super::results::Results;
use crate::history;

/// The preset with the post's preprocessing.
const POST_PRESET: &str = "tindogr-2018";
/// Image size, in pixels a side, up to which the last feature map has 2 x 2 positions or fewer.
const SMALL_INPUT: u32 = 64;

/// A flaw of the recipe.
pub(crate) struct Flaw {
    /// What was done.
    pub(crate) what: String,
    /// The effect on the metrics.
    pub(crate) effect: String,
    /// The flags that avoid it.
    pub(crate) fix: &'static str,
}

/// Finds every flaw.
pub(crate) fn flaws(results: &Results) -> Vec<Flaw> {
    [
        unscaled(results),
        squashed(results),
        small_input(results),
        unshuffled(results),
        no_valid(results),
        augmented_test(results),
        replaced_train(results),
        last_epoch(results),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn unscaled(results: &Results) -> Option<Flaw> {
    (results.head_info.recipe.preset == POST_PRESET).then(|| Flaw {
        what: "Pixel values are only divided by 255".to_owned(),
        effect:
            "VGG-16 was trained on pictures whose mean colour had been subtracted; on another scale its filters \
                 respond differently, and the accuracy drops."
                .to_owned(),
        fix: "--preset torchvision, or caffe for the weights that Keras ships",
    })
}

fn squashed(results: &Results) -> Option<Flaw> {
    (results.head_info.recipe.preset == POST_PRESET).then(|| Flaw {
        what: "Pictures are resized to a square by nearest neighbour".to_owned(),
        effect:
            "The aspect ratio changes and most pixels are discarded instead of averaged, so that body proportions, \
                 which distinguish breeds, are lost."
                .to_owned(),
        fix: "--preset torchvision, which resizes the short side and crops the centre",
    })
}

fn small_input(results: &Results) -> Option<Flaw> {
    let size = results.head_info.recipe.image_size;
    (size <= SMALL_INPUT).then(|| Flaw {
        what: format!("The image size is {size} pixels a side"),
        effect: format!(
            "The last feature map has {0} × {0} positions instead of 7 × 7, so that the network cannot resolve the \
             details of a breed.",
            size / 32
        ),
        fix: "--image-size 224",
    })
}

fn unshuffled(results: &Results) -> Option<Flaw> {
    (results.made_with("splitter", "unshuffled") == Some(&json!(true))).then(|| Flaw {
        what: "The pictures were split in the order of their names, unshuffled".to_owned(),
        effect:
            "Train and test differ in everything that the order of names depends on (source, upload, camera), so the \
                 accuracy may be too low or too high, and its confidence interval does not include that error."
                .to_owned(),
        fix: "the splitter without --unshuffled",
    })
}

fn no_valid(results: &Results) -> Option<Flaw> {
    (results.n_rows(Split::Valid) == 0).then(|| Flaw {
        what: "There are no valid pictures".to_owned(),
        effect: "Only the test pictures are left to choose the epoch or a hyperparameter, which makes the reported \
                 accuracy too high. The post evaluated on its test pictures after every epoch; here they are opened \
                 once, at the end."
            .to_owned(),
        fix: "--ratio 0.7,0.15,0.15",
    })
}

fn augmented_test(results: &Results) -> Option<Flaw> {
    let replaced: Vec<&str> = [Split::Valid, Split::Test]
        .into_iter()
        .filter(|&split| results.is_replaced(split))
        .map(Split::name)
        .collect();
    (!replaced.is_empty()).then(|| Flaw {
        what: format!("The {} pictures are augmented, too", replaced.join(" and ")),
        effect:
            "They were rotated, shifted, sheared and zoomed at random: the metrics are of distorted pictures, usually \
                 too low, and cannot be compared with other results."
                .to_owned(),
        fix: "the augmenter without --replace-originals all",
    })
}

fn replaced_train(results: &Results) -> Option<Flaw> {
    results.is_replaced(Split::Train).then(|| Flaw {
        what: "Every train picture was replaced by one augmented copy".to_owned(),
        effect: "The features are computed once, so every epoch has the same copy: there is no benefit from \
                 augmentation, and the head is never trained on an original picture."
            .to_owned(),
        fix: "--copies 1 or more in addition to the originals",
    })
}

fn last_epoch(results: &Results) -> Option<Flaw> {
    let training = results.head_info.training.as_ref()?;
    let kept = training.kept_epoch;
    let valid_top1 = |epoch: usize| Some(100.0 * results.history.get(epoch.checked_sub(1)?)?.valid?.top1);
    let comparison = history::best_epoch(&results.history).filter(|best| *best != kept).and_then(|best| {
        let (best_top1, kept_top1) = (valid_top1(best)?, valid_top1(kept)?);
        Some(format!(
            " Here epoch {best} has a top-1 accuracy of {best_top1:.1} % on valid, and the last one {kept_top1:.1} %."
        ))
    });
    (training.hyperparameters.keep == Keep::Last).then(|| Flaw {
        what: format!("The head is that of the last epoch, {kept}"),
        effect: format!(
            "The post called it the best, but the last epoch may be overfitted.{}",
            comparison.unwrap_or_default()
        ),
        fix: "--keep best, which needs valid pictures",
    })
}

/// A table of flaws.
pub(crate) fn table(flaws: &[Flaw]) -> Markup {
    html! {
        table.flaws {
            thead { tr { th { "what was done" } th { "effect on the metrics" } th { "how to avoid it" } } }
            tbody {
                @for flaw in flaws {
                    tr { th scope="row" { (flaw.what) } td { (flaw.effect) } td { (flaw.fix) } }
                }
            }
        }
    }
}

/// The section of the page; empty without flaws.
pub(crate) fn section(results: &Results) -> Markup {
    let flaws = flaws(results);
    html! {
        @if !flaws.is_empty() {
            section #flaws {
                h2 { "What is wrong with this recipe" }
                (table(&flaws))
                @if results.head_info.recipe.preset == POST_PRESET {
                    p.note {
                        "These bugs of the post's program are not repeated: it dropped the last, smaller batch of each split, "
                        "so that features and labels differed in number; it loaded the test features as train features; it "
                        "took the order of the classes from a dictionary; and it counted 122 classes, two of them its own "
                        "output folders."
                    }
                }
            }
        }
    }
}
