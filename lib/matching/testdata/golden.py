"""Writes golden.json: values of small instances by other means. Needs scipy, whose linprog(method="highs") is HiGHS.

    python golden.py > golden.json

The linear programs have all their columns written out, but for those of "large", which are generated in rounds.
"""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import combinations

import numpy as np
import scipy
from scipy.optimize import linprog


def packing(gains: list[float], columns: list[dict[int, float]], rows: int):
    a = np.zeros((rows, len(columns)))
    for j, column in enumerate(columns):
        for i, x in column.items():
            a[i, j] = x
    r = linprog(-np.array(gains), A_ub=a, b_ub=np.ones(rows), method="highs")
    assert r.status == 0, r.message
    return -r.fun, -r.ineqlin.marginals


def near(p: np.ndarray, u: int) -> list[int]:
    return [v for v in range(len(p)) if p[v, u] > 0]


def matching_lp(p: np.ndarray, w: list[float]) -> float:
    n = len(w)
    edges = [(v, u) for v in range(len(p)) for u in range(n) if p[v, u] > 0]
    return packing([w[u] * p[v, u] for v, u in edges], [{u: p[v, u], n + v: 1} for v, u in edges], n + len(p))[0]


def stochastic_column(p: np.ndarray, w: list[float], u: int, plan: tuple[int, ...]):
    reached, gain, column = 1.0, 0.0, {u: 1.0}
    for v in plan:
        column[len(w) + v] = reached
        gain += w[u] * reached * p[v, u]
        reached *= 1 - p[v, u]
    return gain, column


def subsets(vertices: list[int]):
    for k in range(1, len(vertices) + 1):
        yield from combinations(vertices, k)


def stochastic_lp(p: np.ndarray, w: list[float]) -> float:
    made = [stochastic_column(p, w, u, s) for u in range(len(w)) for s in subsets(near(p, u))]
    return packing([g for g, _ in made], [c for _, c in made], len(w) + len(p))[0]


def configuration_lp(p: np.ndarray, w: list[float]) -> float:
    made = [(w[u] * min(1, sum(p[v, u] for v in s)), {u: 1.0} | {len(w) + v: 1.0 for v in s}) for u in range(len(w)) for s in subsets(near(p, u))]
    return packing([g for g, _ in made], [c for _, c in made], len(w) + len(p))[0]


def generated_lp(p: np.ndarray, w: list[float]) -> float:
    n, beta, alpha, made, value = len(w), np.zeros(len(p)), np.zeros(len(w)), [], 0.0
    while True:
        before = len(made)
        for u in range(n):
            val, plan = 0.0, []
            for v in reversed(near(p, u)):
                c = p[v, u] * w[u] - beta[v] + (1 - p[v, u]) * val
                if c > val:
                    val, plan = c, [v, *plan]
            if val > alpha[u] + 1e-9:
                made.append(stochastic_column(p, w, u, tuple(plan)))
        if len(made) == before:
            return value
        value, y = packing([g for g, _ in made], [c for _, c in made], n + len(p))
        alpha, beta = y[:n], y[n:]


def optimum(p: np.ndarray, w: list[float]) -> float:
    @cache
    def best(v: int, alive: frozenset[int]) -> float:
        if v == len(p):
            return 0.0
        stay = best(v + 1, alive)
        return max([stay] + [p[v, u] * (w[u] + best(v + 1, alive - {u})) + (1 - p[v, u]) * stay for u in alive if p[v, u] > 0])

    return best(0, frozenset(range(len(w))))


def policy(p: np.ndarray, w: list[float], score) -> float:
    """The expected reward of: the largest score(weight, load, attempts, p), ties to the lowest index."""

    def go(v: int, alive: frozenset[int], load: tuple[float, ...], attempts: tuple[int, ...]) -> float:
        if v == len(p):
            return 0.0
        there = [u for u in sorted(alive) if p[v, u] > 0]
        if not there:
            return go(v + 1, alive, load, attempts)
        u = max(there, key=lambda u: score(w[u], load[u], attempts[u], p[v, u]))
        load = tuple(x + p[v, u] * (i == u) for i, x in enumerate(load))
        attempts = tuple(k + (i == u) for i, k in enumerate(attempts))
        return p[v, u] * (w[u] + go(v + 1, alive - {u}, load, attempts)) + (1 - p[v, u]) * go(v + 1, alive, load, attempts)

    return go(0, frozenset(range(len(w))), (0.0,) * len(w), (0,) * len(w))


POLICIES = {
    "balance": lambda w, load, k, p: p * (w * math.exp(-load)),
    "least loaded": lambda w, load, k, p: -load,
    "greedy": lambda w, load, k, p: p * w,
}


def main() -> None:
    rng = np.random.default_rng(15)
    small, large = [], []
    for k in range(24):
        u, v = int(rng.integers(2, 5)), int(rng.integers(4, 10))
        there = rng.random((v, u)) < rng.uniform(0.3, 1)
        chance = np.full((v, u), rng.choice([0.1, 0.25, 0.5, 1.0])) if k % 2 == 0 else rng.random((v, u)).round(3)
        p = np.where(there, chance, 0.0)
        w = [1.0] * u if k % 4 < 2 else rng.uniform(0.25, 2, u).round(3).tolist()
        small.append({"p": p.tolist(), "weights": w, "S-OPT": optimum(p, w), "SC-LP": stochastic_lp(p, w), "C-LP": configuration_lp(p, w), "M-LP": matching_lp(p, w)}
                     | {name: policy(p, w, score) for name, score in POLICIES.items()})
    for k in range(6):
        u, v = int(rng.integers(3, 7)), int(rng.integers(30, 71))
        there = rng.random((v, u)) < rng.uniform(0.2, 0.9)
        p = np.where(there, 0.05, 0.0) if k % 2 == 0 else np.where(there, (0.2 * rng.random((v, u))).round(3), 0.0)
        w = [1.0] * u if k < 3 else rng.uniform(0.25, 2, u).round(3).tolist()
        large.append({"p": p.tolist(), "weights": w, "SC-LP": generated_lp(p, w), "M-LP": matching_lp(p, w)})
    print(json.dumps({"source": f"scipy {scipy.__version__} (HiGHS), numpy {np.__version__}", "small": small, "large": large}))


main()
