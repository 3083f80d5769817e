//! JPEG: a walk over its segments and scans, then the decoder (ITU-T T.81).
//!
//! The usual decoders paint what is missing grey and say that all is well. Two things prevent it:
//! the walk rejects a file that ends before the end-of-image marker, and the decoder is given
//! [`ONES`] behind the last scan, in which it fails when it asks for more than the scan holds.

use std::borrow::Cow;

use image::RgbImage;
use image::metadata::Orientation;
use memchr::memchr;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::walk::Walk;
use super::{Limits, Outline, Reason, Reject};

/// Start and end of the image, and start of a scan; the second byte of each marker.
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
/// Huffman tables; number of MCUs between two restart markers; comment.
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const COM: u8 = 0xfe;

/// 128 bits of 1. No Huffman code is all ones (T.81, C.2), and a code and its value have 32 bits at
/// most: a decoder that reads on behind the last scan ends in an error.
const ONES: [u8; 32] = {
    let mut ones = [0xff; 32];
    let mut i = 1;
    while i < ones.len() {
        ones[i] = 0; // each 0xff of a scan is followed by 0
        i += 2;
    }
    ones
};

/// The most work that a file may ask for, in visits of 8x8 blocks.
///
/// Every scan visits every block of its components, whether or not it changes any, so a file of
/// 1 MB may ask for hours. A progressive picture of 50 megapixels as libjpeg writes it takes 11
/// million visits. Counting them in the walk needs no clock: the verdict on a file is everywhere the same.
const MAX_WORK: u64 = 16_000_000;
/// What one segment counts for beside its blocks, and one Huffman table.
const SEGMENT_WORK: u64 = 100;

/// Walks to the end of the image; keeps tables, frame and scans.
///
/// # Errors
/// The [`Reject`] with its reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut walk = Walk::new(bytes);
    walk.take(2)?; // SOI
    let mut stream = Vec::with_capacity(bytes.len() + ONES.len() + 64);
    stream.extend_from_slice(&[0xff, SOI]);
    let mut orientation = None;
    let mut colours = Colours::default();
    let mut frame: Option<Frame> = None;
    let mut restart_interval = 0;
    let mut scans = 0;
    let mut last_scan = Scan::default();
    let mut work = 0;
    loop {
        let marker = next_marker(&mut walk)?;
        match marker {
            EOI => break,
            0x01 | 0xd0..=0xd7 => continue, // markers without a segment, of no meaning here
            SOI | 0x00..=0xbf => return Err(wrong(format!("marker {marker:02x}"))),
            _ => {}
        }
        let segment = walk.rest();
        let length = usize::from(walk.u16_be()?);
        let data = walk.take(length.checked_sub(2).ok_or_else(|| wrong("a segment without a length"))?)?;
        match marker {
            // Motion JPEG leaves out the Huffman tables; the decoder then uses the standard ones.
            0xe0 if data.starts_with(b"AVI1") => {}
            0xe0..=0xef | COM => {
                colours.learn(marker, data);
                if orientation.is_none() && marker == 0xe1 {
                    orientation = data.strip_prefix(b"Exif\0\0").and_then(Orientation::from_exif_chunk);
                }
                continue;
            }
            0xc0..=0xc2 if frame.is_some() => return Err(wrong("a second frame")),
            0xc0..=0xc2 => frame = Some(Frame::read(marker, data, limits)?),
            0xc3..=0xcf if marker != DHT => {
                return Err(wrong(format!("coding {marker:02x} is neither baseline nor progressive")));
            }
            DHT => work += SEGMENT_WORK * (length as u64 / 17),
            DRI => restart_interval = Walk::new(data).u16_be()?,
            _ => {}
        }
        work += SEGMENT_WORK;
        if marker == SOS {
            let frame = frame.as_ref().ok_or_else(|| wrong("a scan before the frame"))?;
            scans += 1;
            if scans == 1 {
                stream.extend_from_slice(colours.adobe_segment(frame.components.len()));
            }
            last_scan = frame.scan(data, limits)?;
            work += last_scan.blocks;
        }
        if work > MAX_WORK {
            return Err(Reject::new(Reason::DecodeTimeout, "too many scans or tables for its size"));
        }
        stream.extend_from_slice(&[0xff, marker]);
        stream.extend_from_slice(&segment[..length]);
        if marker == SOS {
            let entropy_coded = walk.rest();
            last_scan.restarts = skip_entropy_coded(&mut walk)?;
            stream.extend_from_slice(&entropy_coded[..entropy_coded.len() - walk.rest().len()]);
        }
    }
    let Some(frame) = frame.filter(|_| scans > 0) else { return Err(wrong("no picture before the end")) };
    last_scan.check_restarts(restart_interval)?;
    // The decoder wants the marker right behind the only scan of a progressive picture.
    if !frame.progressive || scans > 1 {
        stream.extend_from_slice(&ONES);
    }
    stream.extend_from_slice(&[0xff, EOI]);
    Ok(Outline {
        width: frame.width,
        height: frame.height,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        animated: false,
        stream: Cow::Owned(stream),
    })
}

/// Decodes what [`outline`] kept.
///
/// # Errors
/// [`Reason::DecodeError`].
pub(super) fn pixels(outline: &Outline) -> Result<RgbImage, Reject> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_max_scans(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let stream = ZCursor::new(outline.stream.as_ref());
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(stream, options);
    let mut rgb = RgbImage::new(outline.width, outline.height);
    decoder.decode_into(&mut rgb).map_err(wrong)?;
    Ok(rgb)
}

