"""LightSB with JAX and optax: 50 components in 16 dimensions, batch 128, all steps in jax.lax.scan."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import logsumexp

import models
import peer

DIM, COMPONENTS, BATCH, ROWS, STEPS, EPSILON = 16, 50, 128, 8192, 500, 1.0
Params = dict[str, jax.Array]


def loss(p: Params, x: jax.Array, y: jax.Array) -> jax.Array:
    """mean log c(x) − mean log v(y), as in the authors' PyTorch code."""
    s, log_alpha = jnp.exp(p["logS"]), p["a"] / EPSILON
    log_c = logsumexp(log_alpha + ((x * x) @ s.T + 2 * x @ p["r"].T) / (2 * EPSILON), axis=-1)
    distance = (((y[:, None] - p["r"]) ** 2) * jnp.exp(-p["logS"])).sum(-1)
    log_norm = -0.5 * (DIM * np.log(2 * np.pi * EPSILON) + p["logS"].sum(-1))
    log_v = logsumexp(log_alpha + log_norm - distance / (2 * EPSILON), axis=-1)
    return log_c.mean() - log_v.mean()


optimizer = optax.adam(1e-2)


@jax.jit
def scanned(params: Params, indices: jax.Array, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
    def step(state: Any, index: jax.Array) -> tuple[Any, jax.Array]:
        params, memory = state
        xs, ys = (v.at[i].get(mode="promise_in_bounds") for v, i in ((x, index[0]), (y, index[1])))
        value, gradients = jax.value_and_grad(loss)(params, xs, ys)
        updates, memory = optimizer.update(gradients, memory, params)
        params = optax.apply_updates(params, updates)
        params["logS"] = jnp.clip(params["logS"], -20, 20)
        return (params, memory), value

    return jax.lax.scan(step, (params, optimizer.init(params)), indices)


def matrix(seed: int, rows: int) -> jax.Array:
    return jnp.asarray(models.numbers(seed, (rows, DIM), -2, 2))


def main() -> None:
    params = {"a": jnp.full(COMPONENTS, -EPSILON * np.log(COMPONENTS), jnp.float32), "r": matrix(2, COMPONENTS), "logS": jnp.zeros((COMPONENTS, DIM))}
    rng = np.random.default_rng(0)

    def run(indices: np.ndarray, x: jax.Array, y: jax.Array) -> np.ndarray:
        state, losses = scanned(params, indices.astype(np.int32), x, y)
        jax.block_until_ready(state)
        return np.asarray(losses)

    check = run(np.tile(np.arange(BATCH), (20, 2, 1)), matrix(0, BATCH), matrix(1, BATCH))
    x, y = matrix(0, ROWS), matrix(1, ROWS)

    def sample() -> int:
        run(rng.integers(ROWS, size=(STEPS, 2, BATCH)), x, y)
        return STEPS

    sample()
    peer.serve(["jax", "jaxlib", "optax"], check.tolist(), sample)


main()
