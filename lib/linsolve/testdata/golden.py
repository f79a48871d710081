"""Writes golden.json: iterates of relaxation methods, in float64.

CG and SSOR-preconditioned CG are scipy.sparse.linalg.cg's (SciPy 1.17.1, NumPy 2.4.6), with the
preconditioner given by two triangular solves of scipy.sparse.linalg.spsolve_triangular; SOR is done with dense triangular
solves of scipy.linalg. Run: python golden.py > golden.json
"""
import json
import sys

import numpy as np
import scipy
import scipy.linalg as sl
import scipy.sparse as sp
import scipy.sparse.linalg as spl

side = 7
n = side * side


def grid(center, neighbor):
    t = sp.diags([np.full(side - 1, float(neighbor))] * 2, [-1, 1])
    eye = sp.identity(side)
    return (center * sp.identity(n) + sp.kron(eye, t) + sp.kron(t, eye)).tocsr()


def general():
    """A sparse matrix that is no grid: diagonally dominant, with entries of several sizes."""
    i = np.arange(n)
    entries = np.zeros((n, n))
    for step, size in ((1, -1.0), (5, 0.7), (11, -0.3)):
        j = (i * 3 + step) % n
        entries[i, j] += size * np.cos(i + step)
    a = entries + entries.T
    a -= np.diag(np.diag(a))
    return sp.csr_matrix(a + np.diag(np.abs(a).sum(axis=1) + 0.05 + 0.1 * np.sin(i) ** 2))


def kept(iterates):
    """The first iterate and the fifth."""
    return [iterates[k].tolist() for k in (0, 4)]


b = np.sin(np.arange(1, n + 1))
x0 = np.cos(np.arange(1, n + 1))
cases = []
for name, a, stencil in (
    ("laplacian", grid(4, -1), [side, 4, -1]),
    ("heat", grid(1 + 4 * 0.37, -0.37), [side, 1 + 4 * 0.37, -0.37]),
    ("general", general(), None),
):
    dense = a.toarray()
    coo = a.tocoo()
    d, low = np.diag(np.diag(dense)), np.tril(dense, -1)
    for omega in (0.7, 1.0, 1.5):
        x = x0.copy()
        sor = []
        for _ in range(5):
            x = x + sl.solve_triangular(d / omega + low, b - dense @ x, lower=True)
            sor.append(x.copy())
        lower = sp.csr_matrix(d + omega * low)
        upper = sp.csr_matrix((d + omega * low).T)

        def apply(r):
            v = spl.spsolve_triangular(upper, r, lower=False)
            return spl.spsolve_triangular(lower, omega * (2 - omega) * (np.diag(dense) * v), lower=True)

        runs = {}
        for method, m in (("cg", None), ("ssorpcg", spl.LinearOperator((n, n), matvec=apply))):
            its = []
            _, info = spl.cg(a, b, x0=x0, rtol=1e-8, M=m, callback=lambda xk: its.append(xk.copy()))
            assert info == 0
            runs[method] = {"iterations": len(its), "iterates": kept(its)}
        cases.append({
            "name": name, "stencil": stencil, "omega": omega,
            "entries": None if stencil else [[int(r), int(c), float(v)] for r, c, v in zip(coo.row, coo.col, coo.data)],
            "sor": kept(sor), **runs,
        })
json.dump({"library": f"scipy {scipy.__version__}, numpy {np.__version__}", "n": n, "b": b.tolist(), "x0": x0.tolist(), "cases": cases}, sys.stdout)
