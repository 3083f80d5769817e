//! State dicts as PyTorch wrote them (`tests/peers/state_dicts.py`), and damaged.

use std::fs::OpenOptions;
use std::io::{Seek, Write};

use data::backbone::{HubFile, Tensors};
use data::commit;
use data::recipe::Pool;

use super::*;
use crate::tests::eighths as eighths_of;

static ONE_LAYER: Backbone = backbone(&[
    data::backbone::Tensor::new("features.0.weight", &[4, 3, 3, 3]),
    data::backbone::Tensor::new("features.0.bias", &[4]),
]);

const fn backbone(features: &'static [data::backbone::Tensor]) -> Backbone {
    let hub = HubFile { repository: "", file: "", pin: None, tensor_bytes: 0, licence: "" };
    let presets = &["torchvision"];
    let (features, classifier) = (Tensors::Listed(features), Tensors::Listed(&[]));
    let pool = Pool::None;
    Backbone {
        name: "one",
        hub,
        package: None,
        features,
        classifier,
        n_channels: 4,
        stride: 1,
        image_size: 1,
        presets,
        pool,
        has_maps: true,
    }
}

fn features(path: &Path) -> anyhow::Result<Vec<TensorValues>> {
    read(path, &ONE_LAYER, Part::Features)
}

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
fn state_dicts_of_all_formats_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES {
        let path = dir.path().join(name);
        commit::write_bytes(&path, bytes).unwrap();
        assert!(is_pth(&path), "{name}");
        let expected: Vec<TensorValues> = ONE_LAYER.features.iter().map(eighths_of).collect();
        assert_eq!(features(&path).unwrap(), expected, "{name}");
        assert_eq!(crate::published::read(&path, &ONE_LAYER, Part::Features).unwrap(), expected, "{name}");
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
    assert_eq!(features(&path).unwrap()[1].values, eighths(4));
}

#[test]
fn what_lacks_the_convolutions_is_refused_with_the_list() {
    let dir = tempfile::tempdir().unwrap();
    static OTHER: Backbone = backbone(&[
        data::backbone::Tensor::new("features.0.weight", &[5, 3, 3, 3]),
        data::backbone::Tensor::new("features.2.bias", &[4]),
    ]);
    for (name, bytes) in FILES {
        let path = dir.path().join(name);
        commit::write_bytes(&path, bytes).unwrap();
        let message = format!("{:#}", read(&path, &OTHER, Part::Features).unwrap_err());
        assert!(
            message.contains("features.0.weight has shape [4, 3, 3, 3], expected [5, 3, 3, 3]"),
            "{message}"
        );
        assert!(message.contains("features.2.bias is missing"), "{message}");
        assert!(!message.contains("python"), "no conversion adds what is missing: {message}");
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
            assert!(features(&path).is_err(), "{name} cut to {n} bytes");
        }
    }
}

#[test]
fn no_flipped_byte_is_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut n_refused = 0;
    for (name, bytes) in FILES {
        let path = dir.path().join(name);
        commit::write_bytes(&path, bytes).unwrap();
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] = !damaged[at];
            // In place: making thousands of files durable takes minutes.
            file.rewind().unwrap();
            file.write_all(&damaged).unwrap();
            // A flipped value is another value; a flipped opcode may be anything but a crash.
            n_refused += usize::from(features(&path).is_err());
        }
    }
    assert!(n_refused > 100, "{n_refused}");
}

/// A file of the older format with this pickle for the state dict, and these storages of f32.
fn legacy_of(state_dict: &[u8], storages: &[(&str, &[f32])]) -> Vec<u8> {
    let mut bytes = LEGACY_START.to_vec();
    bytes.extend(b"\x80\x02M\xe9\x03.\x80\x02}.\x80\x02");
    bytes.extend(state_dict);
    bytes.extend(b".\x80\x02](");
    storages.iter().for_each(|(key, _)| bytes.extend(text(key)));
    bytes.extend(b"e.");
    for (_, values) in storages {
        bytes.extend((values.len() as i64).to_le_bytes());
        bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
    }
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn int(n: usize) -> Vec<u8> {
    [b"J".as_slice(), &(n as i32).to_le_bytes()].concat()
}

/// The pickle of a tensor that is a view of the storage `key`.
fn view_of(key: &str, n: usize, offset: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let tuple = |numbers: &[usize]| {
        [b"(".to_vec(), numbers.iter().flat_map(|&n| int(n)).collect(), b"t".to_vec()].concat()
    };
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text(key),
        text("cpu"),
        int(n),
        b"tQ".to_vec(),
        int(offset),
        tuple(shape),
        tuple(strides),
        b"\x89NtR".to_vec(),
    ]
    .concat()
}

fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items = entries.iter().flat_map(|(name, value)| [text(name), value.clone()].concat());
    [b"}(".to_vec(), items.collect(), b"u".to_vec()].concat()
}

