//! The pictures that the splitter rejected: path, reason and, where it can be read, the picture.

use std::path::Path;

use data::photo::{self, Limits};
use maud::{Markup, html};
use rayon::prelude::*;

use super::pictures::{data_uri, small};
use super::results::Results;

/// Number of pictures shown; all are in `rejects.csv`.
const N_SHOWN: usize = 60;

/// The section of the page; empty where nothing was rejected, or where that is not known.
pub(super) fn section(results: &Results) -> Markup {
    let Some(rejected) = results.rejected_by_splitter.as_ref().filter(|rejected| !rejected.is_empty()) else {
        return html! {};
    };
    let shown = &rejected[..rejected.len().min(N_SHOWN)];
    // A duplicate can be shown, a broken file cannot.
    let thumbnails: Vec<Option<String>> =
        shown.par_iter().map(|reject| thumbnail(Path::new(&reject.path))).collect();
    html! {
        section #rejected {
            h2 { "Rejected pictures" }
            table.plain {
                thead { tr { th { "picture" } th { "file" } th { "reason" } th { "detail" } } }
                tbody {
                    @for (reject, thumbnail) in shown.iter().zip(thumbnails) {
                        tr {
                            td {
                                @if let Some(uri) = thumbnail { img src=(uri) alt=(reject.path) width="96" loading="lazy"; }
                            }
                            td dir="auto" { (reject.path) }
                            td { (reject.reason) }
                            td { (reject.detail) }
                        }
                    }
                }
            }
            @if rejected.len() > shown.len() {
                p.note { "And " (rejected.len() - shown.len()) " more in the splitter's rejects.csv." }
            }
        }
    }
}

fn thumbnail(path: &Path) -> Option<String> {
    let photo = photo::decode(&photo::read(path, &Limits::STANDARD).ok()?, &Limits::STANDARD).ok()?;
    data_uri(&small(&photo.rgb)).ok()
}
