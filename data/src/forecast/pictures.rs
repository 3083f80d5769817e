//! The pictures of a forecast: their number, and some of them to measure on.

use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::args::PlanArgs;
use super::examples;
use crate::manifest::{IN_PLACE, Manifest, Row, Split};
use crate::photo;
use crate::stage::usage;

/// Maximum number of pictures to measure on.
const N_EXAMPLES: usize = 64;

/// The pictures of a forecast.
#[derive(Debug)]
pub struct Pictures {
    /// Numbers of pictures in train, valid and test, without copies in addition to their originals.
    pub n: [usize; 3],
    /// Source of these numbers.
    pub counted: String,
    /// Files of some of the pictures, or of generated ones.
    pub examples: Vec<Vec<u8>>,
    /// Description of the examples.
    pub measured_on: String,
    /// The manifest, if there is one.
    pub manifest: Option<Manifest>,
    /// Train pictures of each class; `None` if the classes are unknown.
    pub train_of_class: Option<Vec<usize>>,
}

impl Pictures {
    /// Finds the pictures of the manifest, else of `--plan-images`, else the number from `--plan-pictures`.
    ///
    /// # Errors
    /// If there is none of the three, or it cannot be read.
    pub fn find(manifest: &Path, args: &PlanArgs) -> anyhow::Result<Self> {
        if manifest.exists() {
            return Self::of_manifest(Manifest::read(manifest)?);
        }
        let files = match &args.plan_images {
            Some(dir) if dir.is_dir() || args.plan_pictures.is_empty() => Some((dir, pictures_below(dir)?)),
            _ => None,
        };
        // Without pictures, their number is enough.
        if let Some((dir, files)) =
            files.filter(|(_, files)| !files.is_empty() || args.plan_pictures.is_empty())
        {
            anyhow::ensure!(!files.is_empty(), "there are no pictures below {}", dir.display());
            let examples = read_examples(&files)?;
            let classes = files.chunk_by(|a, b| a.parent() == b.parent());
            let train = classes.map(|class| Ok(divided(class.len(), args)?[0]));
            let measured_on = format!("{} of them", examples.len());
            let counted = format!("the files below {}", dir.display());
            return Ok(Self {
                n: divided(files.len(), args)?,
                counted,
                examples,
                measured_on,
                manifest: None,
                train_of_class: Some(train.collect::<anyhow::Result<_>>()?),
            });
        }
        let n = match args.plan_pictures[..] {
            [] => anyhow::bail!(
                "there is no manifest at {}, and nothing else to count; run the splitter first, or give \
                 --plan-images or --plan-pictures",
                manifest.display()
            ),
            [n] => divided(n, args)?,
            [train, valid, test] => [train, valid, test],
            _ => return Err(usage("--plan-pictures takes one number, or those of train, valid and test")),
        };
        let (width, height) = examples::SIZE;
        let examples: anyhow::Result<_> = (0..examples::COUNT).map(examples::example).collect();
        let measured_on = format!("generated pictures of {width}x{height}");
        Ok(Self {
            n,
            counted: "--plan-pictures".to_owned(),
            examples: examples?,
            measured_on,
            manifest: None,
            train_of_class: None,
        })
    }

    fn of_manifest(manifest: Manifest) -> anyhow::Result<Self> {
        let mut n = [0; 3];
        for row in &manifest.rows {
            let beside = row.augmented.as_ref().is_some_and(|a| a.copy != IN_PLACE);
            n[row.split as usize] += usize::from(!beside);
        }
        let files: Vec<PathBuf> = manifest.rows.iter().map(|row| manifest.resolve(row)).collect();
        let examples = read_examples(&files)?;
        let (counted, measured_on) =
            (manifest.path.display().to_string(), format!("{} of them", examples.len()));
        let is_train = |row: &&Row| row.split == Split::Train && row.augmented.is_none();
        let of_class =
            |class: &String| manifest.rows.iter().filter(is_train).filter(|row| row.class == *class).count();
        let train_of_class = Some(manifest.classes.iter().map(of_class).collect());
        Ok(Self { n, counted, examples, measured_on, manifest: Some(manifest), train_of_class })
    }

    /// Returns the number of pictures in each split with `copies` copies of every train picture.
    pub fn with_copies(&self, copies: u32) -> [usize; 3] {
        let [train, valid, test] = self.n;
        [train * (1 + copies as usize), valid, test]
    }
}

/// Divides `n` pictures by `--plan-ratio`.
fn divided(n: usize, args: &PlanArgs) -> anyhow::Result<[usize; 3]> {
    let [_, valid, test] = args.plan_ratio[..] else {
        return Err(usage("--plan-ratio takes three shares, as in 0.7,0.15,0.15"));
    };
    if !(0.0..=1.0).contains(&(valid + test)) {
        return Err(usage("--plan-ratio takes shares that sum to 1"));
    }
    let part = |share: f64| (n as f64 * share).round() as usize;
    Ok([n - part(valid) - part(test), part(valid), part(test)])
}

/// The files in the folders below `dir` that are pictures by their names or by their first bytes, sorted; as in
/// the splitter, links are not followed.
fn pictures_below(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = |dir: &Path| -> anyhow::Result<Vec<(PathBuf, FileType)>> {
        let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
        let entries: std::io::Result<Vec<_>> = entries
            .filter(|entry| entry.as_ref().map_or(true, |entry| !photo::is_hidden(&entry.file_name())))
            .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))))
            .collect();
        entries.with_context(|| format!("cannot list {}", dir.display()))
    };
    let is_picture =
        |path: &Path| path.file_name().is_some_and(photo::has_picture_name) || photo::begins_as_picture(path);
    let mut files = Vec::new();
    for (class, _) in listed(dir)?.into_iter().filter(|(_, kind)| kind.is_dir()) {
        let pictures = listed(&class)?.into_iter().filter(|(path, kind)| kind.is_file() && is_picture(path));
        files.extend(pictures.map(|(path, _)| path));
    }
    files.sort();
    Ok(files)
}

/// Reads pictures evenly spread over `files`; unusable ones are skipped.
fn read_examples(files: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    let limits = &photo::Limits::STANDARD;
    let step = files.len().div_ceil(N_EXAMPLES).max(1);
    let usable = |path: &PathBuf| {
        let bytes = photo::read(path, limits).ok()?;
        photo::decode(&bytes, limits).ok()?;
        Some(bytes)
    };
    let examples: Vec<Vec<u8>> = files.iter().step_by(step).filter_map(usable).collect();
    anyhow::ensure!(!examples.is_empty(), "none of {} pictures could be read", files.len().div_ceil(step));
    Ok(examples)
}
