//! Reads the boxes around the dogs from annotations in the format of Pascal VOC, the format of Stanford Dogs.
//!
//! The annotation of `<class>/<picture>.jpg` is `<class>/<picture>` or `<class>/<picture>.xml`. Only objects with
//! the name of the class, or else of a dog or a breed, are used ([`of_the_dog`]), because a box around the owner
//! would be a wrong example. Of several objects the largest is used, so that a training picture shows one dog that
//! fills it, and not two dogs with their owner between them. A picture without a usable annotation is not cropped,
//! and is counted: background around the dog does no harm.
//!
//! Most annotations were drawn on pictures as they are stored, by programs that ignore the EXIF orientation. So
//! their boxes are turned with the picture, unless their size shows that they were drawn on the upright picture.

use std::path::Path;

use anyhow::Context;
use data::breeds;
use data::manifest::Crop;
use data::photo::{self, Limits};
use data::stage::check_interrupted;
use quick_xml::de;
use rayon::prelude::*;
use serde::Deserialize;

use crate::inspect::Picture;
use crate::names;

/// Maximum size of an annotation; real ones are much smaller.
const MAX_BYTES: u64 = 1 << 20;
/// Maximum difference between the aspect ratios of an annotation and its picture, relative: allows for the
/// rounding of a resized picture.
const SHAPE_TOLERANCE: f64 = 0.02;
/// Maximum number of pictures without a usable annotation that are named.
const N_NAMED: usize = 5;
/// The classes of Pascal VOC other than the dog: a single object with one of these names is not a dog.
const NO_DOGS: [&str; 19] = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

#[derive(Debug, Deserialize)]
struct Annotation {
    size: Size,
    #[serde(default)]
    object: Vec<Object>,
}

#[derive(Debug, Deserialize)]
struct Size {
    width: f64,
    height: f64,
}

#[derive(Debug, Deserialize)]
struct Object {
    #[serde(default)]
    name: String,
    bndbox: Bounds,
}

/// Columns and rows count from 1; the maxima are inclusive.
#[derive(Debug, Deserialize)]
struct Bounds {
    xmin: f64,
    ymin: f64,
    xmax: f64,
    ymax: f64,
}

/// Reads the annotations of `pictures` below `annotations`. Returns the boxes in the order of the pictures.
///
/// # Errors
/// If no picture has a usable annotation.
pub(crate) fn find(
    annotations: &Path,
    classes: &[String],
    pictures: &[Picture],
) -> anyhow::Result<Vec<Option<Crop>>> {
    let found: Vec<anyhow::Result<Crop>> = pictures
        .par_iter()
        .map(|picture| {
            let class = &classes[picture.class as usize];
            check_interrupted()?;
            let text = read(&annotations.join(class), &picture.name)?;
            parse(
                &text,
                class,
                Frame { width: picture.width, height: picture.height, orientation: picture.orientation },
            )
        })
        .collect();
    // The loop above treats an interruption like a bad annotation.
    check_interrupted()?;
    let bad = pictures.iter().zip(&found).filter_map(|(p, result)| Some((p, result.as_ref().err()?)));
    let bad: Vec<String> = bad
        .map(|(picture, error)| format!("{}/{}: {error:#}", classes[picture.class as usize], picture.name))
        .collect();
    anyhow::ensure!(
        bad.len() < pictures.len(),
        "--crop-to-box: no picture has a usable annotation below {}, expected <class>/<picture> or \
         <class>/<picture>.xml, in the format of Pascal VOC; {}",
        annotations.display(),
        bad.first().map_or("there is no picture", String::as_str)
    );
    for line in bad.iter().take(N_NAMED) {
        tracing::warn!("not cropped: {line}");
    }
    bad.iter().skip(N_NAMED).for_each(|line| tracing::debug!("not cropped: {line}"));

    Ok(found.into_iter().map(Result::ok).collect())
}

