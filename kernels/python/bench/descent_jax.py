"""Optimistic mirror descent in ten dimensions, 100,000 rounds in jax.lax.scan, twenty runs by jax.vmap.

Quadratic losses ½‖x − c_t‖² on the unit ball, whose center alternates between two points of the run; float64, and the losses
summed by Kahan's method and recorded every 1000 rounds, as on the other side.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import models
import peer

jax.config.update("jax_enable_x64", True)

ROUNDS, RUNS, DIM, EVERY = 100_000, 20, 10, 1000
DIAMETER, GRADIENT, DELTA = 2.0, 4.0, 40.0


def project(x: jax.Array) -> jax.Array:
    return x / jnp.maximum(1.0, jnp.linalg.norm(x))


@partial(jax.jit, static_argnums=1)
@partial(jax.vmap, in_axes=(0, None))
def play(centers: jax.Array, rounds: int) -> tuple[jax.Array, jax.Array]:
    def turn(state: tuple[jax.Array, ...], t: jax.Array) -> tuple[tuple[jax.Array, ...], jax.Array]:
        anchor, hint, variation, total, lost = state
        rate = DIAMETER / jnp.sqrt(DELTA + 4 * GRADIENT**2 + variation)
        x = project(anchor - rate * hint)
        gradient = x - centers[t % 2]
        loss = 0.5 * jnp.vdot(gradient, gradient)
        y = loss - lost
        new = total + y
        error = gradient - hint
        return (project(anchor - rate * gradient), gradient, variation + jnp.vdot(error, error), new, (new - total) - y), loss

    def block(state: tuple[jax.Array, ...], start: jax.Array) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, jax.Array]]:
        state, losses = jax.lax.scan(turn, state, start + jnp.arange(EVERY))
        return state, (losses[-1], state[3])

    zero = jnp.zeros(())
    start = (jnp.zeros(DIM), jnp.zeros(DIM), zero, zero, zero)
    return jax.lax.scan(block, start, jnp.arange(0, rounds, EVERY))[1]


def main() -> None:
    flat = models.numbers(0, (2, RUNS, DIM), -0.5, 0.5)
    centers = jnp.asarray(np.swapaxes(flat, 0, 1), jnp.float64)

    def sample() -> int:
        jax.block_until_ready(play(centers, ROUNDS))
        return 1

    sample()
    peer.serve(["jax", "jaxlib"], np.asarray(play(centers, EVERY)[1])[:, 0].tolist(), sample)


main()
