"""The full classifier, 1000 logits, beside torchvision's `vgg16()`.

    make parity PEERS_PHOTOS=my/photos
    python tests/peers/classifier.py --photos FOLDER [--count 24]

torchvision's network is drawn at random; its whole state dict is what our programs get: the extractor for the features,
the trainer's dense layers for the logits. torchvision's own come from our features through its dense layers, and from the
photos through everything that is its own, as the JPEGs that they are and as PNGs of what Pillow decodes of them.
Relative L2 is that of one picture's logits.
"""

import pathlib
import subprocess

import numpy as np
import torch
import torchvision
from safetensors.numpy import save_file

import command_line
import network
from frameworks import Torchvision, decode, square
from parity import BARS, Steps, apart, choose, ours_from_files

N_CLASSES = 1000


def draw_network(seed):
    """`vgg16()`, its dense layers at He's scale: torchvision's own leave the logits all but equal."""
    torch.manual_seed(seed)
    module = torchvision.models.vgg16(weights=None).eval()
    for layer in module.classifier:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.kaiming_normal_(layer.weight)
            torch.nn.init.normal_(layer.bias, std=0.1)
    return module


def ours_from_features(folder, weights):
    """What the trainer makes of the features that `ours_from_files` left in `folder`, (n, 1000)"""
    out = folder / "logits.f32"
    command = [command_line.program("examples", "imagenet"), folder / "features", weights, out]
    times = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    logits = np.fromfile(out, np.float32).reshape(-1, N_CLASSES)
    print(f"dense layers: loaded in {float(times[0]):.2f} s, {float(times[1]) / len(logits) * 1e3:.2f} ms a picture ({len(logits)})")
    return logits


def compare_logits(steps, folder, weights, module, kind, files):
    features = ours_from_files(folder / kind, weights, "torchvision", files)
    ours = ours_from_features(folder / kind, weights.with_name("vgg16-classifier.safetensors"))
    with torch.inference_mode():
        from_ours = module.classifier(torch.from_numpy(features.reshape(len(files), -1))).numpy()
        inputs = np.stack([Torchvision.input(square(decode(file), network.SIDE)) for file in files])
        theirs = np.concatenate([module(part).numpy() for part in torch.from_numpy(inputs).split(8)])
    steps.features(f"dense layers, same features, {kind}", apart(ours, from_ours), BARS["same tensor"])
    steps.features(f"whole way, same {kind}", apart(ours, theirs), BARS[f"same {kind}"])
    same = float(np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1)))
    steps.add(f"most probable of 1000 is the same, {kind}", f"{same:.1%} of the pictures", "", True)


def compare(folder, arguments):
    module = draw_network(arguments.seed)
    published = folder / "published.safetensors"
    save_file({name: tensor.numpy() for name, tensor in module.state_dict().items()}, published)
    weights = command_line.convert(published, folder / "weights", "--full") / "vgg16.safetensors"
    jpegs, pngs = choose(arguments, folder)
    steps = Steps()
    for kind, files in (("PNG", pngs), ("JPEG", jpegs)):
        compare_logits(steps, folder, weights, module, kind, files)
    print(f"{len(jpegs)} photos\n")
    steps.finish()


if __name__ == "__main__":
    command_line.compare_photos("classifier", command_line.photo_parser(__doc__), compare)
