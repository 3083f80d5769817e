"""What PyTorch, torchvision, Keras and Pillow make of the same weights and pictures.

    python3 -m venv V && V/bin/pip install --requirement tests/peers/requirements.txt

    weights --from seed --seed 42 --out W/weights      # writes W/weights/vgg16.safetensors
    V/bin/python tests/peers/vgg16_reference.py record --weights W/weights/vgg16.safetensors \
        --out extractor/tests/suite/vgg16_reference.safetensors
    V/bin/python tests/peers/vgg16_reference.py photos --weights W/weights/vgg16.safetensors \
        --photos FOLDER --out photos.safetensors

`record` writes the committed reference: its inputs are formulas, which the Rust test writes out again, and a picture of
one as a JPEG and as a PNG, which are in it.
`photos` does the same for real photos, which are not committed; point VGG16_PHOTO_REFERENCE at its
result and run `cargo test --release -p extractor --test suite`.
"""

import argparse
import io
import json
import pathlib

import numpy as np
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

from formulas import encoded, formula_image, formula_input, formula_photo
from frameworks import Keras, Torchvision, decode, square


def record_files(peers, size):
    """One picture as the two kinds of file, and its features by each peer."""
    image = formula_photo(150, 110)
    files = {"jpeg": encoded(image, format="JPEG", quality=90), "png": encoded(image, format="PNG")}
    reference = {f"file_{kind}": data for kind, data in files.items()}
    for preset, peer in peers.items():
        for kind, data in files.items():
            x = peer.input(square(decode(io.BytesIO(data.tobytes())), size))
            reference[f"{preset}_{kind}"] = peer.features(x[None])
            if kind == "png":
                reference[f"{preset}_input"] = x
    return reference


def record(a):
    net = Torchvision(a.weights, None)
    with safe_open(a.weights, "np") as file:
        digest = json.loads(file.metadata()["tindogr"])["weights_sha256"]
    reference = {"weights_sha256": np.frombuffer(bytes.fromhex(digest), np.uint8).copy()}
    for size in (32, 64, 96):
        reference[f"features_{size}"] = net.features(formula_input(size))
    for width, height, size in ((37, 53, 32), (301, 200, 64), (64, 500, 32), (20, 20, 64)):
        image = Image.fromarray(formula_image(width, height))
        reference[f"centre_crop_{width}x{height}_{size}"] = np.asarray(square(image, size))
    for width, height, size in ((37, 53, 64), (301, 200, 96), (20, 500, 32)):
        image = Image.fromarray(formula_image(width, height))
        reference[f"squash_nearest_{width}x{height}_{size}"] = np.asarray(image.resize((size, size), Image.NEAREST))
    reference |= record_files({"torchvision": net, "caffe": Keras(a.weights, 64)}, 64)
    # save_file writes memory as it lies, whatever order a transposed array is read in.
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in reference.items()}, a.out)


def photos(a):
    net = Torchvision(a.weights, None)
    names = sorted(p for p in a.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))[: a.n]
    reference = {}
    for i, name in enumerate(names):
        image = decode(name)
        x = net.input(square(image, a.size))
        reference[f"photo_{i}"] = np.asarray(image)
        reference[f"input_{i}"] = x
        reference[f"squash_{i}"] = np.asarray(image.resize((64, 64), Image.NEAREST))
        reference[f"features_{i}"] = net.features(x[None])[0]
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
