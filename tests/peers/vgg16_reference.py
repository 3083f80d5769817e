"""What PyTorch, torchvision and Pillow make of the same weights and pictures.

    python3 -m venv V && V/bin/pip install torch torchvision pillow numpy safetensors

    extractor ... --weights seeded --seed 42      # writes W/weights/vgg16-seeded-42.safetensors
    V/bin/python tests/peers/vgg16_reference.py record --weights W/weights/vgg16-seeded-42.safetensors \
        --out extractor/tests/suite/vgg16_reference.safetensors
    V/bin/python tests/peers/vgg16_reference.py photos --weights W/weights/vgg16-seeded-42.safetensors \
        --photos FOLDER --out photos.safetensors

`record` writes the committed reference: its inputs are formulas, which the Rust test writes out again.
`photos` does the same for real photos, which are not committed; point VGG16_PHOTO_REFERENCE at its
result and run `cargo test --release -p extractor --test suite`.
"""

import argparse
import hashlib
import pathlib

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.numpy import load_file, save_file
from torchvision import transforms
from torchvision.transforms import InterpolationMode

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(path):
    net = torchvision.models.vgg16(weights=None).features.eval()
    tensors = load_file(path)
    net.load_state_dict(
        {name.removeprefix("features."): torch.from_numpy(t) for name, t in tensors.items() if name.startswith("features.")}
    )
    return net


def features(net, x):
    """x (B, 3, S, S) -> (B, 512, S/32, S/32)"""
    with torch.inference_mode():
        return net(torch.from_numpy(x)).numpy()


def centre_crop(image, size):
    """(S, S, 3) levels, as torchvision's evaluation transforms with the short side at 256/224 of S."""
    resize = transforms.Resize(round(size * 256 / 224), interpolation=InterpolationMode.BILINEAR)
    return transforms.CenterCrop(size)(resize(image))


def normalised(image):
    return transforms.Normalize(MEAN, STD)(transforms.ToTensor()(image)).numpy()


def formula_input(size):
    """(1, 3, S, S), values in [-2, 2)"""
    c, y, x = np.meshgrid(np.arange(3), np.arange(size), np.arange(size), indexing="ij")
    level = (131 * c + 17 * y + 29 * x + 7 * x * y) % 251
    return (level / 62.75 - 2.0).astype(np.float32)[None]


def formula_image(width, height):
    """(height, width, 3) levels: ramps with a step in them, different in each channel"""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((7 * x + 13 * y + 31 * c + 3 * (x * y % 17)) % 256).astype(np.uint8)


def record(a):
    net = network(a.weights)
    reference = {"weights_sha256": np.frombuffer(hashlib.sha256(a.weights.read_bytes()).digest(), np.uint8).copy()}
    for size in (32, 64, 96):
        reference[f"features_{size}"] = features(net, formula_input(size))
    for width, height, size in ((37, 53, 32), (301, 200, 64), (64, 500, 32), (20, 20, 64)):
        image = Image.fromarray(formula_image(width, height))
        reference[f"centre_crop_{width}x{height}_{size}"] = np.asarray(centre_crop(image, size))
    for width, height, size in ((37, 53, 64), (301, 200, 96), (20, 500, 32)):
        image = Image.fromarray(formula_image(width, height))
        reference[f"squash_nearest_{width}x{height}_{size}"] = np.asarray(image.resize((size, size), Image.NEAREST))
    save_file(reference, a.out)


def photos(a):
    net = network(a.weights)
    names = sorted(p for p in a.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))[: a.n]
    reference = {}
    for i, name in enumerate(names):
        image = Image.open(name).convert("RGB")
        x = normalised(centre_crop(image, a.size))
        reference[f"photo_{i}"] = np.asarray(image)
        reference[f"input_{i}"] = x
        reference[f"squash_{i}"] = np.asarray(image.resize((64, 64), Image.NEAREST))
        reference[f"features_{i}"] = features(net, x[None])[0]
    save_file(reference, a.out)


p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("what", choices=("record", "photos"))
p.add_argument("--weights", type=pathlib.Path, required=True)
p.add_argument("--out", type=pathlib.Path, required=True)
p.add_argument("--photos", type=pathlib.Path)
p.add_argument("--n", type=int, default=16)
p.add_argument("--size", type=int, default=224)
a = p.parse_args()
{"record": record, "photos": photos}[a.what](a)
