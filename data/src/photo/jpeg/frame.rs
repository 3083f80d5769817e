//! The frame header of a JPEG, and the part of the frame that a scan covers.

use super::{Limits, Reason, Reject, Walk, wrong};

/// The frame header.
pub(super) struct Frame {
    pub(super) progressive: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: Vec<Component>,
}

pub(super) struct Component {
    id: u8,
    /// Horizontal sampling factor.
    across: u32,
    down: u32,
    /// Whether a scan has had it; in a progressive picture, its coarsest part.
    pub(super) carried: bool,
}

impl Frame {
    pub(super) fn read(marker: u8, data: &[u8], limits: &Limits) -> Result<Self, Reject> {
        // A short header is an error, not the end of the file.
        let short = |_| wrong("a short frame header");
        let mut walk = Walk::new(data);
        let precision = walk.byte().map_err(short)?;
        let height = u32::from(walk.u16_be().map_err(short)?);
        let width = u32::from(walk.u16_be().map_err(short)?);
        let n = walk.byte().map_err(short)?;
        limits.check_size(width, height)?;
        if precision != 8 || !matches!(n, 1 | 3 | 4) {
            let detail = format!("{n} components of {precision} bits");
            return Err(Reject::new(Reason::UnsupportedColour, detail));
        }
        let mut components = Vec::with_capacity(usize::from(n));
        for _ in 0..n {
            let [id, sampling, _table] = walk.array().map_err(short)?;
            let (across, down) = (u32::from(sampling >> 4), u32::from(sampling & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return Err(wrong(format!("sampling factors {across} x {down}")));
            }
            components.push(Component { id, across, down, carried: false });
        }
        let frame = Self { progressive: marker == 0xc2, width, height, components };
        if frame.progressive {
            frame.check_alloc(limits)?;
        }
        Ok(frame)
    }

    /// Returns whether the first component is sampled at least as finely as each other one, with factors of 1, 2
    /// or 4 that are multiples of theirs. zune-jpeg assumes this.
    pub(super) fn is_usually_sampled(&self) -> bool {
        let Component { across, down, .. } = self.components[0];
        self.components.len() == 1
            || self.components.iter().all(|c| {
                c.across != 3 && c.down != 3 && across.is_multiple_of(c.across) && down.is_multiple_of(c.down)
            })
    }

    /// Returns the numbers of MCUs per row and column; an MCU has the largest sampling factors times 8 pixels.
    fn mcus(&self) -> (u64, u64) {
        let largest = |of: fn(&Component) -> u32| self.components.iter().map(of).max().unwrap_or(1);
        let across = self.width.div_ceil(8 * largest(|c| c.across));
        let down = self.height.div_ceil(8 * largest(|c| c.down));
        (across.into(), down.into())
    }

    /// Checks the memory for all coefficients, 2 bytes each; not needed if one scan has all components.
    fn check_alloc(&self, limits: &Limits) -> Result<(), Reject> {
        let (across, down) = self.mcus();
        let blocks: u64 = self.components.iter().map(|c| u64::from(c.across * c.down)).sum();
        limits.check_alloc(across * down * blocks * 128)
    }

    /// Returns what the scan with this header covers, and marks its components as carried.
    pub(super) fn scan(&mut self, header: &[u8], limits: &Limits) -> Result<Scan, Reject> {
        let short = || wrong("a short scan header");
        let n = usize::from(*header.first().ok_or_else(short)?);
        let chosen = header.get(1..1 + 2 * n).ok_or_else(short)?;
        if n < self.components.len() && !self.progressive {
            self.check_alloc(limits)?;
        }
        let is_first_part = !self.progressive || header.get(1 + 2 * n) == Some(&0);
        let (across, down) = self.mcus();
        let mut blocks = 0;
        for selector in chosen.chunks_exact(2) {
            let component = self.components.iter_mut().find(|c| c.id == selector[0]);
            let component = component.ok_or_else(|| wrong("a scan of an unknown component"))?;
            component.carried |= is_first_part;
            blocks += across * down * u64::from(component.across * component.down);
        }
        // The only component of a picture is never interleaved, with any sampling factors.
        let mcus = match self.components.len() {
            1 => u64::from(self.width.div_ceil(8)) * u64::from(self.height.div_ceil(8)),
            _ => across * down,
        };
        let interleaved = n == self.components.len();
        let complete = interleaved && !self.progressive;
        Ok(Scan { blocks, interleaved, mcus: complete.then_some(mcus), restarts: 0 })
    }

    /// Checks that every component is in a scan, because decoders fill a missing one without an error.
    pub(super) fn check_carried(&self) -> Result<(), Reject> {
        match self.components.iter().filter(|c| !c.carried).count() {
            0 => Ok(()),
            n => {
                let detail = format!("no scan carries {n} of {} components", self.components.len());
                Err(Reject::new(Reason::Truncated, detail))
            }
        }
    }
}

/// The part of the frame that a scan covers.
pub(super) struct Scan {
    /// Number of blocks that it visits.
    pub(super) blocks: u64,
    /// Whether it has all components.
    pub(super) interleaved: bool,
    /// Number of its MCUs, if it has the whole picture.
    mcus: Option<u64>,
    /// Number of its restart markers.
    pub(super) restarts: u32,
}

impl Scan {
    /// Checks the number of restart intervals, because decoders fill missing ones without an error.
    pub(super) fn check_restarts(&self, interval: u16) -> Result<(), Reject> {
        let Some(mcus) = self.mcus.filter(|_| interval > 0) else { return Ok(()) };
        let due = mcus.div_ceil(interval.into());
        let found = u64::from(self.restarts) + 1;
        if found < due {
            return Err(Reject::new(Reason::Truncated, format!("{found} of {due} restart intervals")));
        }
        Ok(())
    }
}
