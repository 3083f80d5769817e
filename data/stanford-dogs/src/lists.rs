//! Converts the official lists to text for the splitter: one `class/picture` per line.

use std::path::Path;

use anyhow::Context;
use data::current::Job;
use data::{commit, regular};

use crate::mat;

/// Name of the cell array with the pictures of a list.
const VARIABLE: &str = "file_list";
/// Maximum bytes of a MATLAB file; the longest list of Stanford Dogs has half a megabyte.
const MAX_BYTES: u64 = 256 << 20;

/// Converts each MATLAB file `NAME.mat` among `names`, paths relative to `out`, to `NAME.txt` beside it. Returns the
/// names of the text files. A text file of the user is not replaced.
///
/// # Errors
/// If a MATLAB file has no list, or a text file cannot be written.
pub(crate) fn write_as_text(out: &Path, names: &[String], job: &mut Job) -> anyhow::Result<Vec<String>> {
    let mut made = Vec::new();
    for name in names {
        let Some(stem) = name.strip_suffix(".mat") else { continue };
        let text_name = format!("{stem}.txt");
        let path = out.join(name);
        let read = || mat::cell_strings(&regular::read(&path, MAX_BYTES)?, VARIABLE);
        let entries = read().with_context(|| format!("cannot read the list {}", path.display()))?;
        if !job.owns(&text_name)? {
            tracing::warn!(
                "{} was not written by this program, and is not replaced",
                out.join(&text_name).display()
            );
            continue;
        }
        job.declare([text_name.clone()])?;
        commit::write_bytes(&out.join(&text_name), (entries.join("\n") + "\n").as_bytes())?;
        made.push(text_name);
    }
    Ok(made)
}
