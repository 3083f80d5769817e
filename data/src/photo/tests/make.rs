//! Makes files by hand that the encoders cannot make.

/// A JPEG of flat colour, 32 x 8 pixels, from DC coefficients only.
#[derive(Clone)]
pub(super) struct Jpeg {
    /// Value of each component.
    pub(super) values: &'static [u8],
    pub(super) ids: [u8; 4],
    pub(super) jfif: bool,
    /// The transform of an Adobe segment.
    pub(super) adobe: Option<u8>,
    pub(super) progressive: bool,
    /// Number of restart markers, of which 3 are expected; 0 for a file without.
    pub(super) restarts: usize,
    /// Size in the frame header.
    pub(super) size: Option<(u16, u16)>,
    /// Number of repetitions of the last scan.
    pub(super) extra_scans: usize,
}

impl Default for Jpeg {
    fn default() -> Self {
        Self {
            values: &[150, 90, 200],
            ids: [1, 2, 3, 4],
            jfif: false,
            adobe: None,
            progressive: false,
            restarts: 0,
            size: None,
            extra_scans: 0,
        }
    }
}

impl Jpeg {
    const BLOCKS: usize = 4;

    pub(super) fn bytes(&self) -> Vec<u8> {
        let n = self.values.len() as u8;
        let ids: Vec<u8> = (0..n).map(|i| *self.ids.get(usize::from(i)).unwrap_or(&(i + 1))).collect();
        let mut out = vec![0xff, 0xd8];
        let mut segment = |marker: u8, data: &[u8]| {
            out.extend([0xff, marker]);
            out.extend((data.len() as u16 + 2).to_be_bytes());
            out.extend(data);
        };
        if self.jfif {
            segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        }
        if let Some(transform) = self.adobe {
            segment(0xee, &[b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat());
        }
        // All 8, so that a DC coefficient is the value minus 128.
        segment(0xdb, &[&[0][..], &[8; 64]].concat());
        let (width, height) = self.size.unwrap_or((8 * Self::BLOCKS as u16, 8));
        let mut frame = vec![8];
        frame.extend(height.to_be_bytes());
        frame.extend(width.to_be_bytes());
        frame.push(n);
        frame.extend(ids.iter().flat_map(|id| [*id, 0x11, 0]));
        segment(if self.progressive { 0xc2 } else { 0xc0 }, &frame);
        // DC: 12 codes of 4 bits for 0 to 11 bits. AC: one code of 1 bit, 0, for the end of a block.
        segment(
            0xc4,
            &[&[0x00, 0, 0, 0, 12][..], &[0; 12], &std::array::from_fn::<u8, 12, _>(|i| i as u8)].concat(),
        );
        segment(0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
        if self.restarts > 0 {
            segment(0xdd, &[0, 1]);
        }
        let scan_header = |ids: &[u8], spectrum: [u8; 3]| {
            let mut header = vec![ids.len() as u8];
            header.extend(ids.iter().flat_map(|id| [*id, 0x00]));
            [&header[..], &spectrum].concat()
        };
        if self.progressive {
            segment(0xda, &scan_header(&ids, [0, 0, 0]));
            out.extend(self.entropy_coded(false));
            for id in &ids {
                let mut scan = vec![0xff, 0xda, 0, 8];
                scan.extend(scan_header(&[*id], [1, 63, 0]));
                scan.push(0x0f); // four ends of blocks, and padding
                out.extend(scan.repeat(1 + if Some(id) == ids.last() { self.extra_scans } else { 0 }));
            }
        } else {
            segment(0xda, &scan_header(&ids, [0, 63, 0]));
            out.extend(self.entropy_coded(true));
        }
        out.extend([0xff, 0xd9]);
        out
    }

    fn entropy_coded(&self, with_ac: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let mut bits = String::new();
        let flush = |bits: &mut String, out: &mut Vec<u8>| {
            while !bits.len().is_multiple_of(8) {
                bits.push('1');
            }
            for byte in bits.as_bytes().chunks(8) {
                let byte = byte.iter().fold(0, |v, bit| v << 1 | (bit - b'0'));
                out.push(byte);
                if byte == 0xff {
                    out.push(0);
                }
            }
            bits.clear();
        };
        let blocks = if self.restarts > 0 { self.restarts + 1 } else { Self::BLOCKS };
        for block in 0..blocks {
            let first = block == 0 || self.restarts > 0;
            for value in self.values {
                let difference = if first { i32::from(*value) - 128 } else { 0 };
                let n = 32 - difference.unsigned_abs().leading_zeros();
                bits += &format!("{n:04b}");
                if n > 0 {
                    let coded = if difference < 0 { difference + (1 << n) - 1 } else { difference };
                    bits += &format!("{coded:0width$b}", width = n as usize);
                }
                if with_ac {
                    bits.push('0');
                }
            }
            if self.restarts > 0 && block + 1 < blocks {
                flush(&mut bits, &mut out);
                out.extend([0xff, 0xd0 + block as u8]);
            }
        }
        flush(&mut bits, &mut out);
        out
    }
}

/// Makes a PNG with these chunks before its data; `rows` are filter numbers and samples, stored uncompressed.
pub(super) fn png(
    width: u32,
    height: u32,
    depth: u8,
    colour: u8,
    chunks: &[(&[u8; 4], &[u8])],
    rows: &[u8],
) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, colour, 0, 0, 0]);
    let length = rows.len() as u16;
    let mut data = vec![0x78, 0x01, 1];
    data.extend(length.to_le_bytes());
    data.extend((!length).to_le_bytes());
    data.extend(rows);
    let (a, b) = rows
        .iter()
        .fold((1, 0), |(a, b), v| ((a + u32::from(*v)) % 65_521, (b + a + u32::from(*v)) % 65_521));
    data.extend((b << 16 | a).to_be_bytes());
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    out.extend(chunk(b"IHDR", &header));
    out.extend(chunks.iter().flat_map(|(kind, data)| chunk(kind, data)));
    out.extend(chunk(b"IDAT", &data));
    out.extend(chunk(b"IEND", &[]));
    out
}

