"""Makes squarecb.json: the probabilities of Vowpal Wabbit's SquareCB for the gaps between its predicted costs.

pip install vowpalwabbit==9.11.9; python squarecb.py > squarecb.json
"""

import json
import random

import vowpalwabbit
from vowpalwabbit import Workspace

K = 5


def lines(features, chosen=None):
    out = []
    for a in range(K):
        label = f"0:{chosen[1]}:{chosen[2]} " if chosen and chosen[0] == a else ""
        out.append(f"{label}| a{a} " + " ".join(f"a{a}x{i}:{v:.4f}" for i, v in enumerate(features)))
    return out


def trained(arguments):
    rng = random.Random(1)
    workspace = Workspace(arguments + " --quiet")
    for _ in range(300):
        x = [rng.random() for _ in range(3)]
        a = rng.randrange(K)
        cost = min(1, max(0, 0.15 * a + 0.5 * x[a % 3] + 0.1 * rng.random()))
        workspace.learn(lines(x, (a, round(cost, 4), 1 / K)))
    return workspace


def squarecb(gamma):
    return f"--cb_explore_adf --squarecb --gamma_scale {gamma} --gamma_exponent 0"


def main():
    rng = random.Random(2)
    contexts = [[rng.random() for _ in range(3)] for _ in range(4)]
    # It does not tell its costs. Their gaps to the best arm's are the same at every gamma, so that those at gamma 1/2 say what
    # the probabilities at others must be, and what is left for the best arm.
    half = [trained(squarecb(0.5)).predict(lines(x)) for x in contexts]
    gaps = [[0 if p == max(ps) else 2 * (1 / p - K) for p in ps] for ps in half]
    cases = []
    for gamma in (1, 10, 200):
        pmf = trained(squarecb(gamma))
        cases += [{"gamma": gamma, "costs": costs, "p": pmf.predict(lines(x))} for x, costs in zip(contexts, gaps)]
    print(json.dumps({"library": "vowpalwabbit", "version": vowpalwabbit.__version__, "cases": cases}, indent=1))


main()
