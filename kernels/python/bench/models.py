"""What is trained, on what: the same as our side has."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

Shapes = dict[str, tuple[int, ...]]


def numbers(seed: int, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Numbers in [low, high) by the generator that our side uses too."""
    one = np.uint64
    with np.errstate(over="ignore"):
        z = (one(seed << 32) + np.arange(1, int(np.prod(shape)) + 1, dtype=one)) * one(0x9E3779B97F4A7C15)
        z = (z ^ (z >> one(30))) * one(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> one(27))) * one(0x94D049BB133111EB)
        z ^= z >> one(31)
    low32, width = np.float32(low), np.float32(high) - np.float32(low)
    return (low32 + width * (z >> one(40)).astype(np.float32) / np.float32(1 << 24)).reshape(shape)


def batches(rows: int, batch: int, steps: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Indices of minibatches: a fresh permutation an epoch."""
    done = 0
    while True:
        order = rng.permutation(rows).astype(np.int32)
        for start in range(0, rows - batch + 1, batch):
            if done == steps:
                return
            done += 1
            yield order[start : start + batch]


MLP: Shapes = {
    "layer_0/biases": (256,),
    "layer_0/weights": (784, 256),
    "layer_1/biases": (128,),
    "layer_1/weights": (256, 128),
    "layer_2/biases": (10,),
    "layer_2/weights": (128, 10),
}
CNN: Shapes = {
    "conv_0/biases": (8,),
    "conv_0/weights": (3, 3, 1, 8),
    "conv_1/biases": (16,),
    "conv_1/weights": (3, 3, 8, 16),
    "dense/biases": (10,),
    "dense/weights": (784, 10),
}


def initial(shapes: Shapes) -> dict[str, np.ndarray]:
    """First values: biases zero, weights uniform with He's deviation."""
    out = {}
    for i, (path, shape) in enumerate(sorted(shapes.items())):
        inputs = int(np.prod(shape[:-1]))
        bound = 0.0 if path.endswith("biases") else math.sqrt(2 / inputs) * math.sqrt(3)
        out[path] = numbers(i, shape, -bound, bound)
    return out


def examples(rows: int, example: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    return numbers(100, (rows, *example), 0, 1), np.arange(rows, dtype=np.int32) % 10


def transformer() -> Shapes:
    """A language model of 12 layers, width 256 and 2048 tokens: ten million parameters."""
    layers, width, tokens = 12, 256, 2048
    out: Shapes = {"embedding": (tokens, width)}
    for i in range(layers):
        out |= {
            f"layer_{i:02d}/{name}": shape
            for name, shape in {
                "attention/in": (width, 3 * width),
                "attention/out": (width, width),
                "dense_0/biases": (4 * width,),
                "dense_0/weights": (width, 4 * width),
                "dense_1/biases": (width,),
                "dense_1/weights": (4 * width, width),
                "norm_0/biases": (width,),
                "norm_0/scale": (width,),
                "norm_1/biases": (width,),
                "norm_1/scale": (width,),
            }.items()
        }
    return out


def updated() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The transformer's parameters and gradients."""
    shapes = sorted(transformer().items())
    params = {path: numbers(i, shape, -0.1, 0.1) for i, (path, shape) in enumerate(shapes)}
    gradients = {path: numbers(1000 + i, shape, -1, 1) for i, (path, shape) in enumerate(shapes)}
    return params, gradients
