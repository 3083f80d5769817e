//! The class folders and their pictures.

use data::{breeds, draw, stage};
use image::RgbImage;
use rayon::prelude::*;

use crate::breeds::{BREEDS, Painted};
use crate::config::Config;
use crate::output::Output;
use crate::picture::{self, Subject, jpeg};

/// A class folder and the content of its pictures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Class {
    pub(crate) dir: &'static str,
    /// File name of a picture without its number.
    pub(crate) stem: &'static str,
    pub(crate) subject: Subject,
}

/// Returns the classes: the painted breeds, then the class without dogs.
pub(crate) fn classes() -> Vec<Class> {
    let dog = |painted: &'static Painted| {
        let breed =
            breeds::find(painted.breed).expect("the painted breeds are among the 120: a test reads both");
        Class { dir: &breed.class_dir, stem: &breed.synset, subject: Subject::Dog(painted) }
    };
    let thing = Class { dir: breeds::NOT_A_DOG, stem: breeds::NOT_A_DOG, subject: Subject::Thing };
    BREEDS.iter().map(dog).chain([thing]).collect()
}

/// Returns the path of a picture in the folder of the pictures.
pub(crate) fn picture_name(class: Class, index: usize) -> String {
    format!("{}/{}_{index:05}.jpg", class.dir, class.stem)
}

pub(crate) fn picture_names(config: &Config) -> Vec<String> {
    let of_class = |class: Class| (0..config.per_class).map(move |index| picture_name(class, index));
    classes().into_iter().flat_map(of_class).collect()
}

pub(crate) fn write_pictures(
    config: &Config,
    output: &Output<'_>,
    done: &(dyn Fn() + Sync),
) -> anyhow::Result<usize> {
    let mut n_pictures = 0;
    for class in classes() {
        (0..config.per_class).into_par_iter().try_for_each(|index| {
            stage::check_interrupted()?;
            output.put(&picture_name(class, index), &jpeg(&paint(config, class, index))?)?;
            done();
            anyhow::Ok(())
        })?;
        n_pictures += config.per_class;
    }
    Ok(n_pictures)
}

pub(crate) fn paint(config: &Config, class: Class, index: usize) -> RgbImage {
    let mut draws = draw::stream(config.seed, "sample picture", &format!("{}/{index}", class.dir));
    picture::paint(class.subject, config.size, &mut draws)
}
