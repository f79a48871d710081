"""One update of an optimizer on ten million parameters: `update_torch.py NAME`.

adam is PyTorch's own, fused; the others are pytorch-optimizer's.
"""

from __future__ import annotations

import sys

import pytorch_optimizer as others
import torch

import models
import peer

STEPS = 30
RATE = 1e-3

OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=RATE, fused=True),
    "diffgrad": lambda p: others.DiffGrad(p, lr=RATE),
    "lion": lambda p: others.Lion(p, lr=RATE, betas=(0.9, 0.99), weight_decay=0.0),
    "signsgd": lambda p: others.SignSGD(p, lr=RATE, momentum=0.0),
    "sgd-sai": lambda p: others.SGDSaI(p, lr=RATE, weight_decay=0.0),
}


def main() -> None:
    name = sys.argv[1]
    values, gradients = models.updated()
    params = {path: torch.nn.Parameter(torch.from_numpy(v)) for path, v in values.items()}
    for path, p in params.items():
        p.grad = torch.from_numpy(gradients[path])
    optimizer = OPTIMIZERS[name](params.values())

    def run(steps: int) -> int:
        for _ in range(steps):
            optimizer.step()
        return steps

    run(3)
    # sgd-sai: vectors have another scale there, matrices the same.
    told = [path for path in sorted(params) if name != "sgd-sai" or params[path].ndim > 1]
    check = [float(params[path].detach().flatten()[0]) for path in told]
    peer.serve(["torch"] if name == "adam" else ["pytorch-optimizer", "torch"], check, lambda: run(STEPS))


main()
