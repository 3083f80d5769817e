//! `matcher decide`: decides like or pass for every profile of a table, with the reason.
//!
//! Profiles are processed in groups that hold a few batches of photos, so that memory does not grow with the
//! table: each group is filtered, classified, decided and written before the next is read.

mod config;

use std::fmt;
use std::path::PathBuf;

use data::commit;
use data::current::Place;
use data::provenance::sha256_hex;
use data::stage::{CommonArgs, check_interrupted, print_line, progress};
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde::Serialize;

use crate::album::Album;
use crate::decisions::{Decided, FILE_NAME, REJECTED_FILE_NAME, Table};
use crate::gallery::{self, Gallery};
use crate::model::{BATCH_SIZE, Model, Seen};
use crate::my_dog::MyDog;
use crate::resume::SeenBefore;
use crate::rules::{self, Answer, Decision, Limits, Looked, Wish};
pub use config::{Config, DecideArgs};
use data::profiles::{Profile, Profiles, RejectedRow};

/// Photos, and rows, at which a group is full.
const GROUP_PHOTOS: usize = 2 * BATCH_SIZE;
const GROUP_ROWS: usize = 1024;
/// Files that a run writes.
const OUTPUTS: [&str; 3] = [FILE_NAME, REJECTED_FILE_NAME, gallery::FILE_NAME];
/// Maximum number of rejected rows that are logged; the file has all of them.
const LOGGED_REJECTS: usize = 20;

/// The counts of a run; n_in = n_liked + n_passed + n_rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows of the table.
    pub n_in: usize,
    /// Profiles, liked and passed.
    pub n_ok: usize,
    /// Rows that are not profiles.
    pub n_rejected: usize,
    /// Profiles to swipe right on.
    pub n_liked: usize,
    /// Profiles to swipe left on.
    pub n_passed: usize,
    /// Photos of the profiles inside the filters.
    pub n_photos: usize,
    /// Photos among them that an earlier, unfinished run had classified.
    pub n_photos_seen_before: usize,
    /// Photos among them that could not be read.
    pub n_photos_unreadable: usize,
    /// Path of the page `matches.html`.
    pub page: PathBuf,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} profiles in = {} decided + {} rejected: {} liked, {} passed",
            self.n_in, self.n_ok, self.n_rejected, self.n_liked, self.n_passed
        )?;
        write!(f, "{} photos looked at, {} of them unreadable", self.n_photos, self.n_photos_unreadable)?;
        if self.n_photos_seen_before > 0 {
            write!(f, ", {} by an earlier run that did not end", self.n_photos_seen_before)?;
        }
        writeln!(f)?;
        write!(f, "{}", self.page.display())
    }
}

/// Decides about every profile and writes the decisions and the page.
///
/// Returns `None` if nothing was written: the outputs are current, `--check` or `--clean` is given, or there is no
/// table with `--if-any`.
///
/// # Errors
/// If the table or the model cannot be used, no row of the table is a profile, an output cannot be
/// written, or the user interrupts. `decisions.csv` is then not written.
pub fn decide(config: &Config, common: &CommonArgs) -> anyhow::Result<Option<Summary>> {
    let nobody = config.if_any && !config.rerun.clean && !config.profiles.exists();
    if nobody {
        print_line(&format!("no {}: nobody to match with yet", config.profiles.display()))?;
        return Ok(None);
    }
    let place =
        Place::new(&config.out, "provenance.json", "matcher decide").with_unlisted(SeenBefore::forget);
    let Some(mut job) = place.start(&config.rerun, common, || config.asked())? else { return Ok(None) };
    job.refuse_foreign(&OUTPUTS)?;
    let n_rows = Profiles::count(&config.profiles)?;
    let model = Model::open(&config.model)?;
    let my_dog = config.my_dog.as_ref().map(|d| MyDog::find(d, &model, config.model.min_dog)).transpose()?;
    let wish = my_dog.as_ref().map_or(Ok(Wish::AnyDog), |dog| dog.wish(config.rule, &model))?;
    let _locks = job.lock()?;
    if job.from_scratch() {
        SeenBefore::forget(&config.out)?;
    }
    job.declare(OUTPUTS.map(str::to_owned))?;

    let mut run = Run {
        config,
        model: &model,
        wish,
        album: Album::beside(&config.profiles)?,
        decisions: Table::decisions(&config.out)?,
        rejected: Table::rejected(&config.out)?,
        gallery: Gallery::new(),
        seen_before: SeenBefore::open(&config.out, &model.identity()),
        summary: Summary::new(config.out.join(gallery::FILE_NAME)),
    };
    let mut profiles = Profiles::open(&config.profiles)?;
    let bar = progress(common, n_rows, "profiles");
    while run.decide_group(&mut profiles, &bar)? {}
    bar.finish_and_clear();

    let Run { decisions, rejected, gallery, summary, .. } = run;
    summary.check(n_rows)?;
    rejected.commit()?;
    anyhow::ensure!(
        summary.n_in == 0 || summary.n_ok > 0,
        "none of the {} rows of {} is a profile; see {}",
        summary.n_in,
        config.profiles.display(),
        config.out.join(REJECTED_FILE_NAME).display()
    );
    decisions.commit()?;
    let page = gallery.page(&model, my_dog.as_ref(), config.rule, summary.n_rejected);
    commit::write_bytes(&summary.page, page.as_bytes())?;
    job.finish(OUTPUTS.map(str::to_owned))?;
    SeenBefore::forget(&config.out)?;
    Ok(Some(summary))
}

/// The state of a run.
struct Run<'a> {
    config: &'a Config,
    model: &'a Model,
    wish: Wish,
    album: Album,
    decisions: Table,
    rejected: Table,
    gallery: Gallery,
    seen_before: SeenBefore,
    summary: Summary,
}

