//! State dicts as PyTorch wrote them (`tests/peers/state_dicts.py`), and damaged.

use std::fs::OpenOptions;

use data::commit;

use super::*;

const LAYERS: [Layer; 1] = [Layer { position: 0, n_in: 3, n_out: 4, pooled: false }];
const FILES: [(&str, &[u8]); 3] = [
    ("zip.pth", include_bytes!("zip.pth")),
    ("zip-parameters.pth", include_bytes!("zip-parameters.pth")),
    ("legacy.pth", include_bytes!("legacy.pth")),
];

/// 0, 1/8, 2/8, ...
fn eighths(n: usize) -> Vec<f32> {
    (0..n).map(|i| i as f32 / 8.0).collect()
}

#[test]
fn state_dicts_of_all_formats_are_converted() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES {
        let path = dir.path().join(name);
        commit::write_bytes(&path, bytes).unwrap();
        assert!(is_pth(&path), "{name}");
        let slim = convert(&path, &dir.path().join("weights"), &LAYERS).unwrap();
        assert_eq!(slim.file_stem().unwrap().to_str().unwrap(), name.replace(".pth", "-convolutions"));
        let weights = Weights::read_layers(&slim, &LAYERS).unwrap();
        assert_eq!(weights.convolutions[0].weight, eighths(4 * 3 * 9), "{name}");
        assert_eq!(weights.convolutions[0].bias, eighths(4), "{name}");
        let message = format!("{:#}", Weights::read_layers(&path, &LAYERS).unwrap_err());
        assert!(message.contains("is a file of PyTorch"), "{message}");
    }
}

#[test]
fn tensors_of_before_pytorch_0_4_are_built_too() {
    let (_, legacy) = FILES[2];
    let (now, then) = (b"_rebuild_tensor_v2\n".as_slice(), b"_rebuild_tensor\n".as_slice());
    let at = legacy.windows(now.len()).position(|w| w == now).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.pth");
    commit::write_bytes(&path, &[&legacy[..at], then, &legacy[at + now.len()..]].concat()).unwrap();
    assert_eq!(read(&path, &LAYERS).unwrap().convolutions[0].bias, eighths(4));
}

#[test]
fn what_lacks_the_convolutions_is_refused_with_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let other = [Layer { position: 0, n_in: 3, n_out: 5, pooled: false }, Layer { position: 2, ..LAYERS[0] }];
    for (name, bytes) in FILES {
        let path = dir.path().join(name);
        commit::write_bytes(&path, bytes).unwrap();
        let message = format!("{:#}", read(&path, &other).unwrap_err());
        assert!(
            message.contains("features.0.weight has shape [4, 3, 3, 3], expected [5, 3, 3, 3]"),
            "{message}"
        );
        assert!(message.contains("features.2.bias is missing"), "{message}");
        assert!(message.contains("save_file(torch.load("), "{message}");
    }
}

#[test]
fn damage_is_an_error_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES {
        let path = dir.path().join(name);
        commit::write_bytes(&path, bytes).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        for n in (0..bytes.len()).rev() {
            file.set_len(n as u64).unwrap();
            assert!(read(&path, &LAYERS).is_err(), "{name} cut to {n} bytes");
        }
    }
}

#[test]
fn no_flipped_byte_is_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut n_refused = 0;
    for (name, bytes) in FILES {
        let path = dir.path().join(name);
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] = !damaged[at];
            commit::write_bytes(&path, &damaged).unwrap();
            // A flipped value is another value; a flipped opcode may be anything but a crash.
            n_refused += usize::from(read(&path, &LAYERS).is_err());
        }
    }
    assert!(n_refused > 100, "{n_refused}");
}

#[test]
fn a_damaged_result_of_an_earlier_run_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (name, bytes) = FILES[0];
    let path = dir.path().join(name);
    commit::write_bytes(&path, bytes).unwrap();
    let slim = convert(&path, dir.path(), &LAYERS).unwrap();
    let right = std::fs::read(&slim).unwrap();
    let mut damaged = right.clone();
    *damaged.last_mut().unwrap() ^= 1;
    commit::write_bytes(&slim, &damaged).unwrap();
    convert(&path, dir.path(), &LAYERS).unwrap();
    assert!(std::fs::read(&slim).unwrap() == right);
}
