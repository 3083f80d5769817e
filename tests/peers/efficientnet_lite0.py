"""The work that all engines are given: EfficientNet-Lite0 with its batch norm folded, as `network.py` has it for VGG-16.

Pictures are (B, 3, 224, 224), outputs the features (B, 1280), the mean of each channel of the last map; all of f32 unless
said otherwise.
"""

import dataclasses
import os
import pathlib

import numpy as np
from safetensors.numpy import load_file, save_file

import command_line
from network import SIDE, read_input, relative_l2, write_input

__all__ = ["SIDE", "read_input", "relative_l2", "write_input"]

NAME = "efficientnet-lite0"
N_FEATURES = 1280
# The engines that ours is measured by, and how many times as fast it should be and must be.
RIVALS, BARS = ("onnxruntime", "openvino f32", "ncnn f32"), (1.3, 1.0)
# The same of the whole stage.
STAGE_BAR = 2
# As in `network.py`. Random weights make more of small differences, the more layers they have; the same PNG gives 1e-6.
STAGE_TOLERANCE = {"f32": 5e-2, "bf16": 1e-1}
# (channels of the depthwise convolution for each channel in, kernel, stride, channels out, repeats)
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))


@dataclasses.dataclass
class Layer:
    """A convolution; `side` is that of its input, and `adds` names the layer whose output is added to its own."""

    name: str
    n_in: int
    n_out: int
    kernel: int
    stride: int
    groups: int
    side: int
    relu6: bool
    adds: str = ""

    def padding(self):
        """TensorFlow's SAME: (before, after)."""
        total = max((-(-self.side // self.stride) - 1) * self.stride + self.kernel - self.side, 0)
        return total // 2, total - total // 2

    def gflop(self):
        return 2 * (self.side // self.stride) ** 2 * self.n_out * self.n_in // self.groups * self.kernel**2 / 1e9


def layers():
    """In order."""
    made = [Layer("stem", 3, 32, 3, 2, 1, SIDE, True)]
    n_in, side, block = 32, SIDE // 2, 0
    for expand, kernel, first_stride, n_out, repeats in STAGES:
        for repeat in range(repeats):
            stride, n_mid, before = 1 if repeat else first_stride, n_in * expand, made[-1].name
            if expand != 1:
                made.append(Layer(f"blocks.{block}.expand", n_in, n_mid, 1, 1, 1, side, True))
            made.append(Layer(f"blocks.{block}.depthwise", n_mid, n_mid, kernel, stride, n_mid, side, True))
            side //= stride
            adds = before if stride == 1 and n_in == n_out else ""
            made.append(Layer(f"blocks.{block}.project", n_mid, n_out, 1, 1, 1, side, False, adds))
            n_in, block = n_out, block + 1
    return [*made, Layer("head", n_in, N_FEATURES, 1, 1, 1, side, True)]


def gflop_direct():
    """GFLOP of one picture: 0.77."""
    return sum(layer.gflop() for layer in layers())


def gflop_f4():
    """None: Winograd's algorithm has no part in it."""
    return None


def write_weights(path, seed):
    """He's scale by the channels in; biases small and not 0, so that none can be forgotten."""
    draw = np.random.default_rng(seed)
    tensors = {}
    for layer in layers():
        shape = (layer.n_out, layer.n_in // layer.groups, layer.kernel, layer.kernel)
        scale = np.sqrt(2 / np.prod(shape[1:]), dtype=np.float32)
        tensors[f"{layer.name}.weight"] = scale * draw.standard_normal(shape, dtype=np.float32)
        tensors[f"{layer.name}.bias"] = np.float32(0.1) * draw.standard_normal(layer.n_out, dtype=np.float32)
    save_file(tensors, path)
    published = path.with_name("published.safetensors")
    save_file(with_batch_norm(tensors), published)
    made = command_line.convert(published, path.with_name("converted"), "--backbone", NAME) / f"{NAME}.safetensors"
    os.replace(made, program_weights(path))


def program_weights(path):
    """Our program's weights file beside that of the other engines."""
    return path.with_name("ours.safetensors")


def with_batch_norm(folded):
    """The tensors under timm's names, each bias as a batch norm that folds into it."""
    tensors, epsilon = {}, 1e-3
    for layer, (convolution, norm) in zip(layers(), timm_names()):
        bias = folded[f"{layer.name}.bias"]
        tensors[f"{convolution}.weight"] = folded[f"{layer.name}.weight"]
        tensors[f"{norm}.weight"] = np.ones_like(bias)
        tensors[f"{norm}.bias"] = bias
        tensors[f"{norm}.running_mean"] = np.zeros_like(bias)
        tensors[f"{norm}.running_var"] = np.full_like(bias, 1 - epsilon)
    tensors["classifier.weight"] = np.zeros((1000, N_FEATURES), np.float32)
    tensors["classifier.bias"] = np.zeros(1000, np.float32)
    return tensors


def timm_names():
    """(convolution, batch norm) of each layer, in order."""
    names = [("conv_stem", "bn1")]
    for stage, (expand, *_, repeats) in enumerate(STAGES):
        for repeat in range(repeats):
            parts = [("conv_dw", "bn1"), ("conv_pw", "bn2")] if expand == 1 else [("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")]
            names += [tuple(f"blocks.{stage}.{repeat}.{part}" for part in pair) for pair in parts]
    return [*names, ("conv_head", "bn2")]


def read_maps(path):
    """(B, 1280) without a header, as every engine writes them."""
    return np.fromfile(path, np.float32).reshape(-1, N_FEATURES)


def torch_module(weights):
    import torch

    tensors = {name: torch.from_numpy(tensor) for name, tensor in load_file(weights).items()}

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolutions = torch.nn.ModuleList()
            for layer in layers():
                convolution = torch.nn.Conv2d(layer.n_in, layer.n_out, layer.kernel, layer.stride, groups=layer.groups)
                convolution.load_state_dict({part: tensors[f"{layer.name}.{part}"] for part in ("weight", "bias")})
                before, after = layer.padding()
                if before == after:
                    convolution.padding = (before, before)
                self.convolutions.append(convolution)

        def forward(self, x):
            outputs = {}
            for layer, convolution in zip(layers(), self.convolutions):
                before, after = layer.padding()
                if before != after:
                    x = torch.nn.functional.pad(x, (before, after, before, after))
                x = convolution(x)
                if layer.relu6:
                    x = torch.nn.functional.relu6(x)
                if layer.adds:
                    x = x + outputs[layer.adds]
                outputs[layer.name] = x
            return torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)

    return Network().eval()


def write_onnx(weights, path):
    """The network as an ONNX file: input `x` (B, 3, 224, 224), output `y` (B, 1280), any B."""
    import onnx
    from onnx import helper, numpy_helper

    tensors = {**load_file(weights), "zero": np.float32(0), "six": np.float32(6)}
    nodes, outputs, last = [], {}, "x"

    def add(kind, inputs, name, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    for layer in layers():
        before, after = layer.padding()
        inputs = [last, f"{layer.name}.weight", f"{layer.name}.bias"]
        square = lambda n: [n, n]
        shape = {"kernel_shape": square(layer.kernel), "strides": square(layer.stride), "group": layer.groups}
        last = add("Conv", inputs, layer.name, pads=[before, before, after, after], **shape)
        if layer.relu6:
            last = add("Clip", [last, "zero", "six"], f"{layer.name}.relu6")
        if layer.adds:
            last = add("Add", [last, outputs[layer.adds]], f"{layer.name}.sum")
        outputs[layer.name] = last
    add("Flatten", [add("GlobalAveragePool", [last], "means")], "y")
    value = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    constants = [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()]
    graph = helper.make_graph(nodes, "lite0", [value("x", ["B", 3, SIDE, SIDE])], [value("y", ["B", N_FEATURES])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    pathlib.Path(path).write_bytes(model.SerializeToString())


def reference(weights, pictures, threads):
    """(B, 1280) of f64: PyTorch with weights and pictures widened to f64."""
    import torch

    torch.set_num_threads(threads)
    module = torch_module(weights).double()
    with torch.inference_mode():
        return np.concatenate([module(torch.from_numpy(p[None]).double()).numpy() for p in pictures])
