//! `--plan`: forecasts the cost of a stage before it starts.
//!
//! A forecast is the number of pictures times the measured cost of some of them on this machine. The pictures are
//! those of the manifest; without a manifest, those of a folder; without a folder, a given number of pictures, with
//! the cost of generated ones. No file is written.

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
pub use measure::{measure, memory, peak_memory};
pub use pictures::Pictures;

/// The forecast of a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The stage.
    pub stage: String,
    /// Its outputs: `features`, `copies`.
    pub makes: String,
    /// Pictures in each split, without copies.
    pub pictures: Vec<(Split, usize)>,
    /// Source of these numbers.
    pub counted: String,
    /// Pictures that were measured.
    pub measured_on: String,
    /// Worker threads.
    pub threads: usize,
    /// Further notes, one sentence each.
    pub notes: Vec<String>,
    /// Costs by number of copies, ascending.
    pub costs: Vec<Cost>,
    /// Peak memory in bytes; `None` if the system does not report it.
    pub peak_memory: Option<u64>,
    /// Free bytes on the disk.
    pub free: u64,
    /// Output directory of the stage.
    pub out: String,
}

/// The cost with a given number of copies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Copies of each train picture; with `per_class` their mean, rounded up.
    pub copies: u32,
    /// Train pictures of each class after filling up, if `--per-class` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_class: Option<u32>,
    /// Features or copies that exist already.
    pub n_done: usize,
    /// Features or copies that are missing.
    pub n_to_do: usize,
    /// Outputs per second, without waiting for anything else; `None` if nothing is missing.
    pub per_second: Option<f64>,
    /// Duration of the run.
    pub seconds: f64,
    /// Bytes on disk at the end.
    pub bytes: u64,
    /// Bytes that are yet to be written.
    pub bytes_to_write: u64,
}

impl Cost {
    /// Returns whether the new files fit into `free` bytes.
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
            "copies", "to make", "exist", "per second", "time", "disk"
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
            write!(f, "\nwarning: the disk has too little free space for the rows marked \"does not fit\"")?;
        }
        Ok(())
    }
}

/// Formats a duration for people, as in `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}