/// A row that was read and is not yet decided.
enum Row {
    Rejected(RejectedRow),
    Outside(Profile, String),
    Inside(Profile),
}

impl Run<'_> {
    /// Reads, decides and writes one group. Returns false at the end of the table.
    fn decide_group(&mut self, profiles: &mut Profiles, bar: &ProgressBar) -> anyhow::Result<bool> {
        check_interrupted()?;
        let group = self.read_group(profiles)?;
        let inside = group.iter().filter_map(|row| if let Row::Inside(p) = row { Some(p) } else { None });
        let photos: Vec<&str> = inside.flat_map(|p| p.photos.iter().map(String::as_str)).collect();
        let mut seen = self.look(&photos)?.into_iter();
        for row in &group {
            self.summary.n_in += 1;
            match row {
                Row::Rejected(rejected) => self.reject(rejected)?,
                Row::Outside(profile, reason) => {
                    self.record(profile, &Decision::outside(reason.clone()), Vec::new())?;
                }
                Row::Inside(profile) => {
                    let seen: Vec<Seen> = seen.by_ref().take(profile.photos.len()).collect();
                    let looked: Vec<Looked> = seen.iter().map(|s| s.looked.clone()).collect();
                    let limits =
                        Limits { min_dog: self.config.model.min_dog, min_match: self.config.min_match };
                    let decision = rules::decide(&looked, &self.wish, limits, self.model.classes());
                    self.record(profile, &decision, seen)?;
                }
            }
            bar.inc(1);
        }
        Ok(!group.is_empty())
    }

    /// Classifies `photos`, except those that an earlier run has classified.
    fn look(&mut self, photos: &[&str]) -> anyhow::Result<Vec<Seen>> {
        let digest = |photo: &&str| self.album.read(photo).ok().map(|bytes| sha256_hex(&bytes));
        let digests: Vec<Option<String>> = photos.par_iter().map(digest).collect();
        let mut seen: Vec<Option<Seen>> = Vec::with_capacity(photos.len());
        for sha256 in &digests {
            let known = sha256.as_ref().and_then(|sha256| self.seen_before.get(sha256));
            seen.push(known.map(|(probabilities, thumbnail)| self.model.judge(probabilities, thumbnail)));
        }
        let new: Vec<usize> = (0..photos.len()).filter(|&i| seen[i].is_none()).collect();
        self.summary.n_photos_seen_before += photos.len() - new.len();
        let unseen: Vec<&str> = new.iter().map(|&i| photos[i]).collect();
        for (&i, looked) in new.iter().zip(self.model.look(&unseen, |photo| self.album.read(photo))?) {
            seen[i] = Some(looked);
        }
        let kept = new.iter().filter_map(|&i| {
            let Seen { looked: Ok(verdict), thumbnail: Some(thumbnail) } = seen[i].as_ref()? else {
                return None;
            };
            Some((digests[i].as_deref()?, verdict.probabilities.as_slice(), thumbnail))
        });
        self.seen_before.keep(kept)?;
        Ok(seen.into_iter().flatten().collect())
    }

    fn read_group(&self, profiles: &mut Profiles) -> anyhow::Result<Vec<Row>> {
        let (mut group, mut n_photos) = (Vec::new(), 0);
        while n_photos < GROUP_PHOTOS && group.len() < GROUP_ROWS {
            let Some(row) = profiles.next_row()? else { break };
            group.push(match row {
                Err(rejected) => Row::Rejected(rejected),
                Ok(profile) => match self.config.filters.outside(&profile) {
                    Some(reason) => Row::Outside(profile, reason),
                    None => {
                        n_photos += profile.photos.len();
                        Row::Inside(profile)
                    }
                },
            });
        }
        Ok(group)
    }

    fn reject(&mut self, row: &RejectedRow) -> anyhow::Result<()> {
        self.summary.n_rejected += 1;
        if self.summary.n_rejected <= LOGGED_REJECTS {
            tracing::warn!("{}:{}: {}", self.config.profiles.display(), row.line, row.detail);
        }
        self.rejected.rejected_row(row)
    }

    fn record(&mut self, profile: &Profile, decision: &Decision, seen: Vec<Seen>) -> anyhow::Result<()> {
        let best = decision.photo.and_then(|i| seen.get(i));
        let decided = Decided {
            profile,
            decision,
            verdict: best.and_then(|s| s.looked.as_ref().ok()),
            distance_km: self.config.filters.distance_km(profile),
        };
        self.decisions.decided(&decided, self.model.classes())?;
        self.gallery.add(&decided, best.and_then(|s| s.thumbnail.as_ref()), self.model.classes())?;
        let summary = &mut self.summary;
        summary.n_ok += 1;
        *(if decision.answer == Answer::Like { &mut summary.n_liked } else { &mut summary.n_passed }) += 1;
        summary.n_photos += seen.len();
        summary.n_photos_unreadable += seen.iter().filter(|s| s.looked.is_err()).count();
        Ok(())
    }
}

impl Summary {
    fn new(page: PathBuf) -> Self {
        Self {
            n_in: 0,
            n_ok: 0,
            n_rejected: 0,
            n_liked: 0,
            n_passed: 0,
            n_photos: 0,
            n_photos_seen_before: 0,
            n_photos_unreadable: 0,
            page,
        }
    }

    fn check(&self, n_rows: u64) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.n_in as u64 == n_rows,
            "the table had {n_rows} rows at the start and {} at the end: it was changed during the run; run again",
            self.n_in
        );
        anyhow::ensure!(
            self.n_in == self.n_ok + self.n_rejected && self.n_ok == self.n_liked + self.n_passed,
            "the counts do not add up: {self}"
        );
        Ok(())
    }
}
