"""Classifiers for few pictures a breed, beside `trainer fit`, on the features that our programs have stored.

    make features DATASET=few RAW=my/photos BACKBONE=efficientnet-lite0 SPLIT_FLAGS=--allow-small
    make features DATASET=others RAW=other/photos BACKBONE=efficientnet-lite0 SPLIT_FLAGS=--allow-small RATIO=1,0,0
    python tests/peers/few_pictures.py data/runs/few data/runs/others

Trains on the pictures of the first run and tests on those of the second; copies take no part in testing. Every class of the
second must be one of the first. Printed for the train split of the first run, and for all of its pictures:

* nearest class mean: of the features at length 1, the class whose mean, at length 1 again, has the largest product.
* linear probe: softmax regression on the same features, with an L2 penalty, by gradient descent with momentum. The penalty
  is the best of five on the pictures of the second run, which favours the probe.

Needs numpy and safetensors.
"""

import argparse
import csv
import json
import pathlib

import numpy as np
from safetensors.numpy import load_file

PENALTIES = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
N_STEPS = 500


def read(run):
    """Features (n, D), each of length 1, class names, splits and whether a row is a copy."""
    classes = json.loads((run / "features/index.json").read_text())["classes"]
    with open(run / "augmented/manifest.csv", newline="") as file:
        manifest = list(csv.DictReader(file))
    shards = [load_file(path) for path in sorted((run / "features").glob("*.safetensors"))]
    features = np.concatenate([shard["features"].reshape(len(shard["labels"]), -1) for shard in shards]).astype(np.float32)
    labels = np.array([classes[label] for shard in shards for label in shard["labels"]])
    rows = [manifest[row] for shard in shards for row in shard["rows"]]
    is_copy = np.array([row.get("copy", "") not in ("", "0") for row in rows])
    splits = np.array([row["split"] for row in rows])
    return unit(features), labels, splits, is_copy


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest_class_mean(features, labels, n_classes):
    """(K, D) One row a class, and biases of 0."""
    means = np.stack([features[labels == label].mean(axis=0) for label in range(n_classes)])
    return unit(means), np.zeros(n_classes, np.float32)


def linear_probe(features, labels, n_classes, penalty):
    """(K, D), (K) Minimizes the mean cross-entropy + penalty / 2 |W|^2."""
    weights, biases = np.zeros((n_classes, features.shape[1]), np.float32), np.zeros(n_classes, np.float32)
    moves = [np.zeros_like(weights), np.zeros_like(biases)]
    targets = np.eye(n_classes, dtype=np.float32)[labels]
    # The features have length 1, so that the gradient's Lipschitz constant is at most 1 / 2 + 1 / 2 + penalty.
    rate = 1 / (1 + penalty)
    for _ in range(N_STEPS):
        difference = (softmax(features @ weights.T + biases) - targets) / len(labels)
        moves[0] = 0.95 * moves[0] - rate * (difference.T @ features + penalty * weights)
        moves[1] = 0.95 * moves[1] - rate * difference.sum(axis=0)
        weights, biases = weights + moves[0], biases + moves[1]
    return weights, biases


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def n_right(model, features, labels):
    return int((((features @ model[0].T) + model[1]).argmax(axis=1) == labels).sum())


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("run", type=pathlib.Path, help="folder of the run to train on")
    flags.add_argument("other", type=pathlib.Path, help="folder of the run to test on")
    arguments = flags.parse_args()
    features, names, splits, is_copy = read(arguments.run)
    test, test_names, _, test_is_copy = read(arguments.other)
    classes = sorted(set(names))
    unknown = sorted(set(test_names) - set(classes))
    if unknown:
        raise SystemExit(f"error: {arguments.run} has no pictures of {', '.join(unknown)}")
    labels, test_labels = (np.searchsorted(classes, some) for some in (names, test_names))
    test, test_labels = test[~test_is_copy], test_labels[~test_is_copy]
    for what, chosen in (("the train split", splits == "train"), ("all pictures", np.ones(len(labels), bool))):
        some, of = features[chosen], labels[chosen]
        if len(set(of)) < len(classes):
            print(f"{what}: not every class has pictures")
            continue
        originals = ~is_copy[chosen]
        means = nearest_class_mean(some[originals], of[originals], len(classes))
        probes = [linear_probe(some, of, len(classes), penalty) for penalty in PENALTIES]
        for name, right in (
            ("nearest class mean", n_right(means, test, test_labels)),
            ("linear probe", max(n_right(probe, test, test_labels) for probe in probes)),
        ):
            print(f"{what}, {originals.sum()} and {(~originals).sum()} copies: {name}: {right} of {len(test)} = {right / len(test):.1%}", flush=True)


if __name__ == "__main__":
    main()
