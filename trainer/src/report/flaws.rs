//! What is wrong with how the figures came to be, read off the artefacts themselves: whoever does one of
//! these things by a flag gets that one sentence, and the post's own recipe gets them all.

use data::manifest::Split;
use maud::{Markup, html};
use serde_json::json;

use super::material::Material;
use crate::fit::Keep;
use crate::history;

/// The preset with the post's preprocessing.
const POST_PRESET: &str = "tindogr-2018";
/// Inputs up to this many pixels a side leave a last map of 2 x 2 positions or fewer.
const SMALL_INPUT: u32 = 64;

/// Something that makes the figures worth less.
pub(crate) struct Flaw {
    /// What was done, short.
    pub(crate) what: String,
    /// What it does to the figures.
    pub(crate) effect: String,
    /// What mends it.
    pub(crate) repair: &'static str,
}

/// Every flaw that the artefacts show.
pub(crate) fn flaws(material: &Material) -> Vec<Flaw> {
    [
        unscaled(material),
        squashed(material),
        small_input(material),
        unshuffled(material),
        no_valid(material),
        augmented_judges(material),
        replaced_train(material),
        last_epoch(material),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn unscaled(material: &Material) -> Option<Flaw> {
    (material.head.recipe.preset == POST_PRESET).then(|| Flaw {
        what: "Levels are only divided by 255".to_owned(),
        effect:
            "Every weights file of VGG-16 was trained on pictures whose mean colour had been subtracted; \
                 under another scale its filters do not see what they learnt to see, and the figure drops."
                .to_owned(),
        repair: "--preset torchvision, or caffe for the weights that Keras ships",
    })
}

fn squashed(material: &Material) -> Option<Flaw> {
    (material.head.recipe.preset == POST_PRESET).then(|| Flaw {
        what: "Pictures are squashed to a square by the nearest pixel".to_owned(),
        effect:
            "Dogs become thin or fat with the picture's shape, and most pixels are thrown away instead of \
                 averaged: build, which tells breeds apart, is lost."
                .to_owned(),
        repair: "--preset torchvision, which scales by the short side and cuts out the middle",
    })
}

fn small_input(material: &Material) -> Option<Flaw> {
    let size = material.head.recipe.image_size;
    (size <= SMALL_INPUT).then(|| Flaw {
        what: format!("The network sees {size} pixels a side"),
        effect: format!(
            "Its last map has {0} × {0} positions instead of the 7 × 7 it was made for, so that the fine \
             features of a breed are below what it can resolve.",
            size / 32
        ),
        repair: "--image-size 224",
    })
}

fn unshuffled(material: &Material) -> Option<Flaw> {
    (material.made_with("splitter", "unshuffled") == Some(&json!(true))).then(|| Flaw {
        what: "The pictures were split in the order of their names, unshuffled".to_owned(),
        effect:
            "Train and test differ in whatever follows the names (source, upload, camera), so the figure \
                 is that of one arbitrary split, too low or too high, and its interval does not cover that."
                .to_owned(),
        repair: "the splitter without --unshuffled",
    })
}

fn no_valid(material: &Material) -> Option<Flaw> {
    (material.n_rows(Split::Valid) == 0).then(|| Flaw {
        what: "There are no valid pictures".to_owned(),
        effect: "Nothing but the test pictures can choose the epoch or any other parameter, and whoever does so \
                 reports a figure that is too good. The post watched its test pictures after every epoch; here \
                 they were opened once, at the end."
            .to_owned(),
        repair: "--ratio 0.7,0.15,0.15",
    })
}

fn augmented_judges(material: &Material) -> Option<Flaw> {
    let replaced: Vec<&str> = [Split::Valid, Split::Test]
        .into_iter()
        .filter(|&split| material.is_replaced(split))
        .map(Split::name)
        .collect();
    (!replaced.is_empty()).then(|| Flaw {
        what: format!("The {} pictures are augmented, too", replaced.join(" and ")),
        effect:
            "They were turned, shifted, sheared and zoomed at random: the figure says how well distorted \
                 pictures are named, most often too low, and cannot be compared with anybody else's."
                .to_owned(),
        repair: "the augmenter without --replace-originals all",
    })
}

fn replaced_train(material: &Material) -> Option<Flaw> {
    material.is_replaced(Split::Train).then(|| Flaw {
        what: "Every train picture is one distorted copy of itself".to_owned(),
        effect: "The features are computed once, so that each epoch sees the same copy: nothing is gained \
                 from augmentation, and the head never sees a picture as it is."
            .to_owned(),
        repair: "--copies 1 or more beside the originals",
    })
}

fn last_epoch(material: &Material) -> Option<Flaw> {
    let (kept, keep) = material.kept_epoch();
    let valid_top1 = |epoch: usize| 100.0 * material.history[epoch - 1][3];
    let than_which = match history::best_epoch(&material.history) {
        Some(best) if best != kept => format!(
            " Here epoch {best} names {:.1} % of the valid pictures, and the kept one {:.1} %.",
            valid_top1(best),
            valid_top1(kept)
        ),
        _ => String::new(),
    };
    (keep == Keep::Last).then(|| Flaw {
        what: format!("The head is that of the last epoch, {kept}"),
        effect: format!(
            "The post called it the best, but it is whatever the last steps left: a head that has overfitted \
             is reported.{than_which}"
        ),
        repair: "--keep best, which needs valid pictures",
    })
}

/// Flaws, one a row.
pub(crate) fn table(flaws: &[Flaw]) -> Markup {
    html! {
        table.flaws {
            thead { tr { th { "what was done" } th { "what it does to the figure" } th { "what mends it" } } }
            tbody {
                @for flaw in flaws {
                    tr { th scope="row" { (flaw.what) } td { (flaw.effect) } td { (flaw.repair) } }
                }
            }
        }
    }
}

/// The section of the page; nothing where nothing is wrong.
pub(crate) fn section(material: &Material) -> Markup {
    let flaws = flaws(material);
    html! {
        @if !flaws.is_empty() {
            section #flaws {
                h2 { "What is wrong with this recipe" }
                (table(&flaws))
                @if material.head.recipe.preset == POST_PRESET {
                    p.note {
                        "Not repeated are the plain bugs of the post's program: it dropped the last, smaller batch of each "
                        "part, so that features and labels differed in number; it loaded the test features as train "
                        "features; it took the order of the classes from a dictionary; and it counted 122 classes, two of "
                        "them its own output folders."
                    }
                }
            }
        }
    }
}
