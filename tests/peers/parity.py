"""Are the features ImageNet's? The way from photo to features, beside that of torchvision and that of Keras.

    make parity PEERS_PHOTOS=my/photos
    python tests/peers/parity.py --photos FOLDER [--count 24]

Each photo is taken as the JPEG that it is, and as a PNG of what Pillow decodes of it. The peers are torchvision's
transforms and network for `--preset torchvision`, and for `--preset caffe` the same square through Keras'
`preprocess_input` and network. All have the same weights, random ones in torchvision's layout. First every step is
compared by itself, from the same input; then the way as a whole, by our program, from files to stored features.
Relative L2 is that of one picture's features, (512, 7, 7); the bars are those that the project promises.
"""

import pathlib
import shutil
import subprocess

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

import command_line
import network
import stage
from frameworks import Keras, Torchvision, decode, square
from ratios import markdown

PRESETS = ("torchvision", "caffe")
BARS = {"same tensor": 1e-5, "same PNG": 3e-3, "same JPEG": 1e-2}
MAX_LEVELS = 1


def ours_from_tensors(folder, weights, inputs):
    """(n, 3, 224, 224) -> (n, 512, 7, 7)"""
    inputs.astype("<f4").tofile(folder / "input.f32")
    command = [command_line.program("examples", "peer"), weights, folder / "input.f32"]
    subprocess.run(command, input=f"write {folder / 'maps.f32'} {len(inputs)}\n", text=True, check=True, stdout=subprocess.DEVNULL)
    return network.read_maps(folder / "maps.f32")


def ours_from_files(folder, weights, preset, files):
    """Files -> (n, 512, 7, 7), by the extractor as its users run it."""
    folder.mkdir()
    manifest, _ = stage.write_lists(files, folder)
    shutil.copyfile(weights, folder / "weights.safetensors")
    ours = stage.Ours(folder, manifest, threads=2, flags=["--preset", preset])
    ours.seconds()
    return ours.features().reshape(-1, 512, 7, 7)


def apart(ours, theirs):
    """Relative L2 of each picture, (n)"""
    n = len(theirs)
    difference = (ours.astype(np.float64) - theirs).reshape(n, -1)
    return np.linalg.norm(difference, axis=1) / np.linalg.norm(theirs.reshape(n, -1).astype(np.float64), axis=1)


class Steps:
    """Rows of the printed table; `missed` holds those over their bar."""

    def __init__(self):
        self.rows, self.missed = [], []

    def levels(self, step, pairs, bar):
        """Compares levels: share of the values that differ, and the furthest."""
        differences = [np.abs(mine.astype(np.int16) - other) for mine, other in pairs]
        share = np.mean(np.concatenate([d.ravel() > 0 for d in differences]))
        most = max(d.max() for d in differences)
        self.add(step, f"{share:.2%} of the values differ, by {most} levels at most", f"{bar} levels" if bar is not None else "", bar is None or most <= bar)

    def features(self, step, errors, bar):
        """Compares features by relative L2, (n)."""
        found = f"relative L2 median {np.median(errors):.1e}, largest {errors.max():.1e}"
        self.add(step, found, f"{bar:.0e}" if bar else "", not bar or errors.max() <= bar)

    def add(self, step, found, bar, met):
        self.rows.append([step, found, bar])
        if not met:
            self.missed.append(step)

    def finish(self):
        """Prints the table; ends the run if a bar was missed."""
        print(markdown(["step", "found", "bar"], self.rows))
        if self.missed:
            raise SystemExit("error: over the bar: " + "; ".join(self.missed))


def compare_pictures(steps, prepared, jpegs, pngs):
    n = len(jpegs)
    decoded = [prepared[f"decoded_{i}"] for i in range(2 * n)]
    pillow = [np.asarray(decode(path)) for path in [*jpegs, *pngs]]
    steps.levels("decoder, JPEG: ours / Pillow", list(zip(decoded[:n], pillow[:n])), None)
    steps.levels("decoder, PNG: ours / Pillow", list(zip(decoded[n:], pillow[n:])), 0)
    squares = [np.asarray(square(Image.fromarray(levels), network.SIDE)) for levels in decoded]
    pairs = [(prepared[f"square_{i}"], levels) for i, levels in enumerate(squares)]
    steps.levels("resize and crop: ours / torchvision, same decoded picture", pairs, MAX_LEVELS)


def compare_features(steps, folder, weights, preset, peer, prepared, jpegs, pngs):
    n = len(jpegs)
    # All (n, 3, 224, 224)
    from_jpeg, from_png = (np.stack([peer.input(square(decode(path), network.SIDE)) for path in paths]) for paths in (jpegs, pngs))
    our_jpeg, our_png = (np.stack([prepared[f"{preset}_{i}"] for i in range(start, start + n)]) for start in (0, n))
    furthest = np.abs(our_png - from_png).max() / np.abs(from_png).max()
    steps.add(f"{preset}: scaling, same PNG", f"furthest value {furthest:.1e} of the largest", "1e-06", furthest <= 1e-6)

    theirs_jpeg, theirs_png = peer.features(from_jpeg), peer.features(from_png)
    network_alone = apart(ours_from_tensors(folder, weights, from_png), theirs_png)
    steps.features(f"{preset}: network, same tensor", network_alone, BARS["same tensor"])
    # Their network on our decoder's picture: what is left is the decoder's share.
    steps.features(f"{preset}: decoder's share of the difference, JPEG", apart(peer.features(our_jpeg), theirs_jpeg), None)
    for name, paths, theirs in (("same PNG", pngs, theirs_png), ("same JPEG", jpegs, theirs_jpeg)):
        ours = ours_from_files(folder / f"{preset}-{paths[0].suffix[1:]}", weights, preset, paths)
        steps.features(f"{preset}: whole way, {name}", apart(ours, theirs), BARS[name])


def choose(arguments, folder):
    """(photos, the same as PNGs of what Pillow decodes)"""
    jpegs = stage.choose(arguments.photos, arguments.count)
    pngs = [folder / f"{i:05}.png" for i in range(len(jpegs))]
    for jpeg, png in zip(jpegs, pngs):
        decode(jpeg).save(png, compress_level=1)
    return jpegs, pngs


def compare(folder, arguments):
    weights = folder / "weights.safetensors"
    network.write_weights(weights, arguments.seed)
    jpegs, pngs = choose(arguments, folder)
    subprocess.run([command_line.program("examples", "prepare"), folder / "prepared.safetensors", *jpegs, *pngs], check=True)
    prepared = load_file(folder / "prepared.safetensors")
    steps = Steps()
    compare_pictures(steps, prepared, jpegs, pngs)
    for preset, peer in zip(PRESETS, (Torchvision, Keras)):
        compare_features(steps, folder, weights, preset, peer(weights, network.SIDE), prepared, jpegs, pngs)
    print(f"{len(jpegs)} photos\n")
    steps.finish()


if __name__ == "__main__":
    command_line.compare_photos("parity", command_line.photo_parser(__doc__), compare)
