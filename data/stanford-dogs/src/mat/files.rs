//! Writes MATLAB files, level 5, in the format of the lists of Stanford Dogs.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Makes a MATLAB file with the variables `labels` (numbers), then `file_list` (a cell array of strings), each
/// compressed.
pub(crate) fn mat(entries: &[&str]) -> Vec<u8> {
    file(&[compressed(&numbers("labels", entries.len())), compressed(&cells("file_list", entries))])
}

/// Makes a file of a header and `elements`.
pub(crate) fn file(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"MATLAB 5.0 MAT-file, Platform: test".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0, 1, b'I', b'M']);
    bytes.extend(elements.concat());
    bytes
}

/// Makes an element: its tag, its bytes, its padding. Short ones are packed into the tag.
pub(crate) fn element(kind: u32, content: &[u8]) -> Vec<u8> {
    let len = content.len() as u32;
    let mut bytes = if (1..=4).contains(&len) && kind != 14 {
        (kind | len << 16).to_le_bytes().to_vec()
    } else {
        [kind.to_le_bytes(), len.to_le_bytes()].concat()
    };
    bytes.extend(content);
    if kind != 15 {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes
}

pub(crate) fn compressed(element_bytes: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(element_bytes).unwrap();
    element(15, &zlib.finish().unwrap())
}

fn array(class: u8, dimensions: [u32; 2], name: &str, content: &[u8]) -> Vec<u8> {
    let flags = [[class, 0, 0, 0], [0; 4]].concat();
    let dimensions = dimensions.map(u32::to_le_bytes).concat();
    element(
        14,
        &[element(6, &flags), element(5, &dimensions), element(1, name.as_bytes()), content.to_vec()]
            .concat(),
    )
}

fn numbers(name: &str, n: usize) -> Vec<u8> {
    array(6, [n as u32, 1], name, &element(2, &vec![7; n]))
}

pub(crate) fn cells(name: &str, entries: &[&str]) -> Vec<u8> {
    let strings: Vec<Vec<u8>> = entries
        .iter()
        .map(|entry| {
            let units: Vec<u8> = entry.encode_utf16().flat_map(u16::to_le_bytes).collect();
            array(4, [1, (units.len() / 2) as u32], "", &element(4, &units))
        })
        .collect();
    array(1, [entries.len() as u32, 1], name, &strings.concat())
}
