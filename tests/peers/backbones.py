"""The networks that engines can be timed with, by name: each a module with the functions of `network.py`."""

import efficientnet_lite0
import network

MODULES = {"vgg16": network, "efficientnet-lite0": efficientnet_lite0}
