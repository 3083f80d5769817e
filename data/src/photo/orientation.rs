//! Reads the orientation of a picture from all places where programs write it.
//!
//! It is in a block of EXIF or, if that is missing or has none, in a packet of XMP (`tiff:Orientation`). Cameras
//! write both into separate segments and chunks; ImageMagick writes them as hexadecimal text into PNG ("Raw profile
//! type exif"); and some programs write the prefix of JPEG's EXIF segment before the block in other formats, too.

use std::io::Read;

use flate2::read::ZlibDecoder;
use image::metadata::Orientation;
use memchr::memmem;

/// Prefix of the block in a JPEG segment.
const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Maximum decompressed size of all compressed text of a picture; cameras write much less.
const MAX_INFLATED: u64 = 4 << 20;

/// The orientations found so far in a file; the first of each kind is used.
pub(super) struct Orientations {
    exif: Option<Orientation>,
    xmp: Option<Orientation>,
    /// Remaining bytes of text that may be decompressed.
    allowance: u64,
}

impl Orientations {
    pub(super) fn new() -> Self {
        Self { exif: None, xmp: None, allowance: MAX_INFLATED }
    }

    /// Reads the JPEG segment APP1.
    pub(super) fn app1(&mut self, data: &[u8]) {
        if data.starts_with(EXIF) || data.starts_with(XMP) {
            self.block(data);
        }
    }

    /// Reads a block of EXIF or a packet of XMP, with or without the prefix of a JPEG segment.
    pub(super) fn block(&mut self, data: &[u8]) {
        let block = data.strip_prefix(EXIF).unwrap_or(data);
        if block.starts_with(b"II*\0") || block.starts_with(b"MM\0*") {
            self.exif = self.exif.or_else(|| Orientation::from_exif_chunk(block));
        } else {
            self.xmp = self.xmp.or_else(|| in_xmp(block));
        }
    }

    /// Reads a PNG chunk `tEXt`, `zTXt` or `iTXt`.
    pub(super) fn text(&mut self, kind: &[u8; 4], data: &[u8]) {
        let Some((keyword, rest)) = split_at_zero(data) else { return };
        let is_raw = keyword.to_ascii_lowercase().starts_with(b"raw profile type ");
        if !is_raw && keyword != b"XML:com.adobe.xmp" {
            return;
        }
        let text = match (kind, rest) {
            (b"tEXt", text) => Some(text.to_vec()),
            (b"zTXt", [0, deflated @ ..]) => self.inflated(deflated),
            (b"iTXt", [compressed, _method, rest @ ..]) => {
                // A language and a translated keyword come before the text.
                let text =
                    split_at_zero(rest).and_then(|(_, rest)| split_at_zero(rest)).map(|(_, text)| text);
                text.and_then(|text| if *compressed == 0 { Some(text.to_vec()) } else { self.inflated(text) })
            }
            _ => None,
        };
        match text {
            Some(text) if is_raw => self.block(&raw_profile(&text)),
            Some(text) => self.block(&text),
            None => {}
        }
    }

    /// Returns the orientation that was found.
    pub(super) fn found(&self) -> Orientation {
        self.exif.or(self.xmp).unwrap_or(Orientation::NoTransforms)
    }

    fn inflated(&mut self, deflated: &[u8]) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        // Text that was decompressed before an error counts, too, because it took time.
        let outcome = ZlibDecoder::new(deflated).take(self.allowance).read_to_end(&mut text);
        self.allowance -= text.len() as u64;
        outcome.ok().map(|_| text)
    }
}

fn split_at_zero(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(0, data)?;
    Some((&data[..at], &data[at + 1..]))
}

/// Decodes the bytes in ImageMagick's text: a name, a length, then lines of hexadecimal digits.
fn raw_profile(text: &[u8]) -> Vec<u8> {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(2);
    let digits: Vec<u8> = words
        .by_ref()
        .flatten()
        .map_while(|byte| char::from(*byte).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Finds `tiff:Orientation="6"` or `<tiff:Orientation>6</tiff:Orientation>`.
fn in_xmp(packet: &[u8]) -> Option<Orientation> {
    memmem::find_iter(packet, b"tiff:Orientation").find_map(|at| {
        let rest = packet[at..].strip_prefix(b"tiff:Orientation")?.trim_ascii_start();
        let value = match rest {
            [b'=', rest @ ..] => {
                rest.trim_ascii_start().strip_prefix(b"\"").or(rest.trim_ascii_start().strip_prefix(b"'"))?
            }
            [b'>', rest @ ..] => rest,
            _ => return None,
        };
        match value.trim_ascii_start() {
            [digit @ b'1'..=b'8', b'"' | b'\'' | b'<' | b' ' | b'\n' | b'\r' | b'\t', ..] => {
                Orientation::from_exif(digit - b'0')
            }
            _ => None,
        }
    })
}
