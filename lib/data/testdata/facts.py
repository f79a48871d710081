"""Facts about the data sets, found without the Go code: python facts.py FOLDER > facts.json

The embedded sets come from scikit-learn 1.9.1, the others with numpy from FOLDER (MNIST's test part, adult.data,
insurance.csv) and from Debian's dataset-fashion-mnist. Sums are over all features of all rows, weighted by place: they
change when two values are exchanged.
"""
import csv
import gzip
import json
import sys

import numpy as np
from sklearn import datasets

folder = sys.argv[1]


def facts(x, y, classes=None):
    x = np.asarray(x, np.float64).reshape(len(x), -1)
    out = {
        "shape": list(x.shape),
        "mean": float(x.mean()),
        "deviation": float(x.std()),
        "first": x[0].sum(),
        "last": x[-1].sum(),
        "weighted": float((x * (1 + np.arange(x.size).reshape(x.shape) % 1009)).mean()),
    }
    if x.shape[1] <= 128:
        out["means"] = x.mean(0).tolist()
        out["deviations"] = x.std(0).tolist()
    if classes:
        out["counts"] = np.bincount(np.asarray(y, int), minlength=classes).tolist()
    else:
        out["target"] = float(np.mean(y))
    return out


def idx(path):
    raw = gzip.open(path).read()
    dims = np.frombuffer(raw, ">i4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims)


def adult():
    rows = [[c.strip() for c in line.split(",")] for line in open(f"{folder}/adult.data") if line.strip()]
    numbers = {0, 2, 4, 10, 11, 12}
    columns = []
    for j in range(14):
        cells = [r[j] for r in rows]
        if j in numbers:
            columns.append([float(c) for c in cells])
        else:
            columns += [[float(c == w) for c in cells] for w in sorted(set(cells))]
    return facts(np.array(columns).T, [r[14] == ">50K" for r in rows], 2)


def insurance():
    rows = list(csv.DictReader(open(f"{folder}/insurance.csv")))
    x = [
        [float(r["age"]), r["sex"] == "male", float(r["bmi"]), float(r["children"]), r["smoker"] == "yes"]
        + [r["region"] == w for w in ("northeast", "northwest", "southeast", "southwest")]
        for r in rows
    ]
    return facts(x, [float(r["charges"]) for r in rows])


def main():
    out = {}
    for name, bunch in {
        "digits": datasets.load_digits(),
        "breast-cancer": datasets.load_breast_cancer(),
        "wine": datasets.load_wine(),
    }.items():
        out[name] = facts(bunch.data, bunch.target, len(bunch.target_names))
    diabetes = datasets.load_diabetes(scaled=False)
    out["diabetes"] = facts(diabetes.data, diabetes.target)
    clothes = "/usr/share/datasets/fashion-mnist"
    for name, at, part in (
        ("fashion-mnist train", clothes, "train"),
        ("fashion-mnist test", clothes, "t10k"),
        ("mnist test", folder, "t10k"),
    ):
        x = idx(f"{at}/{part}-images-idx3-ubyte.gz")
        out[name] = facts(x / np.float32(255), idx(f"{at}/{part}-labels-idx1-ubyte.gz"), 10)
    out["adult"], out["insurance"] = adult(), insurance()
    print(json.dumps(out, indent=1))


main()
