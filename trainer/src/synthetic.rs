//! Feature sets, manifests and pictures for the tests: classes as noisy clouds around random centres.

use std::path::{Path, PathBuf};

use clap::Parser;
use data::backbone::{Backbone, EFFICIENTNET_LITE0, Tensor, VGG16};
use data::breeds;
use data::commit;
use data::draw;
use data::features::{Dtype, Index, Layout, Shard, ShardEntry, shard_file_name, write_shard};
use data::manifest::{self, Augmented, IN_PLACE, Row, Split};
use data::provenance::{from_hex, sha256_file};
use data::recipe::{Pool, Recipe};
use data::weights::{Origin, Weights, collect};

use trainer::Args;

/// A feature set to be written.
#[derive(Clone)]
pub(crate) struct Synthetic {
    pub(crate) backbone: &'static Backbone,
    pub(crate) classes: Vec<String>,
    /// Pictures of each class in train, valid and test.
    pub(crate) per_class: [usize; 3],
    pub(crate) n_features: usize,
    /// Deviation of the cloud around a class's centre; the centres are standard normal.
    pub(crate) noise: f64,
    pub(crate) image_size: u32,
    pub(crate) preset: &'static str,
    /// Digest of the convolutions.
    pub(crate) weights_sha256: String,
    /// Splits whose pictures are augmented copies in the place of their originals.
    pub(crate) replaced: Vec<Split>,
}

impl Synthetic {
    pub(crate) fn small() -> Self {
        Self {
            backbone: &VGG16,
            classes: ["beagle", "not_a_dog", "papillon"].map(str::to_owned).into(),
            per_class: [20, 6, 7],
            n_features: 24,
            noise: 1.0,
            image_size: 32,
            preset: "torchvision",
            weights_sha256: "ab".repeat(32),
            replaced: Vec::new(),
        }
    }

    /// Features that EfficientNet-Lite0's classifier takes.
    pub(crate) fn of_lite0() -> Self {
        let &Backbone { image_size, presets, n_channels, .. } = &EFFICIENTNET_LITE0;
        let (n_features, preset) = (n_channels, presets[0]);
        Self { backbone: &EFFICIENTNET_LITE0, n_features, image_size, preset, ..Self::small() }
    }

    pub(crate) fn recipe(&self) -> Recipe {
        Recipe {
            backbone: self.backbone.name.into(),
            weights: "seeded:42".into(),
            weights_sha256: self.weights_sha256.clone(),
            weights_trained: false,
            image_size: self.image_size,
            preset: self.preset.into(),
            preprocessing_version: 1,
            pool: self.backbone.pool,
        }
    }

    /// Writes `split/manifest.csv`, the pictures' names in it, and `features/` into `dir`.
    pub(crate) fn write(&self, dir: &Path) -> Workspace {
        self.write_all(dir, false)
    }

    /// [`Synthetic::write`], with the pictures themselves.
    pub(crate) fn write_with_pictures(&self, dir: &Path) -> Workspace {
        self.write_all(dir, true)
    }

    fn write_all(&self, dir: &Path, with_pictures: bool) -> Workspace {
        let workspace = Workspace(dir.to_owned());
        let mut rows = Vec::new();
        for (class, split, i) in self.pictures() {
            let path = format!("{split}/{class}/{i:03}.jpg");
            let sha256 = if with_pictures { paint(&dir.join("split").join(&path)) } else { [0; 32] };
            let class = class.to_owned();
            let original = || Augmented { source: format!("../raw/{path}"), copy: IN_PLACE };
            let augmented = self.replaced.contains(&split).then(original);
            rows.push(Row { path, class, split, sha256, width: 120, height: 90, crop: None, augmented });
        }
        manifest::write(&workspace.manifest(), &rows, true).unwrap();
        self.write_features(&workspace);
        workspace
    }

