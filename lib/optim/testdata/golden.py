"""Ten steps of optax's optimizers in float64 on a 3x2 matrix and a vector: golden.json beside this file.

Run with optax 0.2.8 and jax 0.10.2: python golden.py > golden.json
"""
import json

import jax
import numpy as np
import optax
from optax import contrib

jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(20261124)
params = {"a": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}
grads = [{"a": rng.normal(size=(3, 2)) * 0.5, "b": rng.normal(size=4) * 2} for _ in range(10)]
grads[3]["b"][1] = 0.0  # a zero entry, and a zero tensor
grads[6]["a"][:] = 0.0

# optax computes some schedules in float32, from its int32 count: widened here.
wide = lambda schedule: lambda count: schedule(count.astype(np.float64))


def accumulated(tx, every):
    """The mean of several gradients at once: optax.MultiSteps in float64, where it has float32."""
    def update(g, state, p):
        inner, total, n = state
        total, n = jax.tree.map(np.add, total, g), n + 1
        if n % every:
            return jax.tree.map(np.zeros_like, g), (inner, total, n)
        u, inner = tx.update(jax.tree.map(lambda x: x / every, total), inner, p)
        return u, (inner, jax.tree.map(np.zeros_like, g), n)

    return optax.GradientTransformation(lambda p: (tx.init(p), jax.tree.map(np.zeros_like, p), 0), update)


cases = {
    "sgd": optax.sgd(0.1),
    "momentum": optax.sgd(0.1, momentum=0.9),
    "nesterov": optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adagrad-optax": optax.adagrad(0.1),
    "adadelta": optax.adadelta(1.0),
    "rmsprop-optax": optax.rmsprop(0.01),
    "rmsprop-centered-optax": optax.rmsprop(0.01, centered=True),
    "rmsprop-momentum-optax": optax.rmsprop(0.01, momentum=0.9),
    "adam": optax.adam(0.01),
    "amsgrad-optax": optax.amsgrad(0.01),
    "adamw": optax.adamw(0.01, weight_decay=0.01),
    "nadam": optax.nadam(0.01),
    "radam": optax.radam(0.01),
    "lion": optax.lion(0.01, weight_decay=0.1),
    "signsgd": optax.sign_sgd(0.01),
    "adafactor": optax.adafactor(0.01),
    "adafactor-small": optax.adafactor(0.01, min_dim_size_to_factor=2),
    "muon": contrib.muon(0.02),
    "clip-norm-adam": optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01)),
    "clip-value-sgd": optax.chain(optax.clip(0.3), optax.sgd(0.1)),
    "cosine-adam": optax.adam(optax.cosine_decay_schedule(0.01, 8, alpha=0.1)),
    "warm-up-sgd": optax.sgd(wide(optax.linear_schedule(0.02, 0.1, 4))),
    "step-sgd": optax.sgd(wide(optax.exponential_decay(0.1, 3, 0.5, staircase=True))),
    "joined-adam": optax.adam(wide(optax.join_schedules([optax.linear_schedule(0.0, 0.01, 3), optax.cosine_decay_schedule(0.01, 5, alpha=0.1)], [3]))),
    "constant-sgd": optax.sgd(optax.constant_schedule(0.03)),
    "adam-eps-root": optax.adam(0.01, eps=0.0, eps_root=1e-3),
    "l2-adam": optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.01)),
    "adamw-masked": optax.adamw(0.01, weight_decay=0.1, mask={"a": True, "b": False}),
    "average-momentum": optax.chain(optax.ema(0.9, debias=False), optax.scale(-0.1)),
    "rmsprop-nesterov-optax": optax.rmsprop(0.01, momentum=0.9, nesterov=True),
    "clip-block-rms-sgd": optax.chain(optax.clip_by_block_rms(0.3), optax.sgd(0.1)),
    "param-block-rms-sgd": optax.chain(optax.scale_by_param_block_rms(), optax.sgd(0.1)),
    "accumulate-adam": accumulated(optax.adam(0.01), 3),
    "partition": optax.partition({"m": optax.sgd(0.1, momentum=0.9), "v": optax.adam(0.01)}, {"a": "m", "b": "v"}),
    "prodigy": contrib.prodigy(1.0),
    "prodigy-warm-up": contrib.prodigy(wide(optax.linear_schedule(0.2, 1.0, 4)), estim_lr0=0.01, weight_decay=0.1, estim_lr_coef=2.0),
    "prodigy-safeguard": contrib.prodigy(wide(optax.linear_schedule(0.2, 1.0, 4)), betas=(0.8, 0.99), estim_lr0=0.01, safeguard_warmup=True),
    "freeze": optax.partition({"still": optax.set_to_zero(), "v": optax.adam(0.01)}, {"a": "still", "b": "v"}),
}


def run(tx):
    p, state, path = params, tx.init(params), []
    for g in grads:
        u, state = tx.update(g, state, p)
        p = optax.apply_updates(p, u)
        path.append({k: np.asarray(v).ravel().tolist() for k, v in p.items()})
    return path


flat = lambda tree: {k: np.asarray(v).ravel().tolist() for k, v in tree.items()}
print(json.dumps({
    "library": f"optax {optax.__version__}, jax {jax.__version__}",
    "params": flat(params), "gradients": [flat(g) for g in grads],
    "paths": {name: run(tx) for name, tx in cases.items()},
}, indent=None, separators=(",", ":")))
