"""Logits, gradients and statistics of small residual networks in float64, written apart from the Go code: resnet.json.

Parameter k (by sorted path) has the entries 0.3 sin(0.7 j + k + 1), gains 1 more; statistic k has 0.1 sin(j + k), and
variances 1 more. Pictures have odd sides, where the paddings of a stride of 2 differ. Run with jax 0.10.2:
python resnet.py > resnet.json
"""
import json

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

rng = np.random.default_rng(20261125)
images = rng.normal(size=(4, 7, 5, 2)).round(3)
labels = [0, 3, 1, 1]
CLASSES, BLOCKS, WIDTHS = 5, (1, 1), (4, 6)


def conv(x, w, stride):
    k = w.shape[0]
    return jax.lax.conv_general_dilated(x, w, (stride, stride), [((k - 1) // 2,) * 2] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))


class Net:
    """A network that lists its shapes when it is run without parameters, and its statistics when it is run in training."""

    def __init__(self, bottleneck, padded, act):
        self.bottleneck, self.padded, self.act = bottleneck, padded, act
        self.shapes, self.layers = {}, []

    def layer(self, p, path, norm, x, size, out, stride):
        self.shapes |= {path + "/weights": (size, size, x.shape[-1], out), norm + "/gain": (out,), norm + "/biases": (out,)}
        self.layers.append(norm)
        if p is None:
            return jnp.zeros((x.shape[0], -(-x.shape[1] // stride), -(-x.shape[2] // stride), out))
        y = conv(x, p[path + "/weights"], stride)
        if self.given is None:
            mu, var = y.mean((0, 1, 2)), y.var((0, 1, 2))
            n = y.size // out
            self.seen |= {norm + "/mean": mu, norm + "/variance": var * n / (n - 1)}
        else:
            mu, var = self.given[norm + "/mean"], self.given[norm + "/variance"]
        return (y - mu) / jnp.sqrt(var + 1e-5) * p[norm + "/gain"] + p[norm + "/biases"]

    def __call__(self, p, x, given=None):
        self.given, self.seen = given, {}
        x = self.act(self.layer(p, "stem/conv", "stem/norm", x, 3, WIDTHS[0], 1))
        for s, (n, w) in enumerate(zip(BLOCKS, WIDTHS)):
            for b in range(n):
                at, stride = f"stage_{s}/block_{b:02d}/", 2 if s > 0 and b == 0 else 1
                plan = [(1, w, 1), (3, w, stride), (1, 4 * w, 1)] if self.bottleneck else [(3, w, stride), (3, w, 1)]
                y = x
                for i, (size, out, by) in enumerate(plan):
                    y = self.layer(p, f"{at}conv_{i}", f"{at}norm_{i}", y, size, out, by)
                    y = self.act(y) if i + 1 < len(plan) else y
                if not self.padded and (stride > 1 or x.shape[-1] != y.shape[-1]):
                    x = self.layer(p, at + "shortcut/conv", at + "shortcut/norm", x, 1, y.shape[-1], stride)
                elif self.padded:
                    x = jnp.pad(x[:, ::stride, ::stride], [(0, 0)] * 3 + [(0, y.shape[-1] - x.shape[-1])])
                x = self.act(x + y)
        self.shapes |= {"head/weights": (x.shape[-1], CLASSES), "head/biases": (CLASSES,)}
        return jnp.zeros(0) if p is None else x.mean((1, 2)) @ p["head/weights"] + p["head/biases"]


def fill(shapes):
    out = {}
    for k, path in enumerate(sorted(shapes)):
        n = int(np.prod(shapes[path]))
        v = 0.3 * np.sin(0.7 * np.arange(n) + k + 1) + (1 if path.endswith("gain") else 0)
        out[path] = jnp.array(v.reshape(shapes[path]))
    return out


def cross_entropy(z):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), jnp.array(labels)[:, None], -1).mean()


out = {"images": images.ravel().tolist(), "labels": labels, "cases": {}}
for name, args in {
    "basic": (False, False, jax.nn.relu), "padded": (False, True, jnp.tanh), "bottleneck": (True, False, jax.nn.relu),
}.items():
    net = Net(*args)
    net(None, jnp.array(images))
    p = fill(net.shapes)
    logits = net(p, images)
    seen = {k: np.asarray(v) for k, v in net.seen.items()}
    given = {}
    for k, path in enumerate(sorted(seen)):
        given[path] = jnp.array(0.1 * np.sin(np.arange(seen[path].size) + k) + (1 if path.endswith("variance") else 0))
    g = jax.grad(lambda p: cross_entropy(net(p, images)))(p)
    out["cases"][name] = {
        "paths": sorted(p),
        "logits": np.asarray(logits).ravel().tolist(),
        "loss": float(cross_entropy(logits)),
        "along": [float((g[k] * p[k]).sum()) for k in sorted(p)],
        "placed": [float((g[k].ravel() * np.arange(1, g[k].size + 1)).sum()) for k in sorted(p)],
        "statistics": {k: v.tolist() for k, v in sorted(seen.items())},
        "evaluated": np.asarray(net(p, images, given)).ravel().tolist(),
    }
print(json.dumps(out, separators=(",", ":")))
