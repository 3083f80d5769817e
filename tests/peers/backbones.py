"""The networks that engines can be timed with, by name: each with the functions of `network.py`."""

import efficientnet_lite0
import network
from timm_network import TimmNetwork

MODULES = {
    "vgg16": network,
    "efficientnet-lite0": efficientnet_lite0,
    # Features, and GFLOP: two for each of the multiplications and additions of their papers.
    "resnet50": TimmNetwork("resnet50", 2048, 8.2),
    "convnext-tiny": TimmNetwork("convnext-tiny", 768, 8.9),
    "convnext-nano": TimmNetwork("convnext-nano", 640, 4.9),
}
