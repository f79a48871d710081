"""One update of an optimizer of optax on ten million parameters, in place: `update_jax.py adam`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import numpy as np
import optax

import models
import peer

STEPS = 30


def main() -> None:
    optimizer = {"adam": optax.adam(1e-3)}[sys.argv[1]]
    params, gradients = jax.device_put(models.updated())

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(params: Any, memory: Any, gradients: Any) -> tuple[Any, Any]:
        updates, memory = optimizer.update(gradients, memory, params)
        return optax.apply_updates(params, updates), memory

    memory = jax.jit(optimizer.init)(params)

    def run(steps: int) -> int:
        nonlocal params, memory
        for _ in range(steps):
            params, memory = update(params, memory, gradients)
        jax.block_until_ready((params, memory))
        return steps

    run(3)
    check = [float(np.asarray(params[path]).flat[0]) for path in sorted(params)]
    peer.serve(["jax", "jaxlib", "optax"], check, lambda: run(STEPS))


main()
