//! Boxes around the dogs, from annotations in the format of Pascal VOC, as Stanford Dogs has them.
//!
//! The annotation of `<class>/<picture>.jpg` is `<class>/<picture>` or `<class>/<picture>.xml`. Where it
//! has several dogs the largest counts: what is trained on is then one dog that fills the picture, as it is
//! when profiles are judged, and not two dogs with their owner in between.
//! A picture without a usable annotation stays whole, and is counted: a box that is wrong would teach
//! something false, a picture with too much around the dog does not.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use data::manifest::Crop;
use data::stage::check_interrupted;
use quick_xml::de;
use rayon::prelude::*;
use serde::Deserialize;

use crate::inspect::Picture;

/// More than any annotation has.
const MAX_BYTES: u64 = 1 << 20;
/// How far an annotation's shape, width over height, may be from the picture's: what rounding makes of one
/// that was resized.
const SHAPE_TOLERANCE: f64 = 0.02;
/// So many pictures without a usable annotation are named.
const N_NAMED: usize = 5;

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
    bndbox: Bounds,
}

/// Columns and rows count from 1, and the last ones are inside.
#[derive(Debug, Deserialize)]
struct Bounds {
    xmin: f64,
    ymin: f64,
    xmax: f64,
    ymax: f64,
}

/// Looks up the annotations of `pictures` below `annotations`; the boxes are in the order of the pictures.
///
/// # Errors
/// If no picture at all has a usable one.
pub(crate) fn find(
    annotations: &Path,
    classes: &[String],
    pictures: &[Picture],
) -> anyhow::Result<Vec<Option<Crop>>> {
    let found: Vec<anyhow::Result<Crop>> = pictures
        .par_iter()
        .map(|picture| {
            let folder = annotations.join(&classes[picture.class as usize]);
            check_interrupted()?;
            parse(&read(&folder, &picture.name)?, picture.width, picture.height)
        })
        .collect();
    // In the loop above an interruption looks like a bad annotation.
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
        tracing::warn!("stays whole: {line}");
    }
    bad.iter().skip(N_NAMED).for_each(|line| tracing::debug!("stays whole: {line}"));

    Ok(found.into_iter().map(Result::ok).collect())
}

/// The text of the annotation of the picture called `name`.
fn read(folder: &Path, name: &str) -> anyhow::Result<String> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let bare = folder.join(stem);
    let path = if bare.is_file() { bare } else { folder.join(format!("{stem}.xml")) };
    let named = || format!("cannot read the annotation {}", path.display());
    let mut text = String::new();
    let read = File::open(&path).with_context(named)?.take(MAX_BYTES).read_to_string(&mut text);
    read.with_context(named)?;
    Ok(text)
}

/// The largest box of an annotation, in a picture of `width` x `height`.
fn parse(text: &str, width: u32, height: u32) -> anyhow::Result<Crop> {
    let annotation: Annotation = de::from_str(text).context("the annotation makes no sense")?;
    let Size { width: of_width, height: of_height } = annotation.size;
    let (across, down) = (f64::from(width) / of_width, f64::from(height) / of_height);
    // Also where a size is 0 or no number.
    anyhow::ensure!(
        (across / down - 1.0).abs() <= SHAPE_TOLERANCE,
        "the annotation is of a picture of {of_width} x {of_height}, this one has {width} x {height}"
    );
    let clamped = |Bounds { xmin, ymin, xmax, ymax }: &Bounds| {
        // Casts stop at 0, and turn what is no number into it.
        Crop {
            left: ((xmin - 1.0) * across).floor() as u32,
            top: ((ymin - 1.0) * down).floor() as u32,
            right: ((xmax * across).ceil() as u32).min(width),
            bottom: ((ymax * down).ceil() as u32).min(height),
        }
    };
    let boxes = annotation.object.iter().map(|object| clamped(&object.bndbox));
    let area = |crop: &Crop| u64::from(crop.right - crop.left) * u64::from(crop.bottom - crop.top);
    boxes
        .filter(|crop| crop.fits(width, height))
        // The first of equals.
        .rev()
        .max_by_key(area)
        .with_context(|| format!("no box of {} has pixels in the picture", annotation.object.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Stanford Dogs writes them.
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
        match parse(&annotation(size, boxes), 50, 40) {
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
    fn what_is_beyond_the_picture_is_cut_off() {
        assert_eq!(parsed((50, 40), &[[0, -3, 60, 41]]), "0;0;50;40");
        assert_eq!(parsed((50, 40), &[[60, 1, 70, 9], [9, 9, 9, 9]]), "8;8;9;9", "the other one is outside");
    }

    #[test]
    fn boxes_of_a_resized_picture_are_resized() {
        assert_eq!(parsed((100, 80), &[[21, 21, 40, 60]]), "10;10;20;30");
    }

    #[test]
    fn an_annotation_that_makes_no_sense_gives_no_box() {
        assert!(parsed((40, 50), &[[1, 1, 9, 9]]).contains("of a picture of 40 x 50, this one has 50 x 40"));
        assert!(parsed((0, 0), &[[1, 1, 9, 9]]).contains("of a picture of 0 x 0"));
        assert!(parsed((50, 40), &[]).contains("no box of 0"));
        assert!(parsed((50, 40), &[[9, 9, 3, 3]]).contains("no box of 1"));
        for text in ["", "<annotation/>", "{}", "<annotation><size>", "\u{0}\u{1}"] {
            assert!(parse(text, 50, 40).is_err(), "{text:?}");
        }
        let words = annotation((50, 40), &[[1, 1, 9, 9]]).replace("<xmax>9", "<xmax>nine");
        assert!(parse(&words, 50, 40).is_err());
    }
}