pub(super) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in kind.iter().chain(data) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &(!crc).to_be_bytes()].concat()
}

/// Makes an EXIF block with only an orientation.
pub(super) fn exif(orientation: u8, big_endian: bool) -> Vec<u8> {
    if big_endian {
        [&b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], &[0; 6]].concat()
    } else {
        [&b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation], &[0; 7]].concat()
    }
}

pub(super) fn png_with_exif(png: &[u8], exif: &[u8]) -> Vec<u8> {
    let end_of_header = 8 + 25;
    [&png[..end_of_header], &chunk(b"eXIf", exif), &png[end_of_header..]].concat()
}

pub(super) fn jpeg_with_exif(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let length = (exif.len() as u16 + 8).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, b"Exif\0\0", exif, &jpeg[2..]].concat()
}

/// Converts the simple `webp` to an extended one with EXIF.
pub(super) fn webp_with_exif(webp: &[u8], size: (u32, u32), exif: &[u8]) -> Vec<u8> {
    webp_with(webp, size, b"EXIF", exif)
}

/// Converts the simple `webp` to an extended one with a chunk of metadata after its frame.
pub(super) fn webp_with(webp: &[u8], size: (u32, u32), kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let flags = if kind == b"EXIF" { 0x08 } else { 0x04 };
    riff(&[canvas(flags, size), webp[12..].to_vec(), riff_chunk(kind, data)].concat())
}

/// Makes an animation of simple files.
pub(super) fn animated_webp(size: (u32, u32), frames: &[Vec<u8>]) -> Vec<u8> {
    const ANIMATION: u8 = 0x02;
    const NO_BLENDING: u8 = 0x02;
    let mut chunks = [canvas(ANIMATION, size), riff_chunk(b"ANIM", &[0; 6])].concat();
    for frame in frames {
        let header = [&[0; 6][..], &u24(size.0 - 1), &u24(size.1 - 1), &[100, 0, 0, NO_BLENDING]].concat();
        chunks.extend(riff_chunk(b"ANMF", &[&header, &frame[12..]].concat()));
    }
    riff(&chunks)
}

fn canvas(flags: u8, size: (u32, u32)) -> Vec<u8> {
    riff_chunk(b"VP8X", &[&[flags, 0, 0, 0][..], &u24(size.0 - 1), &u24(size.1 - 1)].concat())
}

fn riff(chunks: &[u8]) -> Vec<u8> {
    [b"RIFF", &(chunks.len() as u32 + 4).to_le_bytes(), b"WEBP", chunks].concat()
}

fn riff_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let padding = &[0][..data.len() % 2];
    [kind, &(data.len() as u32).to_le_bytes(), data, padding].concat()
}

fn u24(v: u32) -> [u8; 3] {
    let [a, b, c, _] = v.to_le_bytes();
    [a, b, c]
}
