"""Ten steps of pytorch-optimizer's methods in float64: reference.json beside this file.

Those of golden.json's gradients are under "paths", those of its SAM on the loss of sam.py under "sam".
Run with pytorch-optimizer 4.1.0 and torch 2.15.0 in this folder: python reference.py > reference.json
"""
import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != here]  # torch.py is not the library
from importlib.metadata import version

import pytorch_optimizer as o
import torch

shapes = {"a": (3, 2), "b": (4,)}


def read(name):
    return json.load(open(os.path.join(here, name)))


def tensor(name, values):
    return torch.tensor(values, dtype=torch.float64).reshape(shapes[name])


def record(params):
    return {k: p.detach().reshape(-1).tolist() for k, p in params.items()}


def parameters(values):
    return {k: tensor(k, v).requires_grad_() for k, v in values.items()}


def galore(p):
    matrix = {"params": [p[0]], "rank": 1, "update_proj_gap": 200, "scale": 0.25, "projection_type": "std"}
    return o.GaLore([matrix, {"params": [p[1]]}], 0.01, weight_decay=0.0)


golden = read("golden.json")
cases = {
    "diffgrad": lambda p: o.DiffGrad(p, 0.01),
    "signum": lambda p: o.SignSGD(p, 0.01, momentum=0.9),
    "sgd-sai": lambda p: o.SGDSaI(p, 0.01, momentum=0.9, weight_decay=0.1),
    "galore": galore,
}


def run(name):
    params = parameters(golden["params"])
    opt, path = cases[name](list(params.values())), []
    for g in golden["gradients"]:
        for k, p in params.items():
            p.grad = tensor(k, g[k])
        opt.step()
        step = record(params)
        if name == "sgd-sai":
            del step["b"]  # this library scales vectors by their gradient's norm, the paper does not
        path.append(step)
    return path


def loss(a, b):
    return (a.cos() * a**2).sum() + 0.25 * (b**4).sum() + 0.3 * a.sum() * b.sum()


def sam(rate, momentum, rho):
    params = parameters(read("sam.json")["params"])
    opt = o.SAM(list(params.values()), torch.optim.SGD, rho=rho, lr=rate, momentum=momentum)
    path = []
    for _ in range(10):
        loss(*params.values()).backward()
        opt.first_step(zero_grad=True)
        loss(*params.values()).backward()
        opt.second_step(zero_grad=True)
        path.append(record(params))
    return path


print(json.dumps({
    "library": f"pytorch-optimizer {version('pytorch-optimizer')}, torch {torch.__version__.split('+')[0]}",
    "paths": {n: run(n) for n in cases},
    "sam": {"sgd": sam(0.05, 0.0, 0.05), "momentum": sam(0.02, 0.9, 0.2)},
}, separators=(",", ":")))
