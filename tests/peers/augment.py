"""Decode + random affine (rotation 40, shift 0.2, shear 11.5 degrees, zoom 0.2) + resize to 224x224, on one thread each.

Usage: python augment.py FOLDER_OF_CLASS_FOLDERS [--rounds N]    tindogr's augmenter against albumentations + OpenCV
       python augment.py FOLDER_OF_CLASS_FOLDERS --keras         Keras ImageDataGenerator alone (the two crash in one process)

The first form builds the example `throughput` of the crate `augmenter` in the repository that this file lies in. The sides take turns, ours theirs ours theirs, so that a busy machine slows both; a round's ratio is of
the two runs beside each other, and the figure to quote is the median of the ratios. Nothing is written by either side.
"""
import argparse
import glob
import os
import pathlib
import statistics
import subprocess
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = ["cargo", "build", "--release", "--quiet", "-p", "augmenter", "--example", "throughput"]
EXAMPLE = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "examples" / "throughput"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=os.path.abspath)
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--keras", action="store_true")
arguments = parser.parse_args()
files = sorted(glob.glob(os.path.join(arguments.folder, "*", "*")))


def keras():
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rescale=1 / 255.0, rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, shear_range=11.5, zoom_range=0.2
    )
    batches = generator.flow_from_directory(arguments.folder, target_size=(224, 224), batch_size=32, shuffle=False)
    next(batches)
    start = time.perf_counter()
    n = sum(len(next(batches)[0]) for _ in range(max(1, len(files) // 32 - 2)))
    print(f"keras ImageDataGenerator  {n / (time.perf_counter() - start):8.1f} pictures/s")


def albumentations_and_opencv():
    """Returns two functions that measure pictures/s: decode and augment, decode alone."""
    import albumentations
    import cv2

    cv2.setNumThreads(1)
    transform = albumentations.Compose(
        [
            albumentations.Affine(
                rotate=(-40, 40), translate_percent=(-0.2, 0.2), scale=(0.8, 1.2), shear=(-11.5, 11.5), p=1.0
            ),
            albumentations.Resize(224, 224),
        ]
    )
    readable = [file for file in files if cv2.imread(file) is not None]

    def rate(work):
        start = time.perf_counter()
        for file in readable:
            work(cv2.imread(file))
        return len(readable) / (time.perf_counter() - start)

    return lambda: rate(lambda picture: transform(image=picture)), lambda: rate(lambda picture: None)


def ours():
    """Pictures/s of each part, by name."""
    printed = subprocess.run(
        [EXAMPLE, arguments.folder, "--parts"], check=True, capture_output=True, text=True
    ).stdout
    return {name.strip(): float(rate) for name, rate in (line[:-len(" pictures/s")].rsplit(None, 1) for line in printed.splitlines())}


if arguments.keras:
    keras()
else:
    augment, decode = albumentations_and_opencv()
    subprocess.run(BUILD, cwd=REPOSITORY, check=True)
    # A round that is not counted, for caches and clocks.
    ours(), augment()
    rounds = []
    for _ in range(arguments.rounds):
        mine, theirs, their_decode = ours(), augment(), decode()
        rounds.append((mine["decode + augment"], theirs, mine["decode alone"], their_decode, mine["warp alone"]))
        print("decode + augment  ours %7.1f  theirs %7.1f  ratio %.2f" % (*rounds[-1][:2], rounds[-1][0] / rounds[-1][1]))
    median = [statistics.median(column) for column in zip(*rounds)]
    ratio = statistics.median(mine / theirs for mine, theirs, *_ in rounds)
    print(f"medians of {arguments.rounds} rounds over {len(files)} pictures, one thread, pictures/s:")
    print(f"  augmenter                decode + augment {median[0]:8.1f}   decode alone {median[2]:8.1f}   warp alone {median[4]:8.1f}")
    print(f"  albumentations + opencv  decode + augment {median[1]:8.1f}   decode alone {median[3]:8.1f}")
    print(f"  ratio {ratio:.2f}")
