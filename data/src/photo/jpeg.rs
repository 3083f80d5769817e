//! JPEG: walks over its segments and scans, then runs a decoder (ITU-T T.81).
//!
//! Common decoders fill missing parts with grey and return no error. Two things prevent this: the walk rejects a
//! file whose scans do not have all components, or that ends before the end-of-image marker (unless a baseline
//! picture is complete), and the decoder gets [`ONES`] after the last scan, so that it fails if it reads beyond
//! the end of the scan.
//!
//! zune-jpeg decodes nearly all files, and fast. It returns wrong pixels without an error if components are in
//! separate scans of a file that is not progressive, or if colour is sampled more finely than brightness. These
//! pictures are decoded by jpeg-decoder, which has a third of the speed and decodes them correctly or returns an
//! error.

use std::borrow::Cow;

use image::RgbImage;
use jpeg_decoder::PixelFormat;
use memchr::memchr;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::orientation::Orientations;
use super::walk::Walk;
use super::{Limits, Outline, Reason, Reject};
use frame::{Frame, Scan};

mod frame;

/// Start and end of the image, and start of a scan; the second byte of each marker.
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
/// Huffman tables; number of MCUs between two restart markers; comment.
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const COM: u8 = 0xfe;

/// 128 bits of 1. No Huffman code is all ones (T.81, C.2), and a code and its value have at most 32 bits, so a
/// decoder that reads beyond the end of a scan fails.
const ONES: [u8; 32] = {
    let mut ones = [0xff; 32];
    let mut i = 1;
    while i < ones.len() {
        ones[i] = 0; // each 0xff of a scan is followed by 0
        i += 2;
    }
    ones
};

/// Maximum work of a file, in visits of 8x8 blocks.
///
/// Every scan visits every block of its components, even if it changes none, so a file of 1 MB may take hours. A
/// progressive picture of 200 megapixels from libjpeg takes 25 million visits. Counting them needs no clock, so
/// the result for a file is the same on every machine.
const MAX_WORK: u64 = 28_000_000;
/// Work of one segment in addition to its blocks, and of one Huffman table.
const SEGMENT_WORK: u64 = 100;
/// Zeros at the end of a file's last scan that show that the rest of the file was never written.
const ZEROS: [u8; 8] = [0; 8];

/// Walks to the end of the image and keeps tables, frame and scans.
///
/// # Errors
/// A [`Reject`] with the reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut reading = Reading::new(bytes);
    let mut walk = Walk::new(bytes);
    walk.take(2)?; // SOI
    let unfinished = loop {
        match reading.segment(&mut walk, limits) {
            Ok(true) => {}
            Ok(false) => break false,
            Err(reject) if reject.reason == Reason::Truncated && reading.may_be_whole(bytes) => break true,
            Err(reject) => return Err(reject),
        }
    };
    reading.finish(unfinished)
}

/// The parts of a file that were read so far.
struct Reading {
    /// Input of the decoder.
    stream: Vec<u8>,
    orientations: Orientations,
    colours: Colours,
    frame: Option<Frame>,
    restart_interval: u16,
    scans: usize,
    last_scan: Option<Scan>,
    /// Whether zune-jpeg decodes all scans so far correctly.
    usual: bool,
    work: u64,
}

impl Reading {
    fn new(bytes: &[u8]) -> Self {
        let mut stream = Vec::with_capacity(bytes.len() + ONES.len() + 64);
        stream.extend_from_slice(&[0xff, SOI]);
        Self {
            stream,
            orientations: Orientations::new(),
            colours: Colours::default(),
            frame: None,
            restart_interval: 0,
            scans: 0,
            last_scan: None,
            usual: true,
            work: 0,
        }
    }

    /// Reads the next segment, and the data after it if it begins a scan. Returns `false` at the end of the image.
    fn segment(&mut self, walk: &mut Walk, limits: &Limits) -> Result<bool, Reject> {
        let marker = next_marker(walk)?;
        match marker {
            EOI => return Ok(false),
            0x01 | 0xd0..=0xd7 => return Ok(true), // markers without a segment, ignored here
            SOI | 0x00..=0xbf => return Err(wrong(format!("marker {marker:02x}"))),
            _ => {}
        }
        let segment = walk.rest();
        let length = usize::from(walk.u16_be()?);
        let data = walk.take(length.checked_sub(2).ok_or_else(|| wrong("a segment without a length"))?)?;
        match marker {
            // Motion JPEG has no Huffman tables; the decoder then uses the standard ones.
            0xe0 if data.starts_with(b"AVI1") => {}
            0xe0..=0xef | COM => {
                self.colours.learn(marker, data);
                if marker == 0xe1 {
                    self.orientations.app1(data);
                }
                return Ok(true);
            }
            0xc0..=0xc2 if self.frame.is_some() => return Err(wrong("a second frame")),
            0xc0..=0xc2 => self.frame = Some(Frame::read(marker, data, limits)?),
            0xc3..=0xcf if marker != DHT => {
                return Err(wrong(format!("coding {marker:02x} is neither baseline nor progressive")));
            }
            DHT => self.work += SEGMENT_WORK * (length as u64 / 17),
            DRI => self.restart_interval = Walk::new(data).u16_be()?,
            _ => {}
        }
        self.work += SEGMENT_WORK;
        let scan = if marker == SOS { Some(self.scan(data, limits)?) } else { None };
        if self.work > MAX_WORK {
            return Err(Reject::new(Reason::DecodeTimeout, "too many scans or tables for its size"));
        }
        self.stream.extend_from_slice(&[0xff, marker]);
        self.stream.extend_from_slice(&segment[..length]);
        if let Some(mut scan) = scan {
            let (data, restarts) = entropy_coded(walk);
            self.stream.extend_from_slice(data);
            if !self.usual {
                // jpeg-decoder reads each scan to its end.
                self.stream.extend_from_slice(&ONES);
            }
            scan.restarts = restarts;
            self.last_scan = Some(scan);
        }
        Ok(true)
    }

