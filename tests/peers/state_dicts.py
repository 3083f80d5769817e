"""Writes the small state dicts that the tests of `weights` read: in today's format (a zip), and in that of before
PyTorch 1.6, in which torchvision's vgg16-397923af.pth may come.

    python tests/peers/state_dicts.py data/weights/src/pth

With --check it tests the command that `weights` advises for files that are no plain state dict, on one of each
cause.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

import torch

SHAPES = {"features.0.weight": (4, 3, 3, 3), "features.0.bias": (4,), "classifier.0.weight": (2, 4)}
SOURCE = pathlib.Path(__file__).parents[2] / "data/weights/src/pth.rs"


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))

    def forward(self, x):
        return self.features(x)


def write(out):
    tensors = collections.OrderedDict()
    for name, shape in SHAPES.items():
        n = torch.Size(shape).numel()
        tensors[name] = torch.nn.Parameter((torch.arange(n, dtype=torch.float32) / 8).reshape(shape))
    plain = collections.OrderedDict((name, tensor.data) for name, tensor in tensors.items())
    torch.save(plain, out / "zip.pth")
    torch.save(tensors, out / "zip-parameters.pth")
    torch.save(plain, out / "legacy.pth", _use_new_zipfile_serialization=False)
    weight, bias = plain["features.0.weight"], plain["features.0.bias"]
    other = {
        "state_dict": {
            "module.features.0.weight": weight.double().contiguous(memory_format=torch.channels_last),
            "module.features.0.bias": bias.half(),
        },
        "epoch": 3,
    }
    torch.save(other, out / "zip-nested.pth")
    other["state_dict"]["module.features.0.weight"] = weight.bfloat16().contiguous(memory_format=torch.channels_last)
    torch.save(other, out / "legacy-nested.pth", _use_new_zipfile_serialization=False)


def check():
    code = re.search(r'const PYTHON: &str = "(.*?)";\n', SOURCE.read_text(), re.S).group(1)
    code = re.sub(r"\\\n\s*", "", code)
    net = Net()
    weight, bias = net.state_dict()["features.0.weight"], net.state_dict()["features.0.bias"]
    causes = {
        "whole model": lambda f: torch.save(net, f),
        "whole model in a checkpoint": lambda f: torch.save({"model": net, "epoch": 1}, f),
        "TorchScript": lambda f: torch.jit.script(net).save(str(f)),
        "sparse": lambda f: torch.save({"features.0.weight": weight.to_sparse(), "features.0.bias": bias}, f),
        "quantized": lambda f: torch.save(
            {"features.0.weight": torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8), "features.0.bias": bias}, f
        ),
        "negated view": lambda f: torch.save({"features.0.weight": torch._neg_view(weight), "features.0.bias": bias}, f),
        "shared": lambda f: torch.save({"features.0.weight": weight, "x": weight, "features.0.bias": bias}, f),
    }
    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as folder:
        for cause, save in causes.items():
            path, result = pathlib.Path(folder, "it's a model.pth"), pathlib.Path(folder, "vgg16.safetensors")
            save(path)
            # As the classes of a whole model are there for whoever made it.
            here = f"import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r}); import __main__; "
            here += "import state_dicts; __main__.Net = state_dicts.Net; "
            subprocess.run([sys.executable, "-c", here + code, path, result], check=True)
            found = load_file(result)
            expected = -weight if cause == "negated view" else weight
            assert torch.allclose(found["features.0.weight"], expected, atol=0.06), cause
            assert torch.equal(found["features.0.bias"], bias), cause
            print("right:", cause)
            result.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, nargs="?")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        check()
    if arguments.out:
        write(arguments.out)


if __name__ == "__main__":
    main()
