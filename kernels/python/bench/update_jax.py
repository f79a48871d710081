"""One update of an optimizer of optax on ten million parameters: `update_jax.py NAME step|fused`.

step: one jitted call an update, in place; fused: all updates in jax.lax.scan.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from optax import contrib

import models
import peer

RATE = 1e-3

OPTIMIZERS = {
    "sgd": lambda: optax.sgd(RATE),
    "momentum": lambda: optax.sgd(RATE, momentum=0.9),
    "nesterov": lambda: optax.sgd(RATE, momentum=0.9, nesterov=True),
    "adagrad": lambda: optax.adagrad(RATE),
    "adadelta": lambda: optax.adadelta(RATE),
    "rmsprop": lambda: optax.rmsprop(RATE),
    "rmsprop-centered": lambda: optax.rmsprop(RATE, centered=True),
    "adam": lambda: optax.adam(RATE),
    "amsgrad": lambda: optax.amsgrad(RATE),
    "adamw": lambda: optax.adamw(RATE, weight_decay=0.01),
    "nadam": lambda: optax.nadam(RATE),
    "radam": lambda: optax.radam(RATE),
    "lion": lambda: optax.lion(RATE, weight_decay=0.0),
    "signsgd": lambda: optax.sign_sgd(RATE),
    "adafactor": lambda: optax.adafactor(RATE),
    "muon": lambda: contrib.muon(RATE),
}


def main() -> None:
    name, mode = sys.argv[1:]
    steps = 5 if name == "muon" else 100  # a hundred times as much work as the others
    optimizer = OPTIMIZERS[name]()
    params, gradients = jax.device_put(models.updated())

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(params: Any, memory: Any, gradients: Any) -> tuple[Any, Any]:
        updates, memory = optimizer.update(gradients, memory, params)
        return optax.apply_updates(params, updates), memory

    @partial(jax.jit, donate_argnums=(0, 1), static_argnums=3)
    def scanned(params: Any, memory: Any, gradients: Any, steps: int) -> tuple[Any, Any]:
        return jax.lax.scan(lambda state, _: (update(*state, gradients), None), (params, memory), length=steps)[0]

    memory = jax.jit(optimizer.init)(params)

    def run(steps: int) -> int:
        nonlocal params, memory
        if mode == "fused":
            params, memory = scanned(params, memory, gradients, steps)
        else:
            for _ in range(steps):
                params, memory = update(params, memory, gradients)
        jax.block_until_ready((params, memory))
        return steps

    run(3)
    check = [float(np.asarray(params[path]).flat[0]) for path in sorted(params)]
    peer.serve(["jax", "jaxlib", "optax"], check, lambda: run(steps))


main()
