//! `matches.html`: one self-contained page that shows the liked and passed profiles with the reasons.

use anyhow::Context;
use base64::Engine;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::decisions::{self, Decided};
use crate::detect::Classes;
use crate::model::{Model, shrink};
use crate::my_dog::MyDog;
use crate::rules::{Answer, Rule};

/// Name of the page in the output directory.
pub const FILE_NAME: &str = "matches.html";

/// Maximum numbers of liked, passed and unseen profiles on the page, which is then about 10 MB.
const MAX_SHOWN: [usize; 3] = [300, 300, 100];
/// Pixels of a small photo's longer side.
const SMALL_SIDE: u32 = 112;
const JPEG_QUALITY: u8 = 82;

/// The cards of the page, in the order in which they were added.
#[derive(Debug)]
pub struct Gallery {
    sections: [Section; 3],
}

#[derive(Debug, Default)]
struct Section {
    cards: Vec<Card>,
    n: usize,
}

#[derive(Debug)]
struct Card {
    name: String,
    /// Age and distance.
    about: String,
    photo: Option<String>,
    dog: Option<Dog>,
    reason: String,
}

#[derive(Debug)]
struct Dog {
    breed: String,
    probability: String,
    size: String,
}

impl Gallery {
    /// Returns a page without cards.
    pub fn new() -> Self {
        Self { sections: Default::default() }
    }

    /// Adds a profile with its photo.
    ///
    /// # Errors
    /// If the photo cannot be encoded.
    pub fn add(
        &mut self,
        decided: &Decided<'_>,
        photo: Option<&RgbImage>,
        classes: &Classes,
    ) -> anyhow::Result<()> {
        let which = match decided.decision.answer {
            Answer::Like => 0,
            Answer::Pass => 1,
            Answer::PassUnseen => 2,
        };
        let section = &mut self.sections[which];
        section.n += 1;
        if section.cards.len() == MAX_SHOWN[which] {
            return Ok(());
        }
        let photo = match decided.decision.answer {
            Answer::Like => photo.map(data_uri),
            Answer::Pass | Answer::PassUnseen => photo.map(|p| data_uri(&shrink(p, SMALL_SIDE))),
        };
        let profile = decided.profile;
        let age = profile.age.map(|age| age.to_string());
        let distance = decided.distance_km.map(|km| format!("{km:.0} km"));
        section.cards.push(Card {
            name: if profile.name.is_empty() { profile.id.clone() } else { profile.name.clone() },
            about: [age, distance].into_iter().flatten().collect::<Vec<_>>().join(" · "),
            photo: photo.transpose()?,
            dog: decided.dog().map(|verdict| Dog {
                breed: classes.name(verdict.breed.class),
                probability: percent(verdict.breed.probability),
                size: verdict
                    .size
                    .map_or("size unknown".to_owned(), |s| format!("{}, about {:.0} kg", s.size, s.kg)),
            }),
            reason: decided.decision.reason.clone(),
        });
        Ok(())
    }

    /// Returns the whole page as HTML.
    pub fn page(&self, model: &Model, my_dog: Option<&MyDog>, rule: Rule, n_rejected: usize) -> String {
        let [likes, passes, unseen] = &self.sections;
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (counted(likes.n, "match", "matches")) }
                    style { (PreEscaped(include_str!("gallery.css"))) }
                }
                body {
                    header {
                        div.mine { (portrait(my_dog)) (wish(my_dog, rule)) }
                        (counts([likes.n, passes.n, unseen.n, n_rejected]))
                    }
                    (notices(model))
                    main {
                        section.likes {
                            h2 { "Swipe right" }
                            @if likes.cards.is_empty() { p.none { "No profile was liked." } }
                            div.cards { @for card in &likes.cards { (large(card)) } }
                            (rest(likes))
                        }
                        @if !passes.cards.is_empty() {
                            section.passes {
                                h2 { "Swipe left" }
                                ul.rows { @for card in &passes.cards { (small(card)) } }
                                (rest(passes))
                            }
                        }
                        @if !unseen.cards.is_empty() {
                            section.passes {
                                h2 { "No readable photo" }
                                ul.rows { @for card in &unseen.cards { (small(card)) } }
                                (rest(unseen))
                            }
                        }
                    }
                    footer { (footer_text(model)) }
                }
            }
        }
        .into_string()
    }
}

impl Default for Gallery {
    fn default() -> Self {
        Self::new()
    }
}

fn portrait(my_dog: Option<&MyDog>) -> Markup {
    let photo = my_dog.and_then(|dog| dog.portrait.as_ref()).and_then(|p| data_uri(&p.thumbnail).ok());
    html! {
        @match photo {
            Some(uri) => img src=(uri) alt="my dog";,
            None => div.blank aria-hidden="true" { (paw()) },
        }
    }
}

