"""Writes the small state dicts that the extractor's tests read: in today's format (a zip), and in that of before
PyTorch 1.6, in which torchvision's vgg16-397923af.pth may come.

    python tests/peers/state_dicts.py extractor/src/weights/pth
"""

import argparse
import collections
import pathlib

import torch

SHAPES = {"features.0.weight": (4, 3, 3, 3), "features.0.bias": (4,), "classifier.0.weight": (2, 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path)
    out = parser.parse_args().out
    tensors = collections.OrderedDict()
    for name, shape in SHAPES.items():
        n = torch.Size(shape).numel()
        tensors[name] = torch.nn.Parameter((torch.arange(n, dtype=torch.float32) / 8).reshape(shape))
    plain = collections.OrderedDict((name, tensor.data) for name, tensor in tensors.items())
    torch.save(plain, out / "zip.pth")
    torch.save(tensors, out / "zip-parameters.pth")
    torch.save(plain, out / "legacy.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