fn wrong(detail: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::DecodeError, detail)
}

/// Skips to the next marker, over fill bytes and over bytes that belong nowhere.
fn next_marker(walk: &mut Walk) -> Result<u8, Reject> {
    loop {
        let start = memchr(0xff, walk.rest()).ok_or_else(|| walk.ended())?;
        walk.take(start)?;
        match skip_fill(walk)? {
            0 => {}
            marker => return Ok(marker),
        }
    }
}

/// The first byte that is not 0xff.
fn skip_fill(walk: &mut Walk) -> Result<u8, Reject> {
    loop {
        match walk.byte()? {
            0xff => {}
            byte => return Ok(byte),
        }
    }
}

/// Skips the data of a scan up to the marker that ends it; gives the number of restart markers.
fn skip_entropy_coded(walk: &mut Walk) -> Result<u32, Reject> {
    let mut restarts = 0;
    loop {
        let data = memchr(0xff, walk.rest()).ok_or_else(|| walk.ended())?;
        walk.take(data)?;
        let mut ahead = Walk::new(walk.rest());
        match skip_fill(&mut ahead).map_err(|_| walk.ended())? {
            0 => {}
            0xd0..=0xd7 => restarts += 1,
            _ => return Ok(restarts),
        }
        walk.take(ahead.at())?;
    }
}

/// What the application segments say about colours.
#[derive(Default)]
struct Colours {
    jfif: bool,
    adobe_transform: Option<u8>,
}

impl Colours {
    fn learn(&mut self, marker: u8, data: &[u8]) {
        match marker {
            0xe0 if data.starts_with(b"JFIF\0") => self.jfif = true,
            0xee if data.starts_with(b"Adobe") => self.adobe_transform = data.get(11).copied(),
            _ => {}
        }
    }

    /// An Adobe segment from which the decoder takes what libjpeg would: JFIF means YCbCr whatever
    /// Adobe says; four colours are YCCK if Adobe says anything but 0, CMYK without it.
    fn adobe_segment(&self, components: usize) -> &'static [u8] {
        match (components, self.adobe_transform) {
            (3, Some(0)) if !self.jfif => b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0",
            (4, Some(1..)) => b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\x02",
            _ => b"",
        }
    }
}

/// The frame header.
struct Frame {
    progressive: bool,
    width: u32,
    height: u32,
    components: Vec<Component>,
}

struct Component {
    id: u8,
    /// Sampling factors.
    across: u32,
    down: u32,
}

impl Frame {
    fn read(marker: u8, data: &[u8], limits: &Limits) -> Result<Self, Reject> {
        // A short header is a wrong one, not the end of the file.
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
            components.push(Component { id, across, down });
        }
        let frame = Self { progressive: marker == 0xc2, width, height, components };
        if frame.progressive {
            frame.check_alloc(limits)?;
        }
        Ok(frame)
    }

    /// MCUs across and down: the largest sampling factors times 8 pixels.
    fn mcus(&self) -> (u64, u64) {
        let largest = |of: fn(&Component) -> u32| self.components.iter().map(of).max().unwrap_or(1);
        let across = self.width.div_ceil(8 * largest(|c| c.across));
        let down = self.height.div_ceil(8 * largest(|c| c.down));
        (across.into(), down.into())
    }

    /// All coefficients, 2 bytes each, are held at once unless one scan carries everything.
    fn check_alloc(&self, limits: &Limits) -> Result<(), Reject> {
        let (across, down) = self.mcus();
        let blocks: u64 = self.components.iter().map(|c| u64::from(c.across * c.down)).sum();
        limits.check_alloc(across * down * blocks * 128)
    }

    /// What the scan with this header covers.
    fn scan(&self, header: &[u8], limits: &Limits) -> Result<Scan, Reject> {
        let n = usize::from(*header.first().ok_or_else(|| wrong("a short scan header"))?);
        let chosen = header.get(1..1 + 2 * n).ok_or_else(|| wrong("a short scan header"))?;
        if n < self.components.len() && !self.progressive {
            self.check_alloc(limits)?;
        }
        let (across, down) = self.mcus();
        let mut blocks = 0;
        for selector in chosen.chunks_exact(2) {
            let component = self.components.iter().find(|c| c.id == selector[0]);
            let component = component.ok_or_else(|| wrong("a scan of an unknown component"))?;
            blocks += across * down * u64::from(component.across * component.down);
        }
        // The only component of a picture is never interleaved, whatever its factors say.
        let mcus = match self.components.len() {
            1 => u64::from(self.width.div_ceil(8)) * u64::from(self.height.div_ceil(8)),
            _ => across * down,
        };
        let complete = n == self.components.len() && !self.progressive;
        Ok(Scan { blocks, mcus: complete.then_some(mcus), restarts: 0 })
    }
}

/// What a scan covers.
#[derive(Default)]
struct Scan {
    /// Blocks that it visits.
    blocks: u64,
    /// Its MCUs, if it carries the whole picture.
    mcus: Option<u64>,
    /// Restart markers in it.
    restarts: u32,
}

impl Scan {
    /// A decoder paints over missing restart intervals too.
    fn check_restarts(&self, interval: u16) -> Result<(), Reject> {
        let Some(mcus) = self.mcus.filter(|_| interval > 0) else { return Ok(()) };
        let due = mcus.div_ceil(interval.into());
        let found = u64::from(self.restarts) + 1;
        if found < due {
            return Err(Reject::new(Reason::Truncated, format!("{found} of {due} restart intervals")));
        }
        Ok(())
    }
}
