use std::fs;
use std::io::Write;
use std::path::Path;

use super::*;
use crate::manifest::Split;
use crate::recipe::{Pool, Recipe};

const N_FEATURES: usize = 12;

fn layout(dtype: Dtype) -> Layout {
    let recipe = Recipe {
        backbone: "vgg16".into(),
        weights: "seeded:1".into(),
        weights_sha256: "ab".repeat(32),
        weights_trained: false,
        image_size: 32,
        preset: "torchvision".into(),
        preprocessing_version: 1,
        pool: Pool::None,
    };
    Layout { recipe, dtype, shape: vec![N_FEATURES, 1, 1] }
}

fn shard(n: usize, first_row: u32) -> Shard {
    Shard {
        features: (0..n * N_FEATURES).map(|i| i as f32 * 0.5 + first_row as f32).collect(),
        labels: (0..n as u32).map(|i| i % 2).collect(),
        rows: (first_row..).take(n).collect(),
        sha256: (0..n).map(|i| [i as u8; 32]).collect(),
    }
}

/// Two train shards and an index over them.
fn write_set(dir: &Path, dtype: Dtype) {
    let mut index = Index::new(layout(dtype), vec!["a".into(), "b".into()], "cd".repeat(32));
    for (number, n) in [(0, 5), (1, 3)] {
        let file = shard_file_name(Split::Train, number);
        write_shard(&dir.join(&file), &layout(dtype), &shard(n, 100 * number as u32)).unwrap();
        index.shards.get_mut(&Split::Train).unwrap().push(ShardEntry::of(dir, file, n).unwrap());
    }
    index.n_rejected = 95; // of 103 rows
    index.write(dir).unwrap();
}

#[test]
fn rows_come_back_across_shards() {
    for dtype in [Dtype::F32, Dtype::F16] {
        let dir = tempfile::tempdir().unwrap();
        write_set(dir.path(), dtype);
        let train = Features::open(dir.path()).unwrap().open_split(Split::Train).unwrap();
        assert_eq!(train.len(), 8);
        assert_eq!(train.labels(), [0, 1, 0, 1, 0, 0, 1, 0]);
        assert_eq!(train.rows(), [0, 1, 2, 3, 4, 100, 101, 102]);
        // Halves below 2048 are exact in f16.
        assert_eq!(train.row(4).unwrap()[..], shard(5, 0).features[4 * N_FEATURES..5 * N_FEATURES]);
        assert_eq!(train.row(5).unwrap()[..], shard(3, 100).features[..N_FEATURES]);
        assert!(Features::open(dir.path()).unwrap().open_split(Split::Test).unwrap().is_empty());
    }
}

#[test]
fn the_same_shard_is_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    for path in [&a, &b] {
        write_shard(path, &layout(Dtype::F16), &shard(4, 0)).unwrap();
    }
    assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
}

#[test]
fn a_shard_damaged_anywhere_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), Dtype::F16);
    let path = dir.path().join(shard_file_name(Split::Train, 1));
    let whole = fs::read(&path).unwrap();
    let refuse = |bytes: &[u8]| {
        commit_bytes(&path, bytes);
        let refused = Features::open(dir.path()).unwrap().open_split(Split::Train);
        let message = format!("{:#}", refused.unwrap_err());
        assert!(message.contains("train-00001.safetensors"), "{message}");
    };
    for n in 0..whole.len() {
        refuse(&whole[..n]);
    }
    for i in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[i] ^= 0x10;
        refuse(&flipped);
    }
}

fn commit_bytes(path: &Path, bytes: &[u8]) {
    crate::commit::write_bytes(path, bytes).unwrap();
}

#[test]
fn what_does_not_fit_the_index_is_refused() {
    let label = |s: &mut Shard| s.labels[0] = 7;
    let count = |s: &mut Shard| *s = shard(2, 0);
    let not_finite = |s: &mut Shard| s.features[N_FEATURES] = f32::NAN;
    let cases: [(&str, fn(&mut Shard)); 3] =
        [("label 7", label), ("holds 2 pictures", count), ("row 1 (manifest row 1)", not_finite)];
    for (expected, change) in cases {
        let dir = tempfile::tempdir().unwrap();
        write_set(dir.path(), Dtype::F32);
        let mut changed = shard(5, 0);
        change(&mut changed);
        write_shard(&dir.path().join(shard_file_name(Split::Train, 0)), &layout(Dtype::F32), &changed)
            .unwrap();
        let refused = Features::open(dir.path()).unwrap().open_split(Split::Train).unwrap_err();
        let message = format!("{refused:#}");
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("extractor again"), "{message}");
    }
}

#[test]
fn a_foreign_recipe_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), Dtype::F32);
    let mut foreign = layout(Dtype::F32);
    foreign.recipe.image_size = 64;
    let path = dir.path().join(shard_file_name(Split::Train, 0));
    write_shard(&path, &foreign, &shard(5, 0)).unwrap();
    let message = Features::open(dir.path()).unwrap().open_split(Split::Train).unwrap_err().to_string();
    assert!(message.contains("image size 64, expected 32"), "{message}");
}

#[test]
fn features_beyond_f16_are_refused_when_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut large = shard(1, 0);
    large.features[3] = 70_000.0;
    let refused = write_shard(&dir.path().join("x"), &layout(Dtype::F16), &large).unwrap_err();
    assert!(refused.to_string().contains("--dtype f32"), "{refused}");
}

#[test]
fn an_unfinished_set_says_what_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let message = Features::open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("run the extractor first"), "{message}");
}

