"""Ten steps of a small head in PyTorch: the losses that the trainer's test holds.

Weights, features and labels come from a formula that both sides have, so no file is shared.
Run with PyTorch installed (recorded with 2.15.0, CPU):

    python tests/peers/train_reference.py
"""

import math

import torch

SIZES = [24, 16, 8, 5]
BATCH = 6


def formula(n, d, a, b):
    """(n, d) values, computed in double precision and rounded once."""
    rows = [[math.sin(a * (i + 1) + b * (j + 1)) for j in range(d)] for i in range(n)]
    return torch.tensor(rows, dtype=torch.float64).float()


def head():
    layers = []
    for i, (n_in, n_out) in enumerate(zip(SIZES, SIZES[1:])):
        linear = torch.nn.Linear(n_in, n_out)
        scale = torch.tensor(math.sqrt(6 / (n_in + n_out))).float()
        with torch.no_grad():
            linear.weight.copy_(scale * formula(n_out, n_in, 12.9898 * (i + 1), 78.233))
            linear.bias.zero_()
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def losses(**optimizer):
    model = head()
    # The trainer's decay is for weights alone.
    decay = optimizer.pop("weight_decay", 0)
    weights = [p for p in model.parameters() if p.dim() == 2]
    biases = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0}]
    sgd = torch.optim.SGD(groups, lr=0.01, **optimizer)
    for step in range(10):
        features = 3 * formula(BATCH, SIZES[0], 1.7 + 0.1 * (step % 2), 0.9)
        labels = torch.tensor([(i * 2 + step % 2) % 5 for i in range(BATCH)])
        loss = torch.nn.functional.cross_entropy(model(features), labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        yield loss.item()


if __name__ == "__main__":
    for settings in ({}, {"momentum": 0.9, "weight_decay": 0.001}):
        print(settings, ", ".join(f"{loss:.6f}" for loss in losses(**settings)))
