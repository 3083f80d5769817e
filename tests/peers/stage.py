"""From picture files to feature files: tindogr's extractor against the same job in Python, in turns.

    make peers PEERS_PHOTOS=my/photos
    python tests/peers/stage.py [--backbone vgg16] [--photos FOLDER] [--count 240] [--rounds 5] [--json PATH]

Both have the same weights, the same pictures and as many cores; the Python side is `stage_job.py`, with the batch that
it is fastest with. First the features are compared: the decoders of JPEG differ by a level here and there, so the
tolerance is wider than between engines. The extractor's time is that of the whole program, the start included and
everything that it does beside: it checks the digests of the pictures and flushes what it writes to the disk.
Without --photos the pictures are painted, which decode faster than photos.
"""

import csv
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import load_file

import backbones
import command_line
import machine
from ratios import Ratio, gate, markdown, median

N_PROBED = 64
N_PAINTED_CLASSES = 12
OURS = "tindogr's extractor"


def paint(folder, count):
    """The sample data set's pictures, about `count` of them."""
    per_class = -(-count // N_PAINTED_CLASSES)
    command = [command_line.program("sample"), "--out", folder, "--per-class", str(per_class), "--size", "500", "--quiet"]
    subprocess.run(command, check=True)
    return folder


def choose(folder, count):
    """`count` JPEGs below `folder`, evenly spread over their sorted names."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg") and path.is_file())
    if len(files) < count:
        raise SystemExit(f"error: {folder} has {len(files)} JPEGs, --count asks for {count}")
    return [files[i * len(files) // count].absolute() for i in range(count)]


def write_lists(files, folder):
    """The pictures for both sides: (manifest for ours, list of paths for theirs); copies, as links are refused by ours."""
    (folder / "pictures").mkdir()
    rows, paths = [], []
    for i, file in enumerate(files):
        copy = folder / "pictures" / f"{i:05}{file.suffix.lower()}"
        shutil.copyfile(file, copy)
        with Image.open(file) as image:
            width, height = ImageOps.exif_transpose(image).size
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        rows.append((f"pictures/{copy.name}", "picture", "train", digest, width, height))
        paths.append(str(copy))
    manifest, listed = folder / "manifest.csv", folder / "list.txt"
    with open(manifest, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("path", "class", "split", "sha256", "width", "height"), *rows])
    listed.write_text("\n".join(paths) + "\n")
    return manifest, listed


class Ours:
    """The extractor, with its own default batch."""

    row, precision = OURS, "f32"

    def __init__(self, folder, manifest, threads, flags=()):
        self.out = folder / "features"
        program, weights = command_line.program("extractor"), folder / "weights.safetensors"
        files = ["--manifest", manifest, "--out", self.out, "--weights", weights]
        self.command = [program, *files, "--threads", str(threads), "--quiet", *flags]

    def seconds(self):
        """How long the program takes, from nothing."""
        shutil.rmtree(self.out, ignore_errors=True)
        start = time.perf_counter()
        subprocess.run(self.command, check=True)
        return time.perf_counter() - start

    def features(self):
        """(n, D) of the last run, in the manifest's order."""
        shards = [load_file(path) for path in sorted(self.out.glob("train-*.safetensors"))]
        rows = np.concatenate([shard["rows"] for shard in shards])
        return np.concatenate([shard["features"] for shard in shards])[np.argsort(rows)]


class Theirs:
    """The job in Python."""

    def __init__(self, folder, listed, threads, precision, backbone):
        self.row, self.precision, self.batch = f"Pillow + OpenVINO {precision}", precision, None
        self.network, self.listed, self.out = folder / "network.onnx", listed, folder / f"{precision}.safetensors"
        self.threads, self.backbone = threads, backbone

    def seconds(self, listed=None):
        """How long the job takes, by its own clock."""
        script = command_line.HERE / "stage_job.py"
        flags = ["--backbone", self.backbone, "--precision", self.precision, "--batch", str(self.batch), "--threads", str(self.threads)]
        command = [sys.executable, script, self.network, listed or self.listed, self.out, *flags]
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    def find_batch(self, batches, folder):
        """Keeps the batch with which it is fastest over the first pictures."""
        few = folder / "few.txt"
        few.write_text("".join(self.listed.read_text().splitlines(keepends=True)[:N_PROBED]))
        seconds = {}
        for self.batch in batches:
            seconds[self.batch] = self.seconds(few)
        self.batch = min(seconds, key=seconds.get)

    def features(self):
        """(n, D) of the last run."""
        return load_file(self.out)["features"]


def check(ours, theirs, tolerance):
    """`tolerance` is by precision. Ends the run if a picture's features differ by more than decoders explain."""
    mine = ours.features()
    for side in theirs:
        other = side.features()
        if mine.shape != other.shape:
            raise SystemExit(f"error: {side.row}: features of shape {other.shape}, ours {mine.shape}")
        errors = np.linalg.norm(mine - other, axis=1) / np.linalg.norm(other, axis=1)
        print(f"{side.row}: relative L2 to ours, of a picture: median {np.median(errors):.1e}, largest {errors.max():.1e}")
        if not errors.max() <= tolerance[side.precision]:
            raise SystemExit(f"error: {side.row}: picture {errors.argmax()} differs by more than {tolerance[side.precision]:g}")


def run_rounds(sides, n_rounds, seed):
    """As `machine.rounds`; a round is seconds by row."""
    order = random.Random(seed)
    return machine.rounds(n_rounds, lambda: {side.row: side.seconds() for side in order.sample(sides, len(sides))})


def print_report(sides, rounds, n_dropped, count, threads, bar):
    column = lambda side: [times[side.row] for times in rounds]
    ours = column(sides[0])
    print(f"\nCPU: {machine.describe()}")
    print(f"{count} pictures, {threads} threads; rounds: {len(rounds)}, and {n_dropped} dropped for steal above {machine.MAX_STEAL:.1%}")
    print("\n## Files on disk to features on disk\n")
    head = ["program", "batch", "s", "img/s", "it / ours (95 %)", "lowest to highest"]
    ratios = {side.row: Ratio(ours, column(side)) for side in sides}
    rows = []
    for side in sides:
        seconds, each = median(column(side)), [theirs / mine for mine, theirs in zip(ours, column(side))]
        figures = [f"{seconds:.2f}", f"{count / seconds:.2f}", ratios[side.row], f"{min(each):.2f} to {max(each):.2f}"]
        rows.append([side.row, getattr(side, "batch", "default"), *figures])
    print(markdown(head, rows))
    print("\n## Gates\n")
    print(gate("the whole stage, ours / Pillow + OpenVINO f32", ratios[sides[1].row].median, bar), flush=True)


def compare(folder, arguments):
    """Checks, times and prints; returns what is recorded."""
    count, threads = arguments.count, arguments.threads
    photos = arguments.photos or paint(folder / "painted", count)
    if not arguments.photos:
        print("painted pictures; for photos: make peers PEERS_PHOTOS=FOLDER, with JPEGs somewhere below FOLDER")
    network, engines_weights = backbones.MODULES[arguments.backbone], folder / "engines.safetensors"
    network.write_weights(engines_weights, arguments.seed)
    network.write_onnx(engines_weights, folder / "network.onnx")
    shutil.copyfile(network.program_weights(engines_weights), folder / "weights.safetensors")
    manifest, listed = write_lists(choose(photos, count), folder)
    ours = Ours(folder, manifest, threads, ["--backbone", arguments.backbone])
    theirs = [Theirs(folder, listed, threads, precision, arguments.backbone) for precision in ("f32", "bf16")]
    for side in theirs:
        side.find_batch(arguments.batches, folder)
    sides = [ours, *theirs]
    for side in sides:
        side.seconds()
    check(ours, theirs, network.STAGE_TOLERANCE)
    rounds, n_dropped = run_rounds(sides, arguments.rounds, arguments.seed)
    print_report(sides, rounds, n_dropped, count, threads, network.STAGE_BAR)
    return {
        "cpu": machine.describe(),
        "backbone": arguments.backbone,
        "pictures": count,
        "painted": not arguments.photos,
        "threads": threads,
        "batch": {side.row: side.batch for side in theirs},
        "rounds_dropped": n_dropped,
        "rounds_s": rounds,
    }


def main():
    arguments = command_line.parser(__doc__, rounds=5).parse_args()
    # What the caller has set must not choose other kernels than the default.
    os.environ.pop("TINDOGR_CONV3X3", None)
    arguments.out.mkdir(parents=True, exist_ok=True)
    machine.pin(arguments.threads)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stage-", dir=arguments.out))
    try:
        command_line.record(arguments.json, "stage", compare(folder, arguments))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