#[test]
fn the_size_of_a_shard_is_known_before_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for dtype in [Dtype::F32, Dtype::F16] {
        // Numbers of other digits make headers of other lengths.
        for n in [1, 7, 99, 100, 256] {
            let path = dir.path().join("shard.safetensors");
            write_shard(&path, &layout(dtype), &shard(n, 0)).unwrap();
            assert_eq!(
                shard_size(&layout(dtype), n).unwrap(),
                fs::metadata(&path).unwrap().len(),
                "{dtype} {n}"
            );
        }
    }
}

#[test]
fn a_shard_of_another_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), Dtype::F32);
    let mut other = shard(5, 0);
    other.features[7] += 1.0;
    write_shard(&dir.path().join(shard_file_name(Split::Train, 0)), &layout(Dtype::F32), &other).unwrap();
    let message = Features::open(dir.path()).unwrap().open_split(Split::Train).unwrap_err().to_string();
    assert!(message.contains("train-00000.safetensors is another shard"), "{message}");
    assert!(message.contains("run the extractor again"), "{message}");
}

#[test]
fn an_index_that_contradicts_itself_is_refused() {
    let changes: [(&str, fn(&mut Index)); 7] = [
        ("\"train-00000.safetensors\" as shard 1 of train", |i| {
            let shards = i.shards.get_mut(&Split::Train).unwrap();
            shards[1] = shards[0].clone();
        }),
        ("\"test-00000.safetensors\" as shard 2 of train", |i| {
            let test = ShardEntry { file: "test-00000.safetensors".into(), n: 1, sha256: "ef".repeat(32) };
            i.shards.get_mut(&Split::Train).unwrap().push(test);
        }),
        ("\"train-00001.safetensors\" as shard 0", |i| i.shards.get_mut(&Split::Train).unwrap().reverse()),
        ("the content of train-00001.safetensors twice", |i| {
            let shards = i.shards.get_mut(&Split::Train).unwrap();
            shards[1].sha256 = shards[0].sha256.clone();
        }),
        ("is not a sha256", |i| i.shards.get_mut(&Split::Train).unwrap()[0].sha256 = "../x".into()),
        ("names a class twice", |i| i.classes[1] = "a".into()),
        ("features of shape [4294967296, 4294967296]", |i| i.layout.shape = vec![1 << 32; 2]),
    ];
    for (expected, change) in changes {
        let dir = tempfile::tempdir().unwrap();
        write_set(dir.path(), Dtype::F32);
        let mut index = Index::read(dir.path()).unwrap();
        change(&mut index);
        index.write(dir.path()).unwrap();
        let message = format!("{:#}", Features::open(dir.path()).unwrap_err());
        assert!(message.contains(expected) && message.contains("run the extractor again"), "{message}");
    }
}

#[test]
fn rows_that_overlap_or_cannot_be_are_refused() {
    for (first_row, n_rejected) in [(4, 200), (100, 90)] {
        let dir = tempfile::tempdir().unwrap();
        write_set(dir.path(), Dtype::F32);
        let file = shard_file_name(Split::Train, 1);
        write_shard(&dir.path().join(&file), &layout(Dtype::F32), &shard(3, first_row)).unwrap();
        let mut index = Index::read(dir.path()).unwrap();
        index.n_rejected = n_rejected;
        index.shards.get_mut(&Split::Train).unwrap()[1] = ShardEntry::of(dir.path(), file, 3).unwrap();
        index.write(dir.path()).unwrap();
        let message = Features::open(dir.path()).unwrap().open_split(Split::Train).unwrap_err().to_string();
        assert!(message.contains("train-00001.safetensors: its manifest rows"), "{message}");
    }
}

#[test]
fn a_flipped_bit_of_the_index_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), Dtype::F32);
    let path = dir.path().join(Index::FILE_NAME);
    let whole = fs::read(&path).unwrap();
    for bit in 0..8 * whole.len() {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(&flipped).unwrap();
        let message = format!("{:#}", Features::open(dir.path()).unwrap_err());
        assert!(message.contains("index.json") && message.contains("run the extractor again"), "{message}");
    }
}

#[test]
fn a_shard_that_is_cut_off_or_overwritten_while_it_is_read_is_an_error() {
    for dtype in [Dtype::F32, Dtype::F16] {
        let dir = tempfile::tempdir().unwrap();
        write_set(dir.path(), dtype);
        let path = dir.path().join(shard_file_name(Split::Train, 0));
        let train = Features::open(dir.path()).unwrap().open_split(Split::Train).unwrap();
        train.row(4).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(100).unwrap();
        let message = format!("{:#}", train.row(4).unwrap_err());
        assert!(message.contains("cannot read row 4 of") && message.contains("train-00000"), "{message}");

        write_set(dir.path(), dtype);
        let train = Features::open(dir.path()).unwrap().open_split(Split::Train).unwrap();
        let bytes = fs::read(dir.path().join(shard_file_name(Split::Train, 1))).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(&bytes).unwrap();
        let message = format!("{:#}", train.row(0).unwrap_err());
        assert!(message.contains("train-00000.safetensors was changed while it was read"), "{message}");

        // A new version under the same name leaves what is open alone.
        write_set(dir.path(), dtype);
        let train = Features::open(dir.path()).unwrap().open_split(Split::Train).unwrap();
        let before = train.row(0).unwrap();
        write_shard(&path, &layout(dtype), &shard(5, 77)).unwrap();
        assert_eq!(train.row(0).unwrap(), before);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), Dtype::F32);
    for file in [shard_file_name(Split::Train, 0), Index::FILE_NAME.to_owned()] {
        let path = dir.path().join(&file);
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let opened = Features::open(dir.path()).and_then(|features| features.open_split(Split::Train));
        let message = format!("{:#}", opened.unwrap_err());
        assert!(message.contains("it is not a regular file but a pipe"), "{message}");
    }
}
