//! What a stage will cost, said before it starts: `--plan`.
//!
//! A forecast is a count of pictures times what some of them were measured to take, here and now. The
//! pictures are those of the manifest; where there is none yet, those of a folder, and where there is no
//! folder either, a number, measured on pictures made for that. Nothing is written.

use std::fmt;

use serde::Serialize;

use crate::disk::size;
use crate::manifest::Split;

mod args;
mod examples;
mod measure;
mod pictures;
#[cfg(test)]
mod tests;

pub use args::PlanArgs;
pub use measure::{measure, peak_memory};
pub use pictures::Pictures;

/// What a stage will cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The stage.
    pub stage: String,
    /// What comes out of it: `features`, `copies`.
    pub makes: String,
    /// Pictures in each split, without copies.
    pub pictures: Vec<(Split, usize)>,
    /// Where their number is known from.
    pub counted: String,
    /// What was measured on.
    pub measured_on: String,
    /// Worker threads.
    pub threads: usize,
    /// Anything else to know, one sentence each.
    pub notes: Vec<String>,
    /// By copies, ascending.
    pub costs: Vec<Cost>,
    /// Bytes of memory at most; `None` where the system does not tell.
    pub peak_memory: Option<u64>,
    /// Bytes that the disk has left.
    pub free: u64,
    /// Where the stage will write.
    pub out: String,
}

/// What so many copies cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Of each train picture; with `per_class` on average, rounded up.
    pub copies: u32,
    /// To how many train pictures every class is filled up, where that is what is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_class: Option<u32>,
    /// Features or copies that are there already.
    pub n_done: usize,
    /// Those that are not.
    pub n_to_do: usize,
    /// Of `makes`, with nothing else to wait for; `None` where there is nothing to do.
    pub per_second: Option<f64>,
    /// Until the end.
    pub seconds: f64,
    /// On disk in the end.
    pub bytes: u64,
    /// Of these, what is yet to be written.
    pub bytes_to_write: u64,
}

impl Cost {
    /// Whether it fits into `free` bytes.
    pub fn fits(&self, free: u64) -> bool {
        self.bytes_to_write <= free
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pictures: Vec<String> = self.pictures.iter().map(|(split, n)| format!("{n} {split}")).collect();
        writeln!(f, "{}: {} pictures by {}", self.stage, pictures.join(", "), self.counted)?;
        writeln!(f, "measured on {}, {} threads", self.measured_on, self.threads)?;
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        writeln!(
            f,
            "{:>6} {:>10} {:>10} {:>10} {:>12} {:>10}",
            "copies", "to make", "there", "a second", "time", "disk"
        )?;
        for cost in &self.costs {
            writeln!(
                f,
                "{:>6} {:>10} {:>10} {:>10} {:>12} {:>10}{}",
                cost.per_class.map_or(cost.copies.to_string(), |n| format!("to {n}")),
                cost.n_to_do,
                cost.n_done,
                cost.per_second.map_or("-".to_owned(), |rate| format!("{rate:.1}")),
                duration(cost.seconds),
                size(cost.bytes),
                if cost.fits(self.free) { "" } else { "  does not fit" }
            )?;
        }
        if let Some(peak) = self.peak_memory {
            write!(f, "memory {}, ", size(peak))?;
        }
        write!(f, "{} of disk left for {}", size(self.free), self.out)?;
        if self.costs.iter().any(|cost| !cost.fits(self.free)) {
            write!(f, "\nwarning: there is too little space for what does not fit")?;
        }
        Ok(())
    }
}

/// A time for people, as in `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}
