"""Makes the embedded tables from scikit-learn 1.9.1's copies of the UCI sets: python make.py

Each is a gzipped CSV: names in the first line, the class or target last.
"""
import gzip

from sklearn import datasets


def write(name, columns, rows, targets):
    with gzip.GzipFile(f"{name}.csv.gz", "wb", 9, mtime=0) as out:
        lines = [",".join([c.replace(" ", "_") for c in columns] + ["target"])]
        lines += [",".join([f"{v:.6g}" for v in r] + [f"{t:g}"]) for r, t in zip(rows, targets)]
        out.write(("\n".join(lines) + "\n").encode())


for name, bunch in {
    "breast-cancer": datasets.load_breast_cancer(),
    "wine": datasets.load_wine(),
    "diabetes": datasets.load_diabetes(scaled=False),
    "digits": datasets.load_digits(),
}.items():
    write(name, list(bunch.feature_names), bunch.data, bunch.target)