fn wish(my_dog: Option<&MyDog>, rule: Rule) -> Markup {
    let text = match rule {
        Rule::None => "Looking for any dog.",
        Rule::SameBreed => "Looking for a dog of the same breed.",
        Rule::SameSize => "Looking for a dog of the same size.",
        Rule::WithinOneSize => "Looking for a dog of the same size, or one size smaller or larger.",
    };
    html! {
        div {
            p.kicker { "My dog" }
            @match my_dog {
                None => h1 { "Not given" },
                Some(dog) => {
                    h1 { (dog.breed) }
                    p.facts {
                        @match dog.size {
                            Some(size) => { (size.size) ", about " (format!("{:.0}", size.kg)) " kg" },
                            None => "size unknown",
                        }
                        @match &dog.portrait {
                            Some(p) => { " · from a photo, " (percent(p.probability)) },
                            None => " · from its name",
                        }
                    }
                }
            }
            p.rule { (text) " " code { "--rule " (rule.to_string()) } }
        }
    }
}

/// Shows the numbers of liked, passed, unseen and rejected profiles; the last two only if they are not 0.
fn counts(numbers: [usize; 4]) -> Markup {
    let names = ["liked", "passed", "without a readable photo", "rows that are not profiles"];
    html! {
        dl.counts {
            @for (i, (n, what)) in numbers.into_iter().zip(names).enumerate() {
                @if n > 0 || i < 2 { div { dt { (what) } dd { (n) } } }
            }
        }
    }
}

fn notices(model: &Model) -> Markup {
    html! {
        @if !model.info().recipe.weights_trained {
            p.notice {
                strong { "The network is untrained. " }
                "Its weights (" code { (model.info().recipe.weights) } ") are random numbers; only the small \
                 classifier on top was trained. Breeds and sizes on this page show that the programs work \
                 together, and mean nothing for real photos. For meaningful results take trained weights: \
                 make all MODEL=pretrained."
            }
        }
        p.quality { "The model: " (model.quality().in_words()) "." }
        @if !model.classes().can_say_no_dog() {
            p.notice {
                strong { "Every photo is assumed to show a dog. " }
                "The model was trained without pictures that show no dog."
            }
        }
    }
}

/// Shows a liked profile.
fn large(card: &Card) -> Markup {
    html! {
        article {
            (photo(card))
            div.text {
                h3 dir="auto" { (card.name) @if !card.about.is_empty() { span { (card.about) } } }
                @if let Some(dog) = &card.dog {
                    p.breed { (dog.breed) " " span { (dog.probability) } }
                    p.size { (dog.size) }
                }
                p.reason { (card.reason) }
            }
        }
    }
}

/// Shows a passed profile.
fn small(card: &Card) -> Markup {
    html! {
        li {
            (photo(card))
            div.text {
                p.who dir="auto" { (card.name) @if !card.about.is_empty() { span { (card.about) } } }
                p.reason { (card.reason) }
                @if let Some(dog) = &card.dog { p.breed { (dog.breed) " " span { (dog.probability) } ", " (dog.size) } }
            }
        }
    }
}

fn photo(card: &Card) -> Markup {
    html! {
        @match &card.photo {
            Some(uri) => img src=(uri) alt={ "photo of " (card.name) };,
            None => div.blank aria-hidden="true" { (card.name.chars().next().unwrap_or('?')) },
        }
    }
}

fn rest(section: &Section) -> Markup {
    let n = section.n - section.cards.len();
    html! { @if n > 0 { p.none { "And " (n) " more, in " code { (decisions::FILE_NAME) } "." } } }
}

fn footer_text(model: &Model) -> Markup {
    let info = model.info();
    html! {
        p {
            "Model: " (info.recipe.to_string()) ", " (counted(info.classes.len(), "class", "classes"))
            ". If a profile has several photos, the one with the highest probability of a dog decides. The \
             percentage is the probability of the breed. The size is the one with the largest \
             summed probability of its breeds, so it can differ from that of the breed shown."
        }
        p { "All decisions with their numbers: " code { (decisions::FILE_NAME) } "." }
    }
}

/// Draws a dog's paw as SVG, so that the page needs no font and no other file.
fn paw() -> Markup {
    html! {
        svg viewBox="0 0 48 48" role="img" {
            @for (x, y, rx, ry) in [(10, 23, 4, 6), (19, 13, 4, 7), (29, 13, 4, 7), (38, 23, 4, 6)] {
                ellipse cx=(x) cy=(y) rx=(rx) ry=(ry) {}
            }
            path d="M24 24c7 0 13 7 13 12 0 4-4 5-7 4-4-1-8-1-12 0-3 1-7 0-7-4 0-5 6-12 13-12z" {}
        }
    }
}

fn data_uri(photo: &RgbImage) -> anyhow::Result<String> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode_image(photo)
        .context("cannot encode a photo")?;
    Ok(format!("data:image/jpeg;base64,{}", base64::engine::general_purpose::STANDARD.encode(jpeg)))
}

fn percent(p: f64) -> String {
    format!("{:.0} %", 100.0 * p)
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
