//! My dog, given by a photo or by the name of a breed, and the properties that a rule compares.

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
    /// Readable name of its breed.
    pub breed: String,
    /// Its breed.
    pub kind: Kind,
    /// Its size, if its weight is known.
    pub size: Option<Estimate>,
    /// Its photo, if one was given.
    pub portrait: Option<Portrait>,
}

/// My dog's photo.
#[derive(Debug, Clone)]
pub struct Portrait {
    /// The photo, scaled down.
    pub thumbnail: RgbImage,
    /// Probability of the breed.
    pub probability: f64,
}

impl MyDog {
    /// Finds my dog from the value of `--my-dog`: a photo if the value names a file, else a class of the model,
    /// else one of the 120 breeds.
    ///
    /// # Errors
    /// A usage error if the value is none of these; an error if the photo cannot be read, or if its probability
    /// of a dog is below `min_dog`.
    pub fn find(value: &str, model: &Model, min_dog: f64) -> anyhow::Result<Self> {
        if names_a_file(Path::new(value)) {
            Self::of_photo(value, model, min_dog)
        } else {
            Self::of_name(value, model)
        }
    }

    fn of_photo(value: &str, model: &Model, min_dog: f64) -> anyhow::Result<Self> {
        let mut seen = model.look(&[Path::new(value)], |path| read_named(path))?;
        let seen = seen.remove(0);
        let verdict =
            seen.looked.map_err(|reject| anyhow::anyhow!("--my-dog: cannot use {value}: {reject}"))?;
        anyhow::ensure!(
            verdict.dog_probability >= min_dog,
            "--my-dog: {value} shows a dog with a probability of {:.1} %, --min-dog requires {:.1} %; give another \
             photo, or the name of the breed",
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

    fn of_name(value: &str, model: &Model) -> anyhow::Result<Self> {
        let classes = model.classes();
        let kind = match (classes.find(value), breeds::find(value)) {
            (Some(class), _) => classes.kind(class).clone(),
            (None, Some(breed)) => Kind::Breed(breed),
            (None, None) => {
                let near: Vec<String> = breeds::nearest(value)
                    .into_iter()
                    .map(|breed| breeds::readable(&breed.class_dir))
                    .collect();
                return Err(usage(format!(
                    "--my-dog: {value:?} is neither a photo nor a breed; did you mean {}? The model knows {}, and \
                     any other of the 120 breeds of Stanford Dogs has a size",
                    near.join(", "),
                    classes.dogs()
                )));
            }
        };
        if kind == Kind::NotADog {
            return Err(usage(format!("--my-dog: {value:?} is not a dog")));
        }
        let size = kind.mid_kg().map(|kg| Estimate::of_breed(kg, model.size_thresholds()));
        let breed = match &kind {
            Kind::Breed(breed) => breeds::readable(&breed.class_dir),
            _ => breeds::readable(value),
        };
        Ok(Self { breed, kind, size, portrait: None })
    }

    /// Returns the condition that `rule` makes of my dog.
    ///
    /// # Errors
    /// A usage error if the rule needs a property that is unknown for my dog, or a breed that the model lacks.
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

/// Returns whether the value of `--my-dog` names a file: the file exists, or the value looks like a path.
pub(crate) fn names_a_file(value: &Path) -> bool {
    value.exists() || value.components().count() > 1 || value.extension().is_some()
}

/// Reads the bytes of a photo that the user named. Unlike for a path from a profile, a link is followed.
pub(crate) fn read_named(path: &Path) -> Result<Vec<u8>, Reject> {
    let target = path.canonicalize().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Reject::new(Reason::Unreadable, "no such file"),
        _ => Reject::new(Reason::Unreadable, e),
    })?;
    photo::read(&target, &Limits::STANDARD)
}
