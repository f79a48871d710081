"""Ten steps of optax's SAM in float64 on a loss of a 3x2 matrix and a vector: sam.json beside this file.

Run with optax 0.2.8 and jax 0.10.2: python sam.py > sam.json
"""
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax import contrib

jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(20261124)
start = {"a": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}


def loss(p):
    a, b = p["a"], p["b"]
    return (jnp.cos(a) * a**2).sum() + 0.25 * (b**4).sum() + 0.3 * a.sum() * b.sum()


def run(base, rho):
    # opaque mode computes both gradients within one update; reset_state=False keeps momentum over the ascent steps.
    tx = contrib.sam(base, optax.chain(contrib.normalize(), optax.sgd(rho)), opaque_mode=True, reset_state=False)
    p, state, path = start, tx.init(start), []
    for _ in range(10):
        u, state = tx.update(jax.grad(loss)(p), state, p, grad_fn=lambda q, _: jax.grad(loss)(q))
        p = optax.apply_updates(p, u)
        path.append({k: np.asarray(v).ravel().tolist() for k, v in p.items()})
    return path


print(json.dumps({
    "library": f"optax {optax.__version__}, jax {jax.__version__}",
    "params": {k: v.ravel().tolist() for k, v in start.items()},
    "paths": {
        "sgd": run(optax.sgd(0.05), 0.05),
        "momentum": run(optax.sgd(0.02, momentum=0.9), 0.2),
        "adamw": run(optax.adamw(0.01, weight_decay=0.01), 0.1),
    },
}, separators=(",", ":")))
