"""A phase diagram of perceptrons: SGD with batches of two until all points have their margins, at 16 output scales, 16
temperatures and 5 seeds. One jitted lax.while_loop a run, called in a loop over the grid; float64, and the same draws as on the
other side. The argument is the number of points, in 32 dimensions.
"""

from __future__ import annotations

import sys
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

import models
import peer

jax.config.update("jax_enable_x64", True)

POINTS, DIM, SIDE, SEEDS, BATCH = int(sys.argv[1]), 32, 16, 5, 2
MOST, EVERY = 32 * POINTS, POINTS // 8


def draw(state: jax.Array, order: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The next batch: the head of a permutation that each draw shuffles on, by SplitMix64."""
    for j in range(BATCH):
        state = state + jnp.uint64(0x9E3779B97F4A7C15)
        z = (state ^ (state >> 30)) * jnp.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> 27)) * jnp.uint64(0x94D049BB133111EB)
        k = j + ((((z ^ (z >> 31)) >> 32) * jnp.uint64(POINTS - j)) >> 32).astype(jnp.int32)
        first, other = order[j], order[k]
        order = order.at[j].set(other).at[k].set(first)
    return state, order


@jax.jit
def fit(points: jax.Array, kappa: jax.Array, temperature: jax.Array, seed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """points are the rows y·x/√d, whose products with the weights are the margins."""

    def step(_: int, at: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        w, state, order = at
        state, order = draw(state, order)
        batch = points[order[:BATCH]]
        return w + temperature * jnp.where(batch @ w < kappa, 1.0, 0.0) @ batch, state, order

    def block(at: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        w, state, order, steps, _ = at
        w, state, order = jax.lax.fori_loop(0, EVERY, step, (w, state, order))
        return w, state, order, steps + EVERY, jnp.all(points @ w >= kappa)

    start = (jnp.zeros(DIM), seed, jnp.arange(POINTS, dtype=jnp.int32), jnp.int32(0), jnp.bool_(False))
    end = jax.lax.while_loop(lambda at: (at[3] < MOST) & ~at[4], block, start)
    return end[0], end[3]


def main() -> None:
    sets = []
    for seed in range(SEEDS):
        x = models.numbers(seed, (POINTS, DIM), -1, 1).astype(np.float64)
        sets.append(jnp.asarray(np.copysign(1, x[:, :1]) * x / np.sqrt(DIM)))
    seeds = [jnp.uint64(s) for s in range(SEEDS)]

    def diagram() -> list[tuple[jax.Array, jax.Array]]:
        runs = [
            fit(sets[s], 2.0 ** (6 - a), 1.5**t / 128, seeds[s]) for a, t, s in product(range(SIDE), range(SIDE), range(SEEDS))
        ]
        return jax.block_until_ready(runs)

    def sample() -> int:
        diagram()
        return 1

    check: list[float] = []
    for w, steps in diagram():
        check += [float(steps), float(w[0]), float(jnp.linalg.norm(w[1:]))]
    peer.serve(["jax", "jaxlib"], check, sample)


main()
