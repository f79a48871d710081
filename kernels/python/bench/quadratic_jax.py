"""Gradient descent on a quadratic in ten dimensions, 100,000 steps in jax.lax.scan."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import peer

STEPS, RUNS = 100_000, 100


@partial(jax.jit, static_argnums=3)
def run(x: jax.Array, a: jax.Array, rate: jax.Array, steps: int) -> jax.Array:
    def step(x: jax.Array, _: None) -> tuple[jax.Array, None]:
        return x - rate * jax.grad(lambda x: 0.5 * jnp.sum(a * x * x))(x), None

    return jax.lax.scan(step, x, None, length=steps)[0]


def main() -> None:
    x, a, rate = jnp.ones(10), jnp.arange(1, 11, dtype=jnp.float32) / 10, jnp.float32(1e-3)

    def sample() -> int:
        for _ in range(RUNS):
            run(x, a, rate, STEPS).block_until_ready()
        return RUNS

    sample()
    peer.serve(["jax", "jaxlib"], np.asarray(run(x, a, rate, 1000)).tolist(), sample)


main()
