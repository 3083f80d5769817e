//! My dog: given by a photo or by the name of a breed, and what a rule compares of it.

use std::io;
use std::path::Path;

use data::breeds;
use data::photo::{self, Limits, Reason, Reject};
use data::stage::usage;
use image::RgbImage;

use crate::detect::Kind;
use crate::model::Model;
use crate::rules::{Rule, Wish};
use crate::verdict::Estimate;

/// My dog.
#[derive(Debug, Clone)]
pub struct MyDog {
    /// Its breed as a person reads it.
    pub breed: String,
    /// Its breed.
    pub kind: Kind,
    /// Its size, where its weight is known.
    pub size: Option<Estimate>,
    /// What the photo showed, if a photo was given.
    pub portrait: Option<Portrait>,
}

/// My dog's photo.
#[derive(Debug, Clone)]
pub struct Portrait {
    /// The photo, small.
    pub thumbnail: RgbImage,
    /// The breed's probability.
    pub probability: f64,
}

impl MyDog {
    /// My dog by what was typed: a photo if there is such a file, else a class of the model, else one of
    /// the 120 breeds.
    ///
    /// # Errors
    /// A usage error if it is none of these; an error if the photo cannot be read, or shows a dog with
    /// less than `min_dog`.
    pub fn find(typed: &str, model: &Model, min_dog: f64) -> anyhow::Result<Self> {
        if names_a_file(Path::new(typed)) {
            Self::of_photo(typed, model, min_dog)
        } else {
            Self::of_name(typed, model)
        }
    }

    fn of_photo(typed: &str, model: &Model, min_dog: f64) -> anyhow::Result<Self> {
        let mut seen = model.look(&[Path::new(typed)], |path| read_named(path))?;
        let seen = seen.remove(0);
        let verdict =
            seen.looked.map_err(|reject| anyhow::anyhow!("--my-dog: cannot use {typed}: {reject}"))?;
        anyhow::ensure!(
            verdict.dog_probability >= min_dog,
            "--my-dog: {typed} shows a dog with {:.1} % only, --min-dog asks for {:.1} %; give another photo, or \
             the name of the breed",
            100.0 * verdict.dog_probability,
            100.0 * min_dog
        );
        let (breed, probability) = (verdict.breed.class, verdict.breed.probability);
        Ok(Self {
            breed: model.classes().name(breed),
            kind: model.classes().kind(breed).clone(),
            size: verdict.size,
            portrait: seen.thumbnail.map(|thumbnail| Portrait { thumbnail, probability }),
        })
    }

    fn of_name(typed: &str, model: &Model) -> anyhow::Result<Self> {
        let classes = model.classes();
        let kind = match (classes.find(typed), breeds::find(typed)) {
            (Some(class), _) => classes.kind(class).clone(),
            (None, Some(breed)) => Kind::Breed(breed),
            (None, None) => {
                let near: Vec<String> = breeds::nearest(typed)
                    .into_iter()
                    .map(|breed| breeds::readable(&breed.class_dir))
                    .collect();
                return Err(usage(format!(
                    "--my-dog: {typed:?} is neither a photo nor a breed; did you mean {}? The model knows {}, and \
                     any other of the 120 breeds of Stanford Dogs has a size",
                    near.join(", "),
                    classes.dogs()
                )));
            }
        };
        if kind == Kind::NotADog {
            return Err(usage(format!("--my-dog: {typed:?} is no dog")));
        }
        let size = kind.mid_kg().map(|kg| Estimate::new(kg, model.size_thresholds()));
        let breed = match &kind {
            Kind::Breed(breed) => breeds::readable(&breed.class_dir),
            _ => breeds::readable(typed),
        };
        Ok(Self { breed, kind, size, portrait: None })
    }

    /// What `rule` wishes for a dog such as mine.
    ///
    /// # Errors
    /// A usage error if the rule compares what is not known of my dog, or what the model cannot tell.
    pub fn wish(&self, rule: Rule, model: &Model) -> anyhow::Result<Wish> {
        let classes = model.classes();
        let size = |at_most| match self.size {
            Some(size) => Ok(Wish::Size { mine: size.size, at_most }),
            None => {
                Err(usage(format!("the size of my dog ({}) is not known; choose another --rule", self.breed)))
            }
        };
        match rule {
            Rule::None => Ok(Wish::AnyDog),
            Rule::SameSize => size(0),
            Rule::WithinOneSize => size(1),
            Rule::SameBreed if self.kind == Kind::SomeDog => {
                Err(usage("the breed of my dog is not known; choose another --rule"))
            }
            Rule::SameBreed if !(0..classes.len()).any(|i| *classes.kind(i) == self.kind) => {
                Err(usage(format!(
                    "the model does not know the breed {}, so --rule same-breed would like nobody; it knows {}",
                    self.breed,
                    classes.dogs()
                )))
            }
            Rule::SameBreed => Ok(Wish::Breed(self.kind.clone())),
        }
    }
}

/// Whether what was typed for my dog is meant as a file: there is one, or it looks like a path.
pub(crate) fn names_a_file(typed: &Path) -> bool {
    typed.exists() || typed.components().count() > 1 || typed.extension().is_some()
}

/// The bytes of a photo that the user named; unlike in a profile, a link is followed.
pub(crate) fn read_named(path: &Path) -> Result<Vec<u8>, Reject> {
    let target = path.canonicalize().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Reject::new(Reason::Unreadable, "no such file"),
        _ => Reject::new(Reason::Unreadable, e),
    })?;
    photo::read(&target, &Limits::STANDARD)
}
