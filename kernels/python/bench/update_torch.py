"""One update of a fused optimizer of PyTorch on ten million parameters: `update_torch.py adam`."""

from __future__ import annotations

import sys

import torch

import models
import peer

STEPS = 100


def main() -> None:
    values, gradients = models.updated()
    params = {path: torch.nn.Parameter(torch.from_numpy(v)) for path, v in values.items()}
    for path, p in params.items():
        p.grad = torch.from_numpy(gradients[path])
    optimizer = {"adam": torch.optim.Adam(params.values(), lr=1e-3, fused=True)}[sys.argv[1]]

    def run(steps: int) -> int:
        for _ in range(steps):
            optimizer.step()
        return steps

    run(3)
    check = [float(params[path].detach().flatten()[0]) for path in sorted(params)]
    peer.serve(["torch"], check, lambda: run(STEPS))


main()
