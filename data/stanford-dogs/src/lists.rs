//! The official lists as text, which is what the splitter reads: one `class/picture` a line.

use std::path::Path;

use anyhow::Context;
use data::current::Job;
use data::{commit, regular};

use crate::mat;

/// The cell array with the pictures of a list.
const VARIABLE: &str = "file_list";
/// Bytes of a MATLAB file; the longest list of Stanford Dogs has half a megabyte.
const MAX_BYTES: u64 = 256 << 20;

/// Writes each MATLAB file `NAME.mat` among `names`, paths relative to `out`, as `NAME.txt` beside it; gives
/// the names of the text files. One that somebody else put there, or changed, stays as it is.
///
/// # Errors
/// If a MATLAB file holds no list, or a text file cannot be written.
pub(crate) fn write_as_text(out: &Path, names: &[String], job: &mut Job) -> anyhow::Result<Vec<String>> {
    let mut made = Vec::new();
    for name in names {
        let Some(stem) = name.strip_suffix(".mat") else { continue };
        let text_name = format!("{stem}.txt");
        let path = out.join(name);
        let read = || mat::cell_strings(&regular::read(&path, MAX_BYTES)?, VARIABLE);
        let entries = read().with_context(|| format!("cannot read the list {}", path.display()))?;
        if !job.owns(&text_name)? {
            tracing::warn!("{} is not of this program, and stays as it is", out.join(&text_name).display());
            continue;
        }
        job.declare([text_name.clone()])?;
        commit::write_bytes(&out.join(&text_name), (entries.join("\n") + "\n").as_bytes())?;
        made.push(text_name);
    }
    Ok(made)
}
