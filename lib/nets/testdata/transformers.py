"""Logits and gradients of small transformers in float64, written apart from the Go code: transformers.json beside this file.

Parameter k (by sorted path) has the entries 0.3 sin(0.7 j + k + 1), gains 1 more; inputs are in the file.
Run with jax 0.10.2: python transformers.py > transformers.json
"""
import json

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

W, H, HEADS, V, T, B, LAYERS = 8, 12, 2, 11, 6, 2, 2


def dense_shapes(path, i, o, bias):
    return {path + "/weights": (i, o), **({path + "/biases": (o,)} if bias else {})}


def body_shapes(bias, rms, gated, fused):
    s = {}
    norms = [f"block_{k:02d}/{n}" for k in range(LAYERS) for n in ("attn_norm", "mlp_norm")] + ["final_norm"]
    for n in norms:
        s[n + "/gain"] = (W,)
        if not rms:
            s[n + "/biases"] = (W,)
    for k in range(LAYERS):
        at = f"block_{k:02d}/"
        if fused:
            s |= dense_shapes(at + "attn/qkv_proj", W, 3 * W, bias)
        else:
            for n in "qkv":
                s |= dense_shapes(at + f"attn/{n}_proj", W, W, bias)
        s |= dense_shapes(at + "attn/o_proj", W, W, bias)
        if gated:
            s |= dense_shapes(at + "mlp/gate_proj", W, H, bias)
        s |= dense_shapes(at + "mlp/up_proj", W, H, bias)
        s |= dense_shapes(at + "mlp/down_proj", H, W, bias)
    return s


def fill(shapes):
    out = {}
    for k, path in enumerate(sorted(shapes)):
        n = int(np.prod(shapes[path]))
        v = 0.3 * np.sin(0.7 * np.arange(n) + k + 1) + (1 if path.endswith("gain") else 0)
        out[path] = jnp.array(v.reshape(shapes[path]))
    return out


def lin(p, path, x):
    y = x @ p[path + "/weights"]
    return y + p[path + "/biases"] if path + "/biases" in p else y


def norm(p, path, x, eps):
    if path + "/biases" in p:
        mu = x.mean(-1, keepdims=True)
        return (x - mu) / jnp.sqrt(x.var(-1, keepdims=True) + eps) * p[path + "/gain"] + p[path + "/biases"]
    return x / jnp.sqrt((x**2).mean(-1, keepdims=True) + eps) * p[path + "/gain"]


def rope(x):  # (T, W/HEADS) of one head, as complex numbers
    n = x.shape[-1]
    z = x[:, : n // 2] + 1j * x[:, n // 2 :]
    angle = np.arange(x.shape[0])[:, None] * 10000.0 ** (-2 * np.arange(n // 2) / n)
    z = z * np.exp(1j * angle)
    return jnp.concatenate([z.real, z.imag], -1)


def body(p, x, eps, causal, rotary, approximate):  # one sequence, (time, W)
    t, d = x.shape[0], W // HEADS
    for k in range(LAYERS):
        at = f"block_{k:02d}/"
        h = norm(p, at + "attn_norm", x, eps)
        if at + "attn/qkv_proj/weights" in p:
            q, kk, v = jnp.split(lin(p, at + "attn/qkv_proj", h), 3, -1)
        else:
            q, kk, v = (lin(p, at + f"attn/{n}_proj", h) for n in "qkv")
        heads = []
        for i in range(HEADS):
            cut = slice(i * d, (i + 1) * d)
            a, b = q[:, cut], kk[:, cut]
            if rotary:
                a, b = rope(a), rope(b)
            s = a @ b.T / np.sqrt(d)
            if causal:
                s = jnp.where(np.tril(np.ones((t, t), bool)), s, -np.inf)
            heads.append(jax.nn.softmax(s, -1) @ v[:, cut])
        x = x + lin(p, at + "attn/o_proj", jnp.concatenate(heads, -1))
        h = norm(p, at + "mlp_norm", x, eps)
        u = lin(p, at + "mlp/up_proj", h)
        if at + "mlp/gate_proj/weights" in p:
            u = jax.nn.silu(lin(p, at + "mlp/gate_proj", h)) * u
        else:
            u = jax.nn.gelu(u, approximate=approximate)
        x = x + lin(p, at + "mlp/down_proj", u)
    return norm(p, "final_norm", x, eps)


def gpt(tied, eps, approximate=True):
    def f(p, tokens):
        x = p["embed/tokens"][tokens] + p["embed/positions"][: len(tokens)]
        x = body(p, x, eps, True, False, approximate)
        return x @ (p["embed/tokens"].T if tied else p["head/weights"])
    return f


def llama(p, tokens):
    return body(p, p["embed/tokens"][tokens], 1e-6, True, True, True) @ p["head/weights"]


def vit(pool):
    def f(p, image):  # (8, 8, 2) in patches of 4
        rows = [image[4 * i : 4 * i + 4, 4 * j : 4 * j + 4].reshape(-1) for i in range(2) for j in range(2)]
        x = lin(p, "embed/patches", jnp.stack(rows))
        if not pool:
            x = jnp.concatenate([p["embed/class"], x])
        x = body(p, x + p["embed/positions"], 1e-6, False, False, False)
        return lin(p, "head", x.mean(0) if pool else x[0])
    return f


rng = np.random.default_rng(20261124)
tokens = rng.integers(0, V, (B, T))
images = rng.normal(size=(3, 8, 8, 2)).round(3)
labels = [0, 3, 1]
tok = {"embed/tokens": (V, W)}
pos = {"embed/positions": (T, W)}
head = {"head/weights": (W, V)}
pic = {"embed/patches/weights": (32, W), "embed/patches/biases": (W,), "head/weights": (W, 5), "head/biases": (5,)}
cases = {
    "gpt2": (gpt(True, 1e-5), body_shapes(True, False, False, True) | tok | pos),
    "gpt-plain": (gpt(False, 1e-6, False), body_shapes(False, True, False, False) | tok | pos | head),
    "llama": (llama, body_shapes(False, True, True, False) | tok | head),
    "vit-class": (vit(False), body_shapes(True, False, False, False) | pic | {"embed/class": (1, W), "embed/positions": (5, W)}),
    "vit-mean": (vit(True), body_shapes(True, False, False, True) | pic | {"embed/positions": (4, W)}),
}


def cross_entropy(z, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[..., None], -1).mean()


out = {"tokens": tokens.ravel().tolist(), "images": images.ravel().tolist(), "labels": labels, "cases": {}}
for name, (f, shapes) in cases.items():
    p = fill(shapes)
    vision = name.startswith("vit")
    x = images if vision else tokens

    def loss(p):
        z = jax.vmap(lambda v: f(p, v))(x)
        return cross_entropy(z, jnp.array(labels)) if vision else cross_entropy(z[:, :-1], tokens[:, 1:])

    g = jax.grad(loss)(p)
    out["cases"][name] = {
        "paths": sorted(shapes),
        "logits": np.asarray(jax.vmap(lambda v: f(p, v))(x)).ravel().tolist(),
        "loss": float(loss(p)),
        # the gradient's products with each parameter and with 1, 2, 3, ... tell every entry's place
        "along": [float((g[k] * p[k]).sum()) for k in sorted(shapes)],
        "placed": [float((g[k].ravel() * np.arange(1, g[k].size + 1)).sum()) for k in sorted(shapes)],
    }
print(json.dumps(out, separators=(",", ":")))