    /// Writes `features/` for the manifest that is there.
    pub(crate) fn write_features(&self, workspace: &Workspace) {
        let features = workspace.0.join("features");
        let shape = match self.backbone.pool {
            Pool::None => vec![self.n_features, 1, 1],
            Pool::Avg => vec![self.n_features],
        };
        let layout = Layout { recipe: self.recipe(), dtype: Dtype::F32, shape };
        let mut index =
            Index::new(layout.clone(), self.classes.clone(), sha256_file(&workspace.manifest()).unwrap());
        for split in Split::ALL {
            let mut shard = Shard::default();
            for (row, (class, of, i)) in self.pictures().enumerate() {
                if of != split {
                    continue;
                }
                let mut cloud = draw::stream(7, "cloud", &format!("{class}/{split}/{i}"));
                let values = centre(class, self.n_features).into_iter();
                shard.features.extend(values.map(|x| (x + self.noise * cloud.normal()) as f32));
                shard.labels.push(self.classes.iter().position(|c| c == class).unwrap() as u32);
                shard.rows.push(row as u32);
                shard.sha256.push([row as u8; 32]);
            }
            if shard.rows.is_empty() {
                continue;
            }
            let file = shard_file_name(split, 0);
            write_shard(&features.join(&file), &layout, &shard).unwrap();
            let entry = ShardEntry::of(&features, file, shard.rows.len()).unwrap();
            index.shards.insert(split, vec![entry]);
        }
        index.write(&features).unwrap();
    }

    fn pictures(&self) -> impl Iterator<Item = (&str, Split, usize)> {
        Split::ALL.into_iter().zip(self.per_class).flat_map(move |(split, n)| {
            self.classes.iter().flat_map(move |class| (0..n).map(move |i| (class.as_str(), split, i)))
        })
    }
}

/// A directory with `split/manifest.csv`, `features/` and, later, `model/`.
pub(crate) struct Workspace(pub(crate) PathBuf);

impl Workspace {
    pub(crate) fn manifest(&self) -> PathBuf {
        self.0.join("split").join(manifest::FILE_NAME)
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.0.join("model")
    }

    /// Runs `trainer fit` with small layers and `flags`.
    pub(crate) fn fit(&self, flags: &str) -> anyhow::Result<()> {
        let flags = format!("--hidden 16,8 --learning-rate 0.1 --batch-size 8 --checkpoint-every 0 {flags}");
        self.run("fit", &["--features", "features", "--out", "model"], &flags)
    }

    /// Runs `trainer evaluate` with `flags`.
    pub(crate) fn evaluate(&self, flags: &str) -> anyhow::Result<()> {
        let paths = ["--features", "features", "--model", "model", "--manifest", "split/manifest.csv"];
        self.run("evaluate", &paths, flags)
    }

    /// Runs `trainer report` with `flags`.
    pub(crate) fn report(&self, flags: &str) -> anyhow::Result<()> {
        let paths = ["--features", "features", "--model", "model", "--manifest", "split/manifest.csv"];
        self.run("report", &paths, flags)
    }

    fn run(&self, command: &str, paths: &[&str], flags: &str) -> anyhow::Result<()> {
        let mut words = vec!["trainer".to_owned(), command.to_owned(), "--quiet".to_owned()];
        for pair in paths.chunks(2) {
            words.extend([pair[0].to_owned(), self.0.join(pair[1]).display().to_string()]);
        }
        // The last of two same flags counts, so that a test can override what stands above.
        let mut given: Vec<(String, Option<String>)> = Vec::new();
        for word in flags.split_whitespace() {
            match (word.starts_with("--"), given.last_mut()) {
                (false, Some((_, value))) => *value = Some(word.to_owned()),
                _ => {
                    given.retain(|(flag, _)| flag != word);
                    given.push((word.to_owned(), None));
                }
            }
        }
        words.extend(given.into_iter().flat_map(|(flag, value)| std::iter::once(flag).chain(value)));
        trainer::run(&Args::try_parse_from(words)?)
    }

