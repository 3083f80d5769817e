"""The extractor's job as one would write it in Python: Pillow decodes ahead, OpenVINO computes, NumPy writes.

    python stage_job.py NETWORK.onnx LIST OUT.safetensors --backbone vgg16 --precision f32 --batch 8 --threads 2

LIST names one picture a line. Prints the seconds from files on disk to features on disk: reading and compiling the
network is part of them, starting Python and importing the libraries is not.
"""

import argparse
import collections
import concurrent.futures
import itertools
import pathlib
import time

import numpy as np
import openvino as ov
from PIL import Image, ImageOps
from safetensors.numpy import save_file

SIDE = 224
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# The short side before the square is cut out, the filter, mean and deviation; as the publishers of the weights have it.
PREPARATIONS = {
    "vgg16": (256, Image.Resampling.BILINEAR, *IMAGENET),
    "efficientnet-lite0": (256, Image.Resampling.BICUBIC, *HALF),
    "resnet50": (256, Image.Resampling.BILINEAR, *IMAGENET),
    "convnext-tiny": (235, Image.Resampling.BICUBIC, *IMAGENET),
    "convnext-nano": (235, Image.Resampling.BICUBIC, *IMAGENET),
}


def preparation(backbone):
    """A function of a path to (3, 224, 224) of the picture: resized, the middle of it, normalised."""
    short_side, resampling, mean, std = PREPARATIONS[backbone]
    mean, std = np.array(mean, np.float32), np.array(std, np.float32)

    def prepare(path):
        with Image.open(path) as image:
            image = ImageOps.exif_transpose(image).convert("RGB")
        scale = short_side / min(image.size)
        # As torchvision: the long side is cut off to whole pixels.
        width, height = (short_side if side == min(image.size) else int(side * scale) for side in image.size)
        image = image.resize((width, height), resampling)
        left, top = round((width - SIDE) / 2), round((height - SIDE) / 2)
        levels = np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))
        scaled = levels * (1 / (255 * std)) - mean / std
        return scaled.astype(np.float32, copy=False).transpose(2, 0, 1)

    return prepare


def ahead(pool, function, items, n):
    """`function` of each item in order, up to `n` of them under way in the pool."""
    items = iter(items)
    pending = collections.deque(pool.submit(function, item) for item in itertools.islice(items, n))
    while pending:
        done = pending.popleft().result()
        pending.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
        yield done


def batches(prepared, size):
    """(size, 3, 224, 224) each and how many are pictures: the last is filled up with zeros."""
    prepared = iter(prepared)
    while pictures := list(itertools.islice(prepared, size)):
        batch = np.zeros((size, 3, SIDE, SIDE), np.float32)
        for slot, picture in zip(batch, pictures):
            slot[:] = picture
        yield batch, len(pictures)


def features(request, batch):
    """The request at work on a batch; calling the result waits for (B, D)."""
    request.set_input_tensor(ov.Tensor(batch, shared_memory=True))
    request.start_async()

    def wait():
        request.wait()
        return request.get_output_tensor().data.reshape(len(batch), -1).copy()

    return wait


def job(arguments):
    core = ov.Core()
    model = core.read_model(arguments.network)
    model.reshape([arguments.batch, 3, SIDE, SIDE])
    options = {"INFERENCE_PRECISION_HINT": arguments.precision, "INFERENCE_NUM_THREADS": arguments.threads}
    request = core.compile_model(model, "CPU", options).create_infer_request()
    files = pathlib.Path(arguments.list).read_text().splitlines()
    rows, under_way = [], None
    with concurrent.futures.ThreadPoolExecutor(arguments.threads) as pool:
        prepared = ahead(pool, preparation(arguments.backbone), files, 2 * arguments.batch + arguments.threads)
        for batch, n in batches(prepared, arguments.batch):
            # While the last batch is computed, this one was put together.
            if under_way:
                rows.append(under_way[0]()[: under_way[1]])
            under_way = features(request, batch), n
        rows.append(under_way[0]()[: under_way[1]])
    save_file({"features": np.concatenate(rows)}, arguments.out)


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("network", "list", "out"):
        flags.add_argument(name)
    flags.add_argument("--backbone", choices=PREPARATIONS, default="vgg16")
    flags.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    flags.add_argument("--batch", type=int, default=8)
    flags.add_argument("--threads", type=int, default=2)
    arguments = flags.parse_args()
    start = time.perf_counter()
    job(arguments)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