    fn scan(&mut self, header: &[u8], limits: &Limits) -> Result<Scan, Reject> {
        let frame = self.frame.as_mut().ok_or_else(|| wrong("a scan before the frame"))?;
        self.scans += 1;
        if self.scans == 1 {
            self.stream.extend_from_slice(self.colours.adobe_segment(frame.components.len()));
        }
        let scan = frame.scan(header, limits)?;
        self.usual &= frame.is_usually_sampled() && (frame.progressive || scan.interleaved);
        self.work += scan.blocks;
        Ok(scan)
    }

    /// Returns whether a file without its end may have all pixels. For a progressive picture this is unknown.
    fn may_be_whole(&self, bytes: &[u8]) -> bool {
        let carried = |frame: &Frame| !frame.progressive && frame.check_carried().is_ok();
        self.frame.as_ref().is_some_and(carried) && !bytes.ends_with(&ZEROS)
    }

    fn finish<'a>(mut self, unfinished: bool) -> Result<Outline<'a>, Reject> {
        let (Some(frame), Some(last_scan)) = (self.frame, self.last_scan) else {
            return Err(wrong("no picture before the end"));
        };
        frame.check_carried()?;
        last_scan.check_restarts(self.restart_interval)?;
        // zune-jpeg needs the marker directly after the only scan of a progressive picture.
        if !frame.progressive || self.scans > 1 {
            self.stream.extend_from_slice(&ONES);
        }
        self.stream.extend_from_slice(&[0xff, EOI]);
        Ok(Outline {
            width: frame.width,
            height: frame.height,
            orientation: self.orientations.found(),
            animated: false,
            unfinished,
            unusual: !self.usual,
            stream: Cow::Owned(self.stream),
        })
    }
}

/// Decodes the parts that [`outline`] kept.
///
/// # Errors
/// [`Reason::DecodeError`].
pub(super) fn pixels(outline: &Outline) -> Result<RgbImage, Reject> {
    if outline.unusual {
        return unusual_pixels(outline);
    }
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

/// Decodes the pictures that zune-jpeg decodes wrongly.
fn unusual_pixels(outline: &Outline) -> Result<RgbImage, Reject> {
    let unusual = |error: &dyn std::fmt::Display| {
        wrong(format!("{error}; its components are in separate scans, or have unusual sampling factors"))
    };
    let mut decoder = jpeg_decoder::Decoder::new(outline.stream.as_ref());
    let samples = decoder.decode().map_err(|e| unusual(&e))?;
    let rgb = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::RGB24) => samples,
        // Amounts of ink: this decoder has undone Adobe's inversion, in which 255 is no ink.
        Some(PixelFormat::CMYK32) => samples
            .chunks_exact(4)
            .flat_map(|pixel| {
                let [c, m, y, k] = [0, 1, 2, 3].map(|i| u16::from(255 - pixel[i]));
                [c, m, y].map(|colour| (colour * k / 255) as u8)
            })
            .collect(),
        other => return Err(unusual(&format!("colours of the kind {other:?}"))),
    };
    RgbImage::from_raw(outline.width, outline.height, rgb).ok_or_else(|| unusual(&"pixels are missing"))
}

fn wrong(detail: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::DecodeError, detail)
}

/// Skips to the next marker, over fill bytes and stray bytes.
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

/// Skips fill bytes and returns the first byte that is not 0xff.
fn skip_fill(walk: &mut Walk) -> Result<u8, Reject> {
    loop {
        match walk.byte()? {
            0xff => {}
            byte => return Ok(byte),
        }
    }
}

/// Returns the data of a scan, up to the next marker or the end of the file, and its number of restart markers.
fn entropy_coded<'a>(walk: &mut Walk<'a>) -> (&'a [u8], u32) {
    let all = walk.rest();
    let mut restarts = 0;
    let mut at = 0;
    while let Some(data) = memchr(0xff, &all[at..]) {
        let marker = at + data;
        let mut ahead = Walk::new(&all[marker..]);
        match skip_fill(&mut ahead) {
            Ok(0) => {}
            Ok(0xd0..=0xd7) => restarts += 1,
            Ok(_) | Err(_) => {
                walk.skip(marker);
                return (&all[..marker], restarts);
            }
        }
        at = marker + ahead.at();
    }
    walk.skip(all.len());
    (all, restarts)
}

/// The colour information of the application segments.
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

    /// Returns an Adobe segment with which the decoder uses the same colours as libjpeg: with JFIF YCbCr, even if
    /// there is another Adobe segment; for four components YCCK if Adobe's transform is not 0, and CMYK without it.
    fn adobe_segment(&self, components: usize) -> &'static [u8] {
        match (components, self.adobe_transform) {
            (3, Some(0)) if !self.jfif => b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0",
            (4, Some(1..)) => b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\x02",
            _ => b"",
        }
    }
}
