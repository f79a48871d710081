"""Stochastic Balance on a sparse graph, a loop over arrivals with NumPy's arrays for their edges."""

from __future__ import annotations

from math import exp

import numpy as np

import models
import peer

OFFLINE, ARRIVALS, DEGREE = 1000, 100_000, 20


def graph() -> list[tuple[np.ndarray, np.ndarray]]:
    ends = models.numbers(1, (ARRIVALS, DEGREE), 0, OFFLINE).astype(np.int64)
    chances = np.maximum(1e-6, models.numbers(2, (ARRIVALS, DEGREE), 0, 0.02).astype(np.float64))
    out = []
    for u, p in zip(ends, chances):
        u, first = np.unique(u, return_index=True)
        out.append((u, p[first]))
    return out


def run(edges: list[tuple[np.ndarray, np.ndarray]], weights: list[float], coins: list[float]) -> tuple[float, np.ndarray]:
    score, load, reward = np.array(weights), np.zeros(OFFLINE), 0.0  # the score is w·e^−load, of the finished 0
    for (near, chance), coin in zip(edges, coins):
        gain = chance * score[near]
        best = gain.argmax()
        if gain[best] <= 0:
            continue
        u, p = near[best], chance[best]
        load[u] += p
        if coin < p:
            score[u] = 0.0
            reward += weights[u]
        else:
            score[u] = weights[u] * exp(-load[u])
    return reward, load


def main() -> None:
    edges = graph()
    weights = models.numbers(4, (OFFLINE,), 0.25, 2).astype(np.float64).tolist()
    coins = models.numbers(3, (ARRIVALS,), 0, 1).astype(np.float64).tolist()
    reward, load = run(edges, weights, coins)

    def sample() -> int:
        run(edges, weights, coins)
        return ARRIVALS

    peer.serve(["numpy"], [reward, *load[:10].tolist()], sample)


main()
