"""The work that all engines are given: a network of timm up to its pooled features, as `network.py` has it for VGG-16.

Pictures are (B, 3, 224, 224), outputs the features (B, C); all of f32 unless said otherwise.
"""

import os

import numpy as np
from safetensors.numpy import load_file, save_file

import command_line
from efficientnet_lite0 import STAGE_TOLERANCE
from network import SIDE, read_input, relative_l2, write_input


class TimmNetwork:
    """The functions of `network.py` for the network `name`, of `n_features`."""

    SIDE = SIDE
    RIVALS, BARS, STAGE_BAR = ("pytorch f32",), (1.0, None), 2
    STAGE_TOLERANCE = STAGE_TOLERANCE
    read_input, relative_l2, write_input = map(staticmethod, (read_input, relative_l2, write_input))

    def __init__(self, name, n_features, gflop):
        self.name, self.n_features, self.gflop = name, n_features, gflop

    def gflop_direct(self):
        """GFLOP of one picture."""
        return self.gflop

    def gflop_f4(self):
        """None: Winograd's algorithm has no part in it, or a small one."""

    def write_weights(self, path, seed):
        """timm's state dict, and the file that our program `weights` makes of it."""
        import published

        state = published.draw(self.name, seed).state_dict()
        save_file({name: tensor.numpy() for name, tensor in state.items()}, path)
        made = command_line.convert(path, path.with_name("converted"), "--backbone", self.name)
        os.replace(made / f"{self.name}.safetensors", self.program_weights(path))

    def program_weights(self, path):
        """Our program's weights file beside that of the other engines."""
        return path.with_name("ours.safetensors")

    def read_maps(self, path):
        """(B, C) without a header, as every engine writes them."""
        return np.fromfile(path, np.float32).reshape(-1, self.n_features)

    def torch_module(self, weights):
        import published
        import torch

        module = published.network(self.name, load_file(weights))

        class Features(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.module = module

            def forward(self, x):
                return published.pooled(self.module, x)

        return Features().eval()

    def write_onnx(self, weights, path):
        """The network as an ONNX file: input `x` (B, 3, 224, 224), output `y` (B, C), any B."""
        import torch

        x = torch.zeros(1, 3, SIDE, SIDE)
        axes = {"x": {0: "B"}, "y": {0: "B"}}
        with torch.inference_mode():
            torch.onnx.export(
                self.torch_module(weights), (x,), path, dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes=axes
            )

    def reference(self, weights, pictures, threads):
        """(B, C) of f64: PyTorch with weights and pictures widened to f64."""
        import torch

        torch.set_num_threads(threads)
        module = self.torch_module(weights).double()
        with torch.inference_mode():
            return np.concatenate([module(torch.from_numpy(p[None]).double()).numpy() for p in pictures])