    /// Bytes of the files of the model directory by name, without hidden ones.
    pub(crate) fn model_files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.model())
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| !p.file_name().unwrap().as_encoded_bytes().starts_with(b"."))
            .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(p).unwrap()))
            .collect();
        files.sort();
        files
    }

    /// Names of the files of the model directory, without the lock.
    pub(crate) fn model_file_names(&self) -> Vec<String> {
        self.model_files().into_iter().map(|(name, _)| name).collect()
    }
}

/// Writes a picture of coloured stripes that depend on its name; returns its digest.
fn paint(path: &Path) -> [u8; 32] {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let class = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let (mut of_class, mut of_picture) = (draw::stream(1, class, ""), draw::stream(1, class, name));
    let colour = [of_class.below(200), of_class.below(200), of_class.below(200)];
    let (stripe, shift) = (6 + of_picture.below(20) as u32, of_picture.below(50));
    let picture = image::RgbImage::from_fn(120, 90, |x, y| {
        let add = if (x + y) / stripe % 2 == 0 { shift } else { 0 };
        image::Rgb(colour.map(|c| (c + add) as u8))
    });
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(path).unwrap();
    from_hex(&sha256_file(path).unwrap()).unwrap()
}

/// The centre (D) of the cloud of a class.
fn centre(class: &str, n_features: usize) -> Vec<f64> {
    let mut draws = draw::stream(7, "centre", class);
    (0..n_features).map(|_| draws.normal()).collect()
}

/// Writes a classifier of EfficientNet-Lite0 for the features of [`Synthetic::of_lite0`]. The rows of the breeds among
/// `classes` are `scale` times the centres of their clouds, those of the classes without a dog that of not_a_dog; all
/// others are 0.
pub(crate) fn write_lite0_classifier(path: &Path, classes: &[&str], scale: f64) {
    let origin = Origin { origin: "test".into(), revision: None, licence: None, trained: true };
    let mut features = Weights::of_features(&EFFICIENTNET_LITE0, origin, Vec::new());
    features.info.weights_sha256 = Synthetic::of_lite0().weights_sha256;
    let class_of = |index: usize| match breeds::known().iter().find(|breed| breed.imagenet_index == index) {
        Some(breed) => classes.iter().find(|class| breeds::find(class) == Some(breed)).copied(),
        None => classes.iter().find(|class| breeds::says_no_dog(class)).copied(),
    };
    let values = |tensor: &Tensor| match *tensor.shape {
        [n_out, n_in] => (0..n_out)
            .flat_map(|index| class_of(index).map_or(vec![0.0; n_in], |class| centre(class, n_in)))
            .map(|w| (scale * w) as f32)
            .collect(),
        _ => vec![0.0; tensor.len()],
    };
    let classifier = collect(&EFFICIENTNET_LITE0.classifier, |tensor| Ok(values(tensor))).unwrap();
    features.with_classifier(classifier).write(path).unwrap();
}

/// Writes VGG-16's dense layers of full size, all zeros but the last bias: every picture gets these logits (1000). They
/// belong to the features of [`Synthetic::small`].
pub(crate) fn write_constant_imagenet_head(path: &Path, logits: &[f32]) {
    let origin = Origin { origin: "test".into(), revision: None, licence: None, trained: true };
    let mut features = Weights::of_features(&VGG16, origin, Vec::new());
    features.info.weights_sha256 = Synthetic::small().weights_sha256;
    let values = |tensor: &Tensor| match tensor.name {
        "classifier.6.bias" => logits.to_vec(),
        _ => vec![0.0; tensor.len()],
    };
    let classifier = collect(&VGG16.classifier, |tensor| Ok(values(tensor))).unwrap();
    features.with_classifier(classifier).write(path).unwrap();
}

/// The error of what must not work.
pub(crate) fn message(outcome: anyhow::Result<()>) -> String {
    format!("{:#}", outcome.unwrap_err())
}

/// Replaces a file with something else.
pub(crate) fn damage(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    commit::write_bytes(path, &bytes).unwrap();
}