fn refusal_of(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.pth");
    commit::write_bytes(&path, bytes).unwrap();
    format!("{:#}", features(&path).unwrap_err())
}

#[test]
fn prefixes_nesting_and_strides_have_one_meaning() {
    let (n, shape) = (4 * 3 * 9, [4, 3, 3, 3]);
    // channels_last: channels lie side by side. The bias is a column of a larger matrix, after two other values.
    let (last, _) = (eighths(n), ());
    let mut bias = vec![9.0; 2 + 4 * 5];
    (0..4).for_each(|i| bias[2 + 5 * i] = i as f32);
    let storages = [("0", last.as_slice()), ("1", bias.as_slice())];
    let weight = view_of("0", n, 0, &shape, &[27, 1, 9, 3]);
    let network = |prefix: &str| {
        dict(&[
            (&format!("{prefix}features.0.weight"), weight.clone()),
            (&format!("{prefix}features.0.bias"), view_of("1", bias.len(), 2, &[4], &[5])),
        ])
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.pth");
    for pickle in [
        network(""),
        network("module."),
        dict(&[("epoch", int(3)), ("state_dict", network("module."))]),
        dict(&[("checkpoint", dict(&[("model", network("backbone.vgg."))]))]),
    ] {
        commit::write_bytes(&path, &legacy_of(&pickle, &storages)).unwrap();
        let [weight, bias] = &features(&path).unwrap()[..] else { panic!() };
        assert_eq!(bias.values, [0.0, 1.0, 2.0, 3.0]);
        for (i, &value) in weight.values.iter().enumerate() {
            let (out, channel, pixel) = (i / 27, i / 9 % 3, i % 9);
            assert_eq!(value, (27 * out + 3 * pixel + channel) as f32 / 8.0, "{i}");
        }
    }
    let two = dict(&[("state_dict", network("")), ("ema", network("module."))]);
    let message = refusal_of(&legacy_of(&two, &storages));
    assert!(
        message.contains("several networks (state_dict/features.0.weight, ema/module.features.0.weight)"),
        "{message}"
    );
}

#[test]
fn views_that_cannot_be_are_refused() {
    let values = eighths(4 * 3 * 9);
    let n = values.len();
    let shape = [4, 3, 3, 3];
    for (offset, strides, expected) in [
        (1, [27, 9, 3, 1], "lies outside its storage"),
        (0, [i32::MAX as usize, 9, 3, 1], "lies outside its storage"),
        (0, [28, 9, 3, 1], "lies outside its storage"),
    ] {
        let pickle = dict(&[
            ("features.0.weight", view_of("0", n, offset, &shape, &strides)),
            ("features.0.bias", view_of("0", n, 0, &[4], &[1])),
        ]);
        let message = refusal_of(&legacy_of(&pickle, &[("0", &values)]));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_pickle_that_is_deep_or_doubles_itself_costs_its_own_length() {
    // Nested tuples; lists; pairs of the pair before, 100 times; a list that holds itself.
    let tuples = [b"N".to_vec(), vec![0x85; 900_000]].concat();
    let lists = [vec![b']'; 450_000], vec![b'a'; 449_999]].concat();
    let doubling = [b"]q\x00".to_vec(), b"h\x00h\x00\x86q\x00".repeat(100_000)].concat();
    let cycle = [b"}q\x00".to_vec(), text("a"), b"h\x00s".to_vec()].concat();
    for pickle in [tuples, lists, doubling, cycle.clone(), dict(&[("state_dict", cycle)])] {
        let message = refusal_of(&legacy_of(&pickle, &[]));
        assert!(message.contains("it.pth"), "{message}");
    }
    let long = refusal_of(&legacy_of(&[b'N', b'0'].repeat(1 << 20), &[]));
    assert!(long.contains("longer than 1 MiB"), "{long}");
    let text = refusal_of(&legacy_of(b"X\xff\xff\xff\xffabc", &[]));
    assert!(text.contains("the pickle is cut off"), "{text}");
}

#[test]
fn what_is_no_state_dict_gets_advice_that_names_the_file() {
    let message = refusal_of(&legacy_of(b"cmodels\nVgg\n)R", &[]));
    assert!(
        message.contains("such as a whole model") && message.contains("it.pth' converted.safetensors"),
        "{message}"
    );
}

/// Nested, prefixed, channels_last, of f64 or bf16 and f16, as PyTorch writes them.
#[test]
fn checkpoints_of_pytorch_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.pth");
    for bytes in [include_bytes!("zip-nested.pth").as_slice(), include_bytes!("legacy-nested.pth")] {
        commit::write_bytes(&path, bytes).unwrap();
        let tensors = features(&path).unwrap();
        assert_eq!(tensors[0].values, eighths(4 * 3 * 9), "eighths below 16 are exact in bf16");
        assert_eq!(tensors[1].values, eighths(4));
    }
}
