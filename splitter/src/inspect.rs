//! Reads every picture once, for its digest and size, or the reason why it cannot be used.

use std::path::Path;

use data::manifest::Split;
use data::photo::{self, Header, Limits, Photo, Reason, Reject};
use data::stage::{self, Exit};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::args::Inspect;
use crate::config::Config;
use crate::scan::{Candidate, Listing};

/// Pictures per step of the progress bar; only their results stay in memory.
const CHUNK: usize = 512;

/// The results for all candidates.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// Sorted by class, then by name.
    pub(crate) pictures: Vec<Picture>,
    /// Rejects, with the path as the user wrote it.
    pub(crate) rejects: Vec<(String, Reject)>,
}

/// A picture that can be used. There may be hundreds of thousands: keep it small.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) class: u32,
    /// Split by the lists of `--split-list`.
    pub(crate) listed: Option<Split>,
    pub(crate) name: Box<str>,
    pub(crate) sha256: [u8; 32],
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// EXIF orientation of the stored picture, 1 to 8.
    pub(crate) orientation: u8,
}

struct Facts {
    sha256: [u8; 32],
    header: Header,
}

/// Reads all candidates of `listing` in parallel; `absent` are rejected already.
///
/// # Errors
/// Only [`Exit::Interrupted`]: a bad picture is a result, not an error.
pub(crate) fn inspect(
    config: &Config,
    listing: &Listing,
    absent: Vec<(String, Reject)>,
) -> anyhow::Result<Inspection> {
    let mut found = Inspection { pictures: Vec::with_capacity(listing.candidates.len()), rejects: absent };
    let mut n_animated = 0;
    let bar = stage::progress(&config.common, listing.candidates.len() as u64, "pictures");
    for chunk in listing.candidates.chunks(CHUNK) {
        let looked: Result<Vec<_>, Exit> = chunk
            .par_iter()
            .map(|candidate| {
                stage::check_interrupted()?;
                Ok(look(config, &listing.classes[candidate.class as usize], candidate))
            })
            .collect();
        for (candidate, result) in chunk.iter().zip(looked?) {
            let Candidate { class, listed, ref name } = *candidate;
            match result {
                Ok((name, Facts { sha256, header: Header { width, height, orientation, animated } })) => {
                    n_animated += usize::from(animated);
                    let orientation = orientation.to_exif();
                    found.pictures.push(Picture { class, listed, name, sha256, width, height, orientation });
                }
                Err(reject) => {
                    let class = &listing.classes[class as usize];
                    let path = config.shown(class, &escaped(name.as_encoded_bytes()));
                    tracing::debug!("{path}: {reject}");
                    found.rejects.push((path, reject));
                }
            }
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    if n_animated > 0 {
        tracing::warn!("{n_animated} pictures are animated: only their first frame is used");
    }
    Ok(found)
}

fn look(config: &Config, class: &str, candidate: &Candidate) -> Result<(Box<str>, Facts), Reject> {
    let Some(name) = candidate.name.to_str() else {
        return Err(Reject::new(Reason::BadName, "the name is not UTF-8; rename the file"));
    };
    match facts(&config.images.join(class).join(name), config.inspect) {
        Ok(facts) => Ok((name.into(), facts)),
        Err(reject) => {
            Err(if photo::has_picture_name(&candidate.name) { reject } else { of_no_picture(reject) })
        }
    }
}

/// Marks the reject of a note, a table or a video beside the pictures, which does not count as a bad picture.
fn of_no_picture(reject: Reject) -> Reject {
    match reject.reason {
        Reason::Empty | Reason::UnknownFormat | Reason::TooLargeBytes => {
            Reject::new(Reason::NoPicture, reject.detail)
        }
        _ => reject,
    }
}

fn facts(path: &Path, inspect: Inspect) -> Result<Facts, Reject> {
    let limits = &Limits::STANDARD;
    let bytes = photo::read(path, limits)?;
    let header = match inspect {
        Inspect::Decode => {
            let Photo { rgb, orientation, animated, .. } = photo::decode(&bytes, limits)?;
            Header { width: rgb.width(), height: rgb.height(), orientation, animated }
        }
        Inspect::Header => photo::header(&bytes, limits)?,
    };
    Ok(Facts { sha256: Sha256::digest(&bytes).into(), header })
}

/// Returns a name as text, with bytes that are not UTF-8 written as `\xff`.
fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}
