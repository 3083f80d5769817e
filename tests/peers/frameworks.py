"""VGG-16's convolutions and their preprocessing as torchvision has them, and as Keras has them: what ours are compared with.

A picture is Pillow's; `weights` is a safetensors file in torchvision's layout.
"""

import os

import numpy as np
import torch
import torchvision
from PIL import Image, ImageOps
from safetensors.numpy import load_file
from torchvision import transforms

import network

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Pictures at a time.
CHUNK = 8


def decode(path):
    """An upright RGB picture by Pillow."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def square(image, size):
    """(S, S, 3) levels: torchvision's evaluation transforms, the short side at 256/224 of S, as far as they are of pictures."""
    return transforms.CenterCrop(size)(transforms.Resize(round(size * 256 / 224))(image))


class Torchvision:
    """`vgg16().features`."""

    def __init__(self, weights, _size):
        self.module = torchvision.models.vgg16(weights=None).features.eval()
        tensors = load_file(weights)
        names = [name for name in tensors if name.startswith("features.")]
        self.module.load_state_dict({name.removeprefix("features."): torch.from_numpy(tensors[name]) for name in names})

    @staticmethod
    def input(image):
        """A square picture -> (3, S, S)"""
        scale = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        return scale(transforms.ToTensor()(image)).numpy()

    def features(self, inputs):
        """(n, 3, S, S) -> (n, 512, S/32, S/32)"""
        with torch.inference_mode():
            return np.concatenate([self.module(part).numpy() for part in torch.from_numpy(inputs).split(CHUNK)])


class Keras:
    """`VGG16(include_top=False)`."""

    def __init__(self, weights, size):
        from keras.applications import vgg16

        self.model = vgg16.VGG16(include_top=False, weights=None, input_shape=(size, size, 3))
        tensors = load_file(weights)
        layers = [layer for layer in self.model.layers if "_conv" in layer.name]
        for layer, (name, *_) in zip(layers, network.convolutions(), strict=True):
            # (out, in, 3, 3) -> (3, 3, in, out)
            layer.set_weights([tensors[f"{name}.weight"].transpose(2, 3, 1, 0), tensors[f"{name}.bias"]])

    def input(self, image):
        """A square picture -> (3, S, S)"""
        from keras.applications import vgg16

        prepared = vgg16.preprocess_input(np.asarray(image, np.float32)[None], data_format="channels_last")
        return prepared[0].transpose(2, 0, 1)

    def features(self, inputs):
        """(n, 3, S, S) -> (n, 512, S/32, S/32)"""
        maps = self.model.predict(inputs.transpose(0, 2, 3, 1), batch_size=CHUNK, verbose=0)
        return maps.transpose(0, 3, 1, 2)
