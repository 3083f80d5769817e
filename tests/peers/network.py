"""The work that all engines are given: VGG-16's convolutions, their weights, the pictures, and the answer in f64.

Maps are (B, C, H, W) of f32 unless said otherwise. What depends on an engine's library is imported where it is used.
"""

import os
import pathlib

import numpy as np
from safetensors.numpy import load_file, save_file

import command_line

SIDE = 224
# How many times as fast as its rival the whole stage should be.
STAGE_BAR = 2.5
# Relative L2 of a picture's features between the two programs: no two decoders make the same levels of a JPEG.
STAGE_TOLERANCE = {"f32": 1e-2, "bf16": 4e-2}
# Channels out of each 3x3 convolution; "M" is a 2x2 maximum.
PLAN = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


def steps():
    """("conv", name, n_in, n_out, side of the map) and ("pool",) in order; `name` is torchvision's, without the kind."""
    n_in, side, position = 3, SIDE, 0
    for width in PLAN:
        if width == "M":
            yield ("pool",)
            side, position = side // 2, position + 1
        else:
            yield ("conv", f"features.{position}", n_in, width, side)
            n_in, position = width, position + 2


def convolutions():
    """(name, n_in, n_out, side) of the thirteen."""
    return [step[1:] for step in steps() if step[0] == "conv"]


def gflop_direct():
    """GFLOP for one picture by definition: 30.69."""
    return sum(2 * 9 * n_in * n_out * side**2 for _, n_in, n_out, side in convolutions()) / 1e9


def gflop_f4():
    """GFLOP of the products for one picture by F(4x4, 3x3), the first layer by definition: 8.02.

    A tile of 4x4 outputs takes 36 multiplications and additions instead of 144; a map of 14x14 has 4x4 tiles.
    """
    first, *others = convolutions()
    tiles = sum(2 * 36 * n_in * n_out * (-(-side // 4)) ** 2 for _, n_in, n_out, side in others)
    return (2 * 9 * first[1] * first[2] * first[3] ** 2 + tiles) / 1e9


def write_weights(path, seed):
    """He's scale by the channels out, as torchvision draws them; biases small and not 0, so that none can be forgotten."""
    draw = np.random.default_rng(seed)
    tensors = {}
    for name, n_in, n_out, _ in convolutions():
        scale = np.sqrt(2 / (9 * n_out), dtype=np.float32)
        tensors[f"{name}.weight"] = scale * draw.standard_normal((n_out, n_in, 3, 3), dtype=np.float32)
        tensors[f"{name}.bias"] = np.float32(0.02) * draw.standard_normal(n_out, dtype=np.float32)
    published = path.with_name("published.safetensors")
    save_file(tensors, published)
    # Under the same names, so that every engine can read it.
    os.replace(command_line.convert(published, path.with_name("converted")) / "vgg16.safetensors", path)


def program_weights(path):
    """Our program reads the file of the other engines."""
    return path


def write_input(path, batch, seed):
    """(batch, 3, 224, 224) of normal f32, as normalised pictures are scaled, without a header."""
    np.random.default_rng(seed).standard_normal((batch, 3, SIDE, SIDE), dtype=np.float32).tofile(path)


def read_input(path):
    """What `write_input` wrote."""
    return np.fromfile(path, np.float32).reshape(-1, 3, SIDE, SIDE)


def read_maps(path):
    """(B, 512, 7, 7) without a header, as every engine writes them."""
    return np.fromfile(path, np.float32).reshape(-1, 512, 7, 7)


def torch_module(weights):
    """As torchvision's `vgg16().features`."""
    import torch

    layers = []
    for step in steps():
        if step[0] == "pool":
            layers.append(torch.nn.MaxPool2d(2))
        else:
            layers += [torch.nn.Conv2d(step[2], step[3], 3, padding=1), torch.nn.ReLU(inplace=True)]
    module = torch.nn.Sequential(*layers).eval()
    tensors = load_file(weights)
    module.load_state_dict({name.removeprefix("features."): torch.from_numpy(t) for name, t in tensors.items()})
    return module


def write_onnx(weights, path):
    """The network as an ONNX file: input `x` (B, 3, 224, 224), output `y` (B, 512, 7, 7), any B."""
    import onnx
    from onnx import helper, numpy_helper

    nodes, last = [], "x"
    for i, step in enumerate(steps()):
        if step[0] == "pool":
            nodes.append(helper.make_node("MaxPool", [last], [f"pool{i}"], kernel_shape=[2, 2], strides=[2, 2]))
        else:
            inputs = [last, f"{step[1]}.weight", f"{step[1]}.bias"]
            nodes.append(helper.make_node("Conv", inputs, [f"conv{i}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
            nodes.append(helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"]))
        last = nodes[-1].output[0]
    nodes[-1].output[0] = "y"
    value = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    constants = [numpy_helper.from_array(tensor, name) for name, tensor in load_file(weights).items()]
    graph = helper.make_graph(nodes, "vgg16", [value("x", ["B", 3, SIDE, SIDE])], [value("y", ["B", 512, 7, 7])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    pathlib.Path(path).write_bytes(model.SerializeToString())


def reference(weights, pictures, threads):
    """(B, 512, 7, 7) of f64: PyTorch with weights and pictures widened to f64."""
    import torch

    torch.set_num_threads(threads)
    module = torch_module(weights).double()
    with torch.inference_mode():
        return np.concatenate([module(torch.from_numpy(p[None]).double()).numpy() for p in pictures])


def relative_l2(maps, exact):
    """Norm of the difference over the norm of `exact`, all pictures together."""
    return float(np.linalg.norm(maps.astype(np.float64) - exact) / np.linalg.norm(exact))
