"""Adam on a classifier with JAX and optax: `training_jax.py mlp|cnn step|fused`.

step: one jitted call a step, its state donated; fused: all steps in jax.lax.scan.
The losses of all steps are kept, and read at the end.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import models
import peer

Params = dict[str, jax.Array]


def mlp(p: Params, x: jax.Array) -> jax.Array:
    for i in range(3):
        if i > 0:
            x = jax.nn.relu(x)
        x = x @ p[f"layer_{i}/weights"] + p[f"layer_{i}/biases"]
    return x


def cnn(p: Params, x: jax.Array) -> jax.Array:
    for layer in ("conv_0", "conv_1"):
        x = jax.lax.conv_general_dilated(x, p[f"{layer}/weights"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x + p[f"{layer}/biases"])
        n, h, w, c = x.shape
        x = x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))  # faster than a window reduction
    return x.reshape(x.shape[0], -1) @ p["dense/weights"] + p["dense/biases"]


def main() -> None:
    what, mode = sys.argv[1:]
    apply, shapes, example, rows, batch, steps = {
        "mlp": (mlp, models.MLP, (784,), 8192, 128, 300),
        "cnn": (cnn, models.CNN, (28, 28, 1), 4096, 64, 100),
    }[what]
    optimizer = optax.adam(1e-3)
    rng = np.random.default_rng(0)

    def step(state: Any, index: jax.Array, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        params, memory = state
        xs, ys = (v.at[index].get(mode="promise_in_bounds") for v in (x, y))

        def loss(p: Params) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(apply(p, xs), ys).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        updates, memory = optimizer.update(gradients, memory, params)
        return (optax.apply_updates(params, updates), memory), value

    jitted = partial(jax.jit, donate_argnums=0)(step)

    @jax.jit
    def scanned(state: Any, indices: jax.Array, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        return jax.lax.scan(lambda state, index: step(state, index, x, y), state, indices)

    def run(rows: int, steps: int, x: jax.Array, y: jax.Array) -> np.ndarray:
        params = jax.tree.map(jnp.array, models.initial(shapes))
        state = (params, optimizer.init(params))
        order = models.batches(rows, batch, steps, rng)
        if mode == "fused":
            state, losses = scanned(state, np.stack(list(order)), x, y)
        else:
            kept = []
            for index in order:
                state, loss = jitted(state, index, x, y)
                kept.append(loss)
            losses = jax.device_get(kept)
        jax.block_until_ready(state)
        return np.asarray(losses)

    check = run(batch, 20, *jax.device_put(models.examples(batch, example)))
    x, y = jax.device_put(models.examples(rows, example))

    def sample() -> int:
        run(rows, steps, x, y)
        return steps

    sample()
    peer.serve(["jax", "jaxlib", "optax"], check.tolist(), sample)


main()
