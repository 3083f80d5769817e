//! What lies in `--out`: whether this run may write there, and the writing.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use data::commit::{self, Lock};
use data::manifest::{self, Row, Split};
use data::photo::Reject;
use data::provenance::Provenance;
use serde_json::Value;

use crate::boxes::Boxes;
use crate::config::Config;
use crate::inspect::Picture;
use crate::tree;

const STAGE: &str = "splitter";
const PROVENANCE: &str = "provenance.json";

/// Takes the lock of `--out`, if anything is to be written, and refuses to replace what this program did
/// not make, or made with other parameters.
///
/// # Errors
/// Says what is there, and that `--force` replaces it.
pub(crate) fn claim(config: &Config) -> anyhow::Result<Option<Lock>> {
    if config.dry_run {
        return Ok(None);
    }
    refuse_foreign_tree(&config.out)?;
    let lock = commit::lock(&config.out, STAGE)?;
    if !config.force {
        refuse_other_parameters(&config.out, &config.parameters()?)?;
    }
    Ok(Some(lock))
}

/// Files below train, valid and test are replaced and removed without asking, so they must be ours.
fn refuse_foreign_tree(out: &Path) -> anyhow::Result<()> {
    // The first file of a run, written before the tree.
    if out.join(manifest::REJECTS_FILE_NAME).exists() {
        return Ok(());
    }
    for split in Split::ALL {
        let folder = out.join(split.name());
        anyhow::ensure!(
            folder.symlink_metadata().is_err(),
            "{} exists and was not made by the splitter; choose an empty --out",
            folder.display()
        );
    }
    Ok(())
}

fn refuse_other_parameters(out: &Path, parameters: &Value) -> anyhow::Result<()> {
    let path = out.join(manifest::FILE_NAME);
    if !path.exists() {
        return Ok(());
    }
    let shown = path.display();
    let before = Provenance::read(&out.join(PROVENANCE))
        .with_context(|| format!("{shown} exists, made by something else; use --force to replace it"))?
        .with_context(|| {
            format!("{shown} exists, and no {PROVENANCE} says how it was made; use --force to replace it")
        })?
        .parameters;
    if before == *parameters {
        return Ok(());
    }
    anyhow::bail!(
        "{shown} exists with {}, and this run has {}; use --force to replace it, or another --out",
        differing(&before, parameters),
        differing(parameters, &before)
    )
}

/// The entries of `of` that `from` has not, as `seed=1 ratio=[0.7,0.15,0.15]`.
fn differing(of: &Value, from: &Value) -> String {
    let Some(entries) = of.as_object() else { return of.to_string() };
    let differing = entries.iter().filter(|(key, value)| from.get(key) != Some(value));
    differing.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// The manifest's rows, sorted by the bytes of their paths.
pub(crate) fn rows(
    config: &Config,
    classes: &[String],
    pictures: &[Picture],
    splits: &[Split],
    boxes: Option<&Boxes>,
) -> Vec<Row> {
    let row = |(i, (picture, &split)): (usize, (&Picture, &Split))| {
        let class = &classes[picture.class as usize];
        Row {
            path: format!("{}/{class}/{}", config.prefix, picture.name),
            class: class.clone(),
            split,
            sha256: picture.sha256,
            width: picture.width,
            height: picture.height,
            crop: boxes.and_then(|boxes| boxes.of_pictures[i]),
            augmented: None,
        }
    };
    let mut rows: Vec<Row> = pictures.iter().zip(splits).enumerate().map(row).collect();
    // Not the order of (class, name): `a-b/x` comes before `a/x`.
    rows.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    rows
}

/// Writes everything; the manifest, for which the next stage waits, is last.
///
/// # Errors
/// Names the file.
pub(crate) fn write(
    config: &Config,
    rows: &[Row],
    rejects: &[(String, Reject)],
    inputs: BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let out = &config.out;
    manifest::write_rejects(&out.join(manifest::REJECTS_FILE_NAME), rejects)?;
    tree::write(out, rows, config.tree)?;
    let provenance = Provenance { inputs, ..Provenance::new(STAGE, &config.parameters()?)? };
    provenance.write(&out.join(PROVENANCE))?;
    manifest::write(&out.join(manifest::FILE_NAME), rows, false)
}
