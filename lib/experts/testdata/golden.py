"""Writes golden.json: least squares of least norm by numpy.linalg.lstsq, and ridge by scikit-learn, refitted every round.

Made with numpy 2.4.6 and scikit-learn 1.9.1:  python golden.py > golden.json
"""
import json

import numpy as np
from sklearn.linear_model import Ridge

rng = np.random.default_rng(4)


def rows(n, d, groups):
    x = rng.uniform(size=(n, d))
    if groups:  # indicators of two families add up to 1 twice: rank d − 1
        x[:, :5] = 0
        x[np.arange(n), rng.integers(3, size=n)] = 1
        x[np.arange(n), 3 + rng.integers(2, size=n)] = 1
    return x, rng.uniform(size=n)


out = {"LeastSquares": [], "Ridge": []}
for n, d, groups in [(40, 4, False), (280, 8, True), (5, 8, True), (3, 6, False), (1, 2, False)]:
    x, y = rows(n, d, groups)
    theta = np.linalg.lstsq(x, y, rcond=1e-10)[0]
    out["LeastSquares"].append({"X": x.tolist(), "Y": y.tolist(), "Theta": theta.tolist(), "Loss": float(np.sum((x @ theta - y) ** 2))})
for n, d, l2 in [(40, 4, 1.0), (30, 8, 0.01), (10, 3, 100.0)]:
    x, y = rows(n, d, d > 5)
    predictions, theta = [], np.zeros(d)
    for t in range(n):
        predictions.append(float(x[t] @ theta))
        theta = Ridge(alpha=l2, fit_intercept=False, solver="cholesky").fit(x[: t + 1], y[: t + 1]).coef_
    out["Ridge"].append({"X": x.tolist(), "Y": y.tolist(), "L2": l2, "Predictions": predictions, "Theta": theta.tolist()})
print(json.dumps(json.loads(json.dumps(out), parse_float=lambda s: round(float(s), 14))))
