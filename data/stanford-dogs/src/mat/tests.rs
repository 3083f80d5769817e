//! Tests of valid and malformed MATLAB files.

use super::cell_strings;
use super::files::{cells, compressed, element, file, mat};

#[test]
fn strings_of_a_mat_file_are_read_back() {
    let long = "x".repeat(300);
    let entries = ["a/b.jpg", "ab", "é/🐶.jpg", "", &long];
    for bytes in [mat(&entries), file(&[cells("other", &["x"]), cells("file_list", &entries)])] {
        assert_eq!(cell_strings(&bytes, "file_list").unwrap(), entries);
    }
}

#[test]
fn malformed_mat_files_are_refused() {
    let good = mat(&["a/b.jpg", "c/d.jpg"]);
    let nested = cells("file_list", &["a/b.jpg"]);
    let mut big_endian = good.clone();
    big_endian[124..128].copy_from_slice(b"\x01\x00MI");
    let mut many_cells = file(std::slice::from_ref(&nested));
    // The dimensions follow the header, the array's tag, its flags and their own tag.
    many_cells[128 + 8 + 16 + 8..][..4].copy_from_slice(&1_000_000u32.to_le_bytes());
    let mut too_many_cells = many_cells.clone();
    too_many_cells[128 + 8 + 16 + 8..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    // 40 KB that inflate to 40 MB, twice: neither alone is too much.
    let bomb = compressed(&element(14, &vec![0; 40 << 20]));
    assert!(bomb.len() < 64 << 10);
    let long_name = cells(&"x".repeat(300), &["a/b.jpg"]);
    for (bytes, expected) in [
        (Vec::new(), "too few"),
        (b"MATLAB 7.3 MAT-file".to_vec(), "HDF5"),
        (b"\x89HDF\r\n\x1a\n".to_vec(), "HDF5"),
        (vec![b' '; 200], "not a MATLAB file of level 5"),
        (big_endian, "big-endian"),
        (good[..128].to_vec(), "no variable file_list"),
        (good[..good.len() - 9].to_vec(), "ends within an element"),
        (file(&[compressed(&cells("list", &["x"]))]), "no variable file_list; there are: list"),
        (file(&[element(15, b"not zlib")]), "does not inflate"),
        (file(&[element(6, &[1; 8])]), "expected an array"),
        (file(&[cells("file_list", &[])[..16].to_vec()]), "ends within an element"),
        (many_cells, "ends within an element"),
        (too_many_cells, "a list of 4294967295 strings"),
        (file(&[compressed(&cells("other", &[])), compressed(&vec![0; 65 << 20])]), "inflate to more than"),
        (file(&[compressed(&long_name), bomb]), "a variable's name of 300 bytes"),
    ] {
        let message = format!("{:#}", cell_strings(&bytes, "file_list").expect_err(expected));
        assert!(message.contains(expected), "{message}");
    }
    for len in 0..good.len() {
        assert!(cell_strings(&good[..len], "file_list").is_err(), "cut to {len}");
    }
}

#[test]
fn no_flipped_byte_makes_the_reader_panic() {
    let good = file(&[cells("file_list", &["a/b.jpg", "c/d.jpg"])]);
    for at in 128..good.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] = value;
            let _ = cell_strings(&bad, "file_list");
        }
    }
}
