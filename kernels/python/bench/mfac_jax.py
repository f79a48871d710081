"""M-FAC's inverse-Hessian vector product in a million dimensions: `mfac_jax.py setup|product GRADIENTS`.

The recursion as the paper has it, a gradient after the other:
    v_i = g_i/λ − Σ_{j<i} v_j (v_j·g_i)/q_j,   q_i = m + g_i·v_i,   F⁻¹x = x/λ − Σ_i v_i (v_i·x)/q_i
"""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np

import models
import peer

D, DAMPING, BOUND, PRODUCTS = 1_000_000, 1e-3, 0.01, 5


@jax.jit
def setup(g: jax.Array) -> tuple[jax.Array, jax.Array]:
    m = g.shape[0]

    def step(i: jax.Array, made: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        v, q = made
        new = jax.lax.fori_loop(0, i, lambda j, u: u - v[j] * (jnp.vdot(v[j], g[i]) / q[j]), g[i] / DAMPING)
        return v.at[i].set(new), q.at[i].set(m + jnp.vdot(g[i], new))

    return jax.lax.fori_loop(0, m, step, (jnp.zeros_like(g), jnp.zeros(m, g.dtype)))


@jax.jit
def product(v: jax.Array, q: jax.Array, x: jax.Array) -> jax.Array:
    return x / DAMPING - ((v @ x) / q) @ v


def main() -> None:
    what, m = sys.argv[1], int(sys.argv[2])
    rows = np.empty((m, D), np.float32)
    for i in range(m):
        rows[i] = models.numbers(i, (D,), -BOUND, BOUND)
    x = jax.device_put(rows[0] + rows[m - 1])
    g = jax.device_put(rows)
    del rows
    v, q = setup(g)
    check = np.asarray(product(v, q, x))[:10]

    def sample() -> int:
        if what == "setup":
            jax.block_until_ready(setup(g))
            return 1
        for _ in range(PRODUCTS):
            product(v, q, x).block_until_ready()
        return PRODUCTS

    peer.serve(["jax", "jaxlib"], check.tolist(), sample)


main()