/// Reads the text of the annotation of the picture `name`.
///
/// Only a regular file is opened; links are not followed.
fn read(folder: &Path, name: &str) -> anyhow::Result<String> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let bare = folder.join(stem);
    let is_there = bare.symlink_metadata().is_ok_and(|about| !about.is_dir());
    let path = if is_there { bare } else { folder.join(format!("{stem}.xml")) };
    let named = || format!("cannot read the annotation {}", path.display());
    let bytes =
        photo::read(&path, &Limits { max_bytes: MAX_BYTES, ..Limits::STANDARD }).with_context(named)?;
    String::from_utf8(bytes).ok().context("it is not UTF-8 text").with_context(named)
}

/// The size of a picture as all stages see it, and its EXIF orientation.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Width of the upright picture.
    width: u32,
    height: u32,
    /// EXIF orientation of the stored picture, 1 to 8.
    orientation: u8,
}

impl Frame {
    /// Returns the width and height as stored.
    fn stored(self) -> (u32, u32) {
        if self.orientation >= 5 { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// Converts a box on the stored picture to the upright picture.
    fn turned(self, Crop { left, top, right, bottom }: Crop) -> Crop {
        let (width, height) = self.stored();
        let mirrored = |from: u32, to: u32, side: u32| (side - to, side - from);
        let (left_mirrored, right_mirrored) = mirrored(left, right, width);
        let (top_mirrored, bottom_mirrored) = mirrored(top, bottom, height);
        let (across, down) = match self.orientation {
            2 => ((left_mirrored, right_mirrored), (top, bottom)),
            3 => ((left_mirrored, right_mirrored), (top_mirrored, bottom_mirrored)),
            4 => ((left, right), (top_mirrored, bottom_mirrored)),
            5 => ((top, bottom), (left, right)),
            6 => ((top_mirrored, bottom_mirrored), (left, right)),
            7 => ((top_mirrored, bottom_mirrored), (left_mirrored, right_mirrored)),
            8 => ((top, bottom), (left_mirrored, right_mirrored)),
            _ => ((left, right), (top, bottom)),
        };
        Crop { left: across.0, top: down.0, right: across.1, bottom: down.1 }
    }
}

/// Finds the box of the dog in an annotation of a picture of `class`.
fn parse(text: &str, class: &str, frame: Frame) -> anyhow::Result<Crop> {
    let annotation: Annotation = de::from_str(text).context("the annotation is not valid Pascal VOC XML")?;
    let Size { width: of_width, height: of_height } = annotation.size;
    let upright = (frame.width, frame.height);
    // The difference of the aspect ratios; written so that a size of 0 or NaN fails, too.
    let distance = |(width, height): (u32, u32)| {
        (f64::from(width) / of_width / (f64::from(height) / of_height) - 1.0).abs()
    };
    let fits = |size: (u32, u32)| distance(size) <= SHAPE_TOLERANCE;
    let is_exact = |(width, height)| (f64::from(width), f64::from(height)) == (of_width, of_height);
    anyhow::ensure!(
        fits(upright) || fits(frame.stored()),
        "the annotation is of a picture of {of_width} x {of_height}, this one has {} x {}",
        frame.width,
        frame.height
    );
    let of_upright = !fits(frame.stored()) || is_exact(upright) && !is_exact(frame.stored());
    let (width, height) = if of_upright { upright } else { frame.stored() };
    let (across, down) = (f64::from(width) / of_width, f64::from(height) / of_height);
    let clamped = |Bounds { xmin, ymin, xmax, ymax }: &Bounds| {
        // Casts saturate at 0, and turn NaN into 0.
        Crop {
            left: ((xmin - 1.0) * across).floor() as u32,
            top: ((ymin - 1.0) * down).floor() as u32,
            right: ((xmax * across).ceil() as u32).min(width),
            bottom: ((ymax * down).ceil() as u32).min(height),
        }
    };
    let dogs = of_the_dog(&annotation.object, class)?;
    let n_dogs = dogs.len();
    let area = |crop: &Crop| u64::from(crop.right - crop.left) * u64::from(crop.bottom - crop.top);
    let largest = dogs
        .into_iter()
        .map(|object| clamped(&object.bndbox))
        .filter(|crop| crop.fits(width, height))
        // The first among equals.
        .rev()
        .max_by_key(area)
        .with_context(|| format!("no box of {n_dogs} has pixels in the picture"))?;
    Ok(if of_upright { largest } else { frame.turned(largest) })
}

/// Returns the objects with the name of the class; if there is none, of a dog or a breed; if there is none, all
/// objects, if they have one name that may mean a dog.
fn of_the_dog<'a>(objects: &'a [Object], class: &str) -> anyhow::Result<Vec<&'a Object>> {
    let called = |is: &dyn Fn(&str) -> bool| objects.iter().filter(|o| is(&o.name)).collect::<Vec<_>>();
    let class = names::meaning(class);
    let like_the_class = called(&|name| names::meaning(name) == class);
    if !like_the_class.is_empty() {
        return Ok(like_the_class);
    }
    let dogs = called(&|name| breeds::find(name).is_some() || is_dog(name));
    if !dogs.is_empty() {
        return Ok(dogs);
    }
    let mut distinct: Vec<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    match distinct[..] {
        [] => Ok(Vec::new()),
        [name] if !NO_DOGS.contains(&names::plain(name).as_str()) => Ok(objects.iter().collect()),
        _ => anyhow::bail!("no object has the name of the class, a dog or a breed: {distinct:?}"),
    }
}

