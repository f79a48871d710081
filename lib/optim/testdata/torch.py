"""Ten steps of PyTorch's optimizers in float64, from the parameters and gradients of golden.json: torch.json.

Run with torch 2.15.0: python torch.py > torch.json
"""
import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != here]  # this file's own name
import torch

golden = json.load(open(os.path.join(here, "golden.json")))
shapes = {"a": (3, 2), "b": (4,)}
tensor = lambda name, values: torch.tensor(values, dtype=torch.float64).reshape(shapes[name])
grads = [{k: tensor(k, v) for k, v in g.items()} for g in golden["gradients"]]

o = torch.optim
cases = {
    "sgd": lambda p: o.SGD(p, 0.1),
    "momentum": lambda p: o.SGD(p, 0.1, momentum=0.9),
    "nesterov": lambda p: o.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda p: o.Adagrad(p, 0.1),
    "adadelta": lambda p: o.Adadelta(p, 1.0),
    "rmsprop": lambda p: o.RMSprop(p, 0.01),
    "rmsprop-centered": lambda p: o.RMSprop(p, 0.01, centered=True),
    "rmsprop-momentum": lambda p: o.RMSprop(p, 0.01, momentum=0.9),
    "adam": lambda p: o.Adam(p, 0.01),
    "adam-l2": lambda p: o.Adam(p, 0.01, weight_decay=0.1),
    "adamw": lambda p: o.AdamW(p, 0.01, weight_decay=0.1),
    "amsgrad": lambda p: o.Adam(p, 0.01, amsgrad=True),
    "radam": lambda p: o.RAdam(p, 0.01),
}


def run(name):
    params = {k: tensor(k, v).requires_grad_() for k, v in golden["params"].items()}
    opt, path = cases[name](list(params.values())), []
    for g in grads:
        for k, p in params.items():
            p.grad = g[k].clone()
        opt.step()
        path.append({k: p.detach().reshape(-1).tolist() for k, p in params.items()})
    return path


print(json.dumps({"library": f"torch {torch.__version__.split('+')[0]}", "paths": {n: run(n) for n in cases}}, separators=(",", ":")))
