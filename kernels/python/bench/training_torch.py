"""Adam on an MLP with PyTorch on the processor, eager, with its fused Adam."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

import models
import peer

BATCH, ROWS, STEPS = 128, 8192, 300


def main() -> None:
    rng = np.random.default_rng(0)

    def run(steps: int, x: torch.Tensor, y: torch.Tensor) -> list[float]:
        p = {path: torch.nn.Parameter(torch.from_numpy(v.copy())) for path, v in models.initial(models.MLP).items()}
        optimizer = torch.optim.Adam(p.values(), lr=1e-3, fused=True)
        losses = []
        for index in models.batches(len(x), BATCH, steps, rng):
            rows = torch.from_numpy(index)
            h, labels = x.index_select(0, rows), y.index_select(0, rows)
            for i in range(3):
                if i > 0:
                    h = F.relu(h)
                h = torch.addmm(p[f"layer_{i}/biases"], h, p[f"layer_{i}/weights"])
            loss = F.cross_entropy(h, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).tolist()

    def data(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = models.examples(rows, (784,))
        return torch.from_numpy(x), torch.from_numpy(y).long()

    check = run(20, *data(BATCH))
    x, y = data(ROWS)

    def sample() -> int:
        run(STEPS, x, y)
        return STEPS

    sample()
    peer.serve(["torch"], check, sample)


main()