/// Returns whether a name means a dog: `dog`, `Dog_2`, `two dogs`, `puppy`, but not `hot dog`.
fn is_dog(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut words = name.split(|c: char| !c.is_alphabetic());
    words.clone().all(|word| word != "hot" && word != "no" && word != "not")
        && words.any(|word| matches!(word, "dog" | "dogs" | "puppy" | "puppies"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { width: 50, height: 40, orientation: 1 };

    /// Makes an annotation as in Stanford Dogs.
    fn annotation(size: (u32, u32), boxes: &[[i32; 4]]) -> String {
        let object = |[xmin, ymin, xmax, ymax]: &[i32; 4]| {
            format!(
                "\t<object>\n\t\t<name>Chihuahua</name>\n\t\t<pose>Unspecified</pose>\n\t\t<bndbox>\n\
                 \t\t\t<xmin>{xmin}</xmin>\n\t\t\t<ymin>{ymin}</ymin>\n\t\t\t<xmax>{xmax}</xmax>\n\
                 \t\t\t<ymax>{ymax}</ymax>\n\t\t</bndbox>\n\t</object>\n"
            )
        };
        format!(
            "<annotation>\n\t<folder>02085620</folder>\n\t<filename>n02085620_7</filename>\n\t<source>\n\
             \t\t<database>ImageNet database</database>\n\t</source>\n\t<size>\n\t\t<width>{}</width>\n\
             \t\t<height>{}</height>\n\t\t<depth>3</depth>\n\t</size>\n\t<segment>0</segment>\n{}</annotation>",
            size.0,
            size.1,
            boxes.iter().map(object).collect::<String>()
        )
    }

    fn parsed(size: (u32, u32), boxes: &[[i32; 4]]) -> String {
        match parse(&annotation(size, boxes), "n02085620-Chihuahua", FRAME) {
            Ok(crop) => crop.to_string(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn the_largest_box_counts_in_pixels_from_0() {
        assert_eq!(parsed((50, 40), &[[1, 1, 50, 40]]), "0;0;50;40", "all of it");
        assert_eq!(parsed((50, 40), &[[3, 4, 10, 9]]), "2;3;10;9");
        assert_eq!(parsed((50, 40), &[[3, 4, 10, 9], [11, 11, 30, 30], [1, 1, 9, 9]]), "10;10;30;30");
    }

    #[test]
    fn the_box_of_the_dog_is_used_and_not_its_owners() {
        let named = |objects: &[(&str, [i32; 4])], class: &str| {
            let all: Vec<String> = objects
                .iter()
                .map(|(name, bounds)| annotation((50, 40), &[*bounds]).replace("Chihuahua", name))
                .map(|text| text[text.find("\t<object>").unwrap()..].replace("</annotation>", ""))
                .collect();
            let text = annotation((50, 40), &[]).replace("</annotation>", &(all.concat() + "</annotation>"));
            parse(&text, class, FRAME).map_or_else(|e| format!("{e:#}"), |crop| crop.to_string())
        };
        let (small, large) = ([1, 1, 5, 5], [1, 1, 50, 40]);
        for (dog, other, class) in [
            ("dog", "person", "pug"),
            ("Dog_1", "person", "pug"),
            ("puppy", "man", "my_rex"),
            ("pug", "person", "n02110958-pug"),
            ("Golden Retriever", "ball", "golden_retriever"),
            ("my rex", "dog", "my_rex"),
            ("beagle", "sofa", "my_rex"),
            ("dog", "hot dog", "pug"),
            ("dog", "cat", "pug"),
            ("cat", "dog", "cat"),
            ("Chihuahua", "pug", "Chihuahua"),
        ] {
            assert_eq!(named(&[(dog, small), (other, large)], class), "0;0;5;5", "{dog} beside {other}");
        }
        assert_eq!(named(&[("x", small), ("x", large)], "pug"), "0;0;50;40", "a single name may mean a dog");
        for objects in
            [&[("person", large)][..], &[("person", small), ("sofa", large)], &[("a", small), ("b", large)]]
        {
            assert!(named(objects, "pug").contains("no object has the name of the class"), "{objects:?}");
        }
    }

    #[test]
    fn a_box_is_turned_with_the_picture_it_was_drawn_on() {
        // Stored 50 x 40; a box of 10 x 20 in the upper left corner.
        let stored = annotation((50, 40), &[[1, 1, 10, 20]]);
        for (orientation, expected) in [
            (1, "0;0;10;20"),
            (2, "40;0;50;20"),
            (3, "40;20;50;40"),
            (4, "0;20;10;40"),
            (5, "0;0;20;10"),
            (6, "20;0;40;10"),
            (7, "20;40;40;50"),
            (8, "0;40;20;50"),
        ] {
            let (width, height) = if orientation >= 5 { (40, 50) } else { (50, 40) };
            let frame = Frame { width, height, orientation };
            assert_eq!(parse(&stored, "pug", frame).unwrap().to_string(), expected, "{orientation}");
        }
        // Drawn on the upright picture.
        let upright = annotation((40, 50), &[[1, 1, 10, 20]]);
        let frame = Frame { width: 40, height: 50, orientation: 6 };
        assert_eq!(parse(&upright, "pug", frame).unwrap().to_string(), "0;0;10;20");
        // Sizes that fit both: taken as stored.
        let square = annotation((40, 40), &[[1, 1, 10, 20]]);
        let frame = Frame { width: 40, height: 40, orientation: 6 };
        assert_eq!(parse(&square, "pug", frame).unwrap().to_string(), "20;0;40;10");
        // Nearly square: the size that fits exactly.
        let nearly = annotation((100, 101), &[[1, 1, 10, 20]]);
        let frame = Frame { width: 100, height: 101, orientation: 6 };
        assert_eq!(parse(&nearly, "pug", frame).unwrap().to_string(), "0;0;10;20");
    }

    #[test]
    fn boxes_are_clipped_to_the_picture() {
        assert_eq!(parsed((50, 40), &[[0, -3, 60, 41]]), "0;0;50;40");
        assert_eq!(parsed((50, 40), &[[60, 1, 70, 9], [9, 9, 9, 9]]), "8;8;9;9", "the other one is outside");
    }

    #[test]
    fn boxes_of_a_resized_picture_are_resized() {
        assert_eq!(parsed((100, 80), &[[21, 21, 40, 60]]), "10;10;20;30");
    }

    #[test]
    fn an_invalid_annotation_gives_no_box() {
        assert!(parsed((40, 50), &[[1, 1, 9, 9]]).contains("of a picture of 40 x 50, this one has 50 x 40"));
        assert!(parsed((0, 0), &[[1, 1, 9, 9]]).contains("of a picture of 0 x 0"));
        assert!(parsed((50, 40), &[]).contains("no box of 0"));
        assert!(parsed((50, 40), &[[9, 9, 3, 3]]).contains("no box of 1"));
        for text in ["", "<annotation/>", "{}", "<annotation><size>", "\u{0}\u{1}"] {
            assert!(parse(text, "Chihuahua", FRAME).is_err(), "{text:?}");
        }
        let words = annotation((50, 40), &[[1, 1, 9, 9]]).replace("<xmax>9", "<xmax>nine");
        assert!(parse(&words, "Chihuahua", FRAME).is_err());
    }
}
