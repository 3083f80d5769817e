"""What the scripts have in common: flags, places in the repository, the file of raw times."""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
RELEASE = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "release"


def absolute(text):
    return pathlib.Path(text).absolute()


def parser(description, rounds):
    """A parser with the flags of both scripts, so that one list of flags can be given to both."""
    flags = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--backbone", default="vgg16", help="the network [default: vgg16]")
    flags.add_argument("--threads", type=int, default=2, help="of every engine; each gets a core [default: 2]")
    flags.add_argument("--rounds", type=int, default=rounds, help=f"in each, all take their turn [default: {rounds}]")
    flags.add_argument(
        "--batches", type=int, nargs="+", default=[1, 4, 8, 16], help="among them the best is looked for [default: 1 4 8 16]"
    )
    flags.add_argument("--seed", type=int, default=1, help="of weights, pictures and the order within a round [default: 1]")
    flags.add_argument("--out", type=absolute, default=HERE / "out", help="folder for what is made on the way")
    flags.add_argument("--json", type=absolute, help="file for raw times; the scripts write one part each")
    flags.add_argument("--only", type=re.compile, default=re.compile(""), help="engines.py: a regex; our default always takes part")
    flags.add_argument("--photos", type=absolute, help="stage.py: folder with JPEGs somewhere below")
    flags.add_argument("--count", type=int, default=240, help="stage.py: how many of them [default: 240]")
    return flags


def photo_parser(description):
    """A parser for scripts that compare numbers on photos."""
    flags = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--photos", type=absolute, required=True, help="folder with JPEGs somewhere below; with make: PEERS_PHOTOS=FOLDER")
    flags.add_argument("--count", type=int, default=24, help="how many of them [default: 24]")
    flags.add_argument("--seed", type=int, default=1, help="of the weights [default: 1]")
    flags.add_argument("--out", type=absolute, default=HERE / "out", help="folder for what is made on the way")
    return flags


def compare_photos(name, flags, compare):
    """Runs `compare(folder, arguments)` with the arguments that `flags` parses and a folder that is removed afterwards."""
    arguments = flags.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=arguments.out))
    try:
        compare(folder, arguments)
    finally:
        shutil.rmtree(folder)


def program(*below):
    """A built program's path."""
    path = RELEASE.joinpath(*below)
    if not path.exists():
        raise SystemExit(f"error: there is no {path}; run: make peers")
    return path


def convert(published, out, *flags):
    """The weights files that the program `weights` makes in the folder `out` of a published file."""
    subprocess.run([program("weights"), "--quiet", "--from", published, "--out", out, *flags], check=True, stdout=subprocess.DEVNULL)
    return out


def record(path, part, content):
    """Puts `content` under the name `part` into the JSON file `path`, beside what others have put there."""
    if path is None:
        return
    everything = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**everything, part: content}, indent=1) + "\n")
