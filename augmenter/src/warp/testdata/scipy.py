"""Writes scipy.txt: what Keras' ImageDataGenerator makes of a small picture through scipy.

Usage: python scipy.py > scipy.txt  (scipy 1.17.1, numpy 2.4.6)
A line is: mode theta tx ty shear zx zy, then the picture's bytes in hexadecimal.
The matrices are those of Keras' apply_affine_transform.
"""
import sys

sys.path.pop(0)  # this file must not stand for the library of the same name
import numpy as np
from scipy import ndimage

HEIGHT, WIDTH = 9, 12
CVAL = 40
source = np.array(
    [[[(x * 37 + y * 91 + c * 53 + x * y * 7) % 256 for c in range(3)] for x in range(WIDTH)] for y in range(HEIGHT)],
    dtype=np.float64,
)
cases = [
    (0, 0, 0, 0, 1, 1),
    (33.3, 0, 0, 0, 1, 1),
    (0, 2.25, 0, 0, 1, 1),
    (0, 0, -3.7, 0, 1, 1),
    (0, 0, 0, 11.5, 1, 1),
    (0, 0, 0, 0, 0.81, 1.19),
    (-27.1, 1.3, -2.9, 8.7, 1.17, 0.83),
    (141.7, -7.7, 14.3, -35.9, 1.93, 1.71),
]
for mode in ["nearest", "constant", "reflect", "wrap"]:
    for theta, tx, ty, shear, zx, zy in cases:
        t, s = np.deg2rad(theta), np.deg2rad(shear)
        rotation = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
        shift = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
        sheared = np.array([[1, -np.sin(s), 0], [0, np.cos(s), 0], [0, 0, 1]])
        zoom = np.array([[zx, 0, 0], [0, zy, 0], [0, 0, 1]])
        o_x, o_y = HEIGHT / 2 - 0.5, WIDTH / 2 - 0.5
        offset = np.array([[1, 0, o_x], [0, 1, o_y], [0, 0, 1]])
        reset = np.array([[1, 0, -o_x], [0, 1, -o_y], [0, 0, 1]])
        matrix = offset @ rotation @ shift @ sheared @ zoom @ reset
        copy = np.stack(
            [ndimage.affine_transform(source[..., c], matrix[:2, :2], matrix[:2, 2], order=1, mode=mode, cval=CVAL) for c in range(3)],
            axis=-1,
        )
        pixels = np.clip(np.rint(copy), 0, 255).astype(np.uint8)
        print(mode, theta, tx, ty, shear, zx, zy, pixels.tobytes().hex())
