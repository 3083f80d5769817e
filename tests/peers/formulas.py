"""Inputs and pictures that are formulas: recorded references need not hold them, for the tests write them out again."""

import io

import numpy as np
from PIL import Image


def formula_input(size):
    """(1, 3, S, S), values in [-2, 2)"""
    c, y, x = np.meshgrid(np.arange(3), np.arange(size), np.arange(size), indexing="ij")
    level = (131 * c + 17 * y + 29 * x + 7 * x * y) % 251
    return (level / 62.75 - 2.0).astype(np.float32)[None]


def formula_image(width, height):
    """(height, width, 3) levels: ramps with a step in them, different in each channel"""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((7 * x + 13 * y + 31 * c + 3 * (x * y % 17)) % 256).astype(np.uint8)


def formula_photo(width, height):
    """A picture with soft edges and strong colours, as photos have them: half a wave of each channel, a disc on it."""
    y, x = np.meshgrid(np.arange(height) / height, np.arange(width) / width, indexing="ij")
    ground = [0.5 + 0.4 * np.sin(2 * np.pi * (a * x + b * y)) for a, b in ((1, 0.5), (0.5, 1), (-1.5, 1))]
    disc = 1 / (1 + np.exp(60 * (np.hypot(x - 0.55, y - 0.45) - 0.25)))
    planes = [255 * (g * (1 - disc) + c * disc) for g, c in zip(ground, (0.8, 0.5, 0.1))]
    return Image.fromarray(np.stack(planes, axis=-1).round().astype(np.uint8))


def encoded(image, **how):
    """The file's bytes."""
    file = io.BytesIO()
    image.save(file, **how)
    return np.frombuffer(file.getvalue(), np.uint8).copy()
