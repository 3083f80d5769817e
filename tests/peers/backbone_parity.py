"""Features and logits of the networks other than VGG-16, beside those of their publishers' code in f64.

    make parity BACKBONE=resnet50 PEERS_PHOTOS=my/photos
    python tests/peers/backbone_parity.py --backbone resnet50 --photos FOLDER [--count 24]
    python tests/peers/backbone_parity.py --record tests/references/backbones.safetensors

timm's network is drawn at random and saved as its publisher saves it; efficientnet-lite0 is taken with its trained weights
and the package's code, too. Photos go as PNGs of what Pillow decodes. Relative L2 is that of one picture.

`--record` writes what the tests of `extractor` and `trainer` compare with: of each network, whose features come from
`weights --from seed --seed 42` and whose vectors and classifier from formulas, which the tests write out again.
"""

import io
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file

import command_line
import published
import stage
from formulas import encoded, formula_input, formula_photo
from parity import Steps, apart, choose

BARS = {"same tensor": 1e-5, "same PNG": 1e-4}
SIDE = 224
# Sides of the recorded inputs: small, so that the tests are quick.
RECORDED_SIDES = (64, 96)


# --- what is recorded


def uniform(n, t):
    """(n) values in [-0.5, 0.5): the tests have the same formula; t makes tensors different"""
    return ((np.arange(n, dtype=np.uint64) + np.uint64(977 * t)) * np.uint64(2654435761) % np.uint64(1 << 32)) / 2.0**32 - 0.5


def perturbed(name, folder):
    """The tensors of `weights --from seed`, and a classifier."""
    command_line.convert("seed", folder, "--backbone", name, "--seed", "42")
    tensors = load_file(folder / f"{name}.safetensors")
    for t, key in enumerate(sorted(tensors)):
        if tensors[key].ndim == 1:
            tensors[key] = (tensors[key] + 0.2 * uniform(tensors[key].size, t)).astype(np.float32)
    classifier = [key for key in published.network(name).state_dict() if key.split(".")[0] in ("classifier", "fc", "head")]
    weight, bias = (key for key in classifier if key not in tensors)
    n_in = published.network(name).num_features
    tensors[weight] = (0.1 * uniform(1000 * n_in, 1)).astype(np.float32).reshape(1000, n_in)
    tensors[bias] = uniform(1000, 2).astype(np.float32)
    return tensors


def record(out):
    photo = formula_photo(150, 110)
    png = encoded(photo, format="PNG")
    reference = {"file_png": png}
    image = Image.open(io.BytesIO(png.tobytes())).convert("RGB")
    for name in published.NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            module = published.network(name, perturbed(name, pathlib.Path(folder))).double()
        for side in RECORDED_SIDES:
            inputs = formula_input(side)
            reference[f"{name}_features_{side}"] = published.features(module, inputs)
            reference[f"{name}_logits_{side}"] = published.logits(module, inputs)
        reference[f"{name}_png"] = published.features(module, published.prepared(name, image, 64)[None])
    reference = {key: value if value.dtype == np.uint8 else value.astype(np.float32) for key, value in reference.items()}
    module = published.trained_lite0().double()
    inputs = formula_input(SIDE)
    reference["trained_features"] = published.features(module, inputs).astype(np.float32)
    reference["trained_logits"] = published.logits(module, inputs).astype(np.float32)
    save_file({key: np.ascontiguousarray(value) for key, value in reference.items()}, out)


# --- what is compared


def ours(folder, weights, files):
    """Files -> features (n, C) and logits (n, 1000), by the programs as their users run them."""
    folder.mkdir()
    manifest, _ = stage.write_lists(files, folder)
    shutil.copyfile(weights, folder / "weights.safetensors")
    extractor = stage.Ours(folder, manifest, threads=2, flags=["--backbone", weights.stem])
    extractor.seconds()
    dense, out = weights.with_name(f"{weights.stem}-classifier.safetensors"), folder / "logits.f32"
    command = [command_line.program("examples", "imagenet"), folder / "features", dense, out]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return extractor.features(), np.fromfile(out, np.float32).reshape(len(files), published.N_CLASSES)


def ours_from_tensors(folder, weights, inputs):
    """(n, 3, 224, 224) -> (n, C)"""
    inputs.astype("<f4").tofile(folder / "input.f32")
    command = [command_line.program("examples", "peer"), weights, folder / "input.f32"]
    out = folder / "features.f32"
    subprocess.run(command, input=f"write {out} {len(inputs)}\n", text=True, check=True, stdout=subprocess.DEVNULL)
    return np.fromfile(out, np.float32).reshape(len(inputs), -1)


def compare_network(steps, what, folder, name, weights, module, files):
    module = module.double()
    inputs = np.stack([published.prepared(name, Image.open(file), SIDE) for file in files])
    features, logits = published.features(module, inputs), published.logits(module, inputs)
    steps.features(f"{what}: network, same tensor", apart(ours_from_tensors(folder, weights, inputs), features), BARS["same tensor"])
    our_features, our_logits = ours(folder / what.replace(" ", "-"), weights, files)
    steps.features(f"{what}: features, same PNG", apart(our_features, features), BARS["same PNG"])
    steps.features(f"{what}: logits, same PNG", apart(our_logits, logits), BARS["same PNG"])


def compare(folder, arguments):
    name = arguments.backbone
    _, files = choose(arguments, folder)
    steps = Steps()
    module = published.draw(name, arguments.seed)
    random = folder / "published.safetensors"
    save_file({key: value.numpy() for key, value in module.state_dict().items()}, random)
    weights = command_line.convert(random, folder / "random", "--backbone", name) / f"{name}.safetensors"
    compare_network(steps, f"{name} random", folder, name, weights, module, files)
    if name == "efficientnet-lite0":
        weights = command_line.convert("package", folder / "trained", "--backbone", name) / f"{name}.safetensors"
        compare_network(steps, f"{name} trained", folder, name, weights, published.trained_lite0(), files)
    print(f"{len(files)} photos\n")
    steps.finish()


def main():
    flags = command_line.photo_parser(__doc__)
    flags.add_argument("--backbone", choices=published.NETWORKS, required=True)
    command_line.compare_photos("backbone-parity", flags, compare)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        record(command_line.absolute(sys.argv[2]))
    else:
        main()
