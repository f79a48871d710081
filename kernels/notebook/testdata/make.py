"""Writes sample.ipynb with nbformat 5.11.1, the oracle for our own layout.

    .venv/bin/python kernels/notebook/testdata/make.py
"""

from pathlib import Path

import nbformat
from nbformat import v4

CLAIMS = {
    "paper": "02-diffgrad",
    "scale": "quick",
    "claims": [
        {
            "id": "C1",
            "claim": "β₁ < 1 & friction ξ ≤ 1",
            "metric": "loss",
            "criterion": "≤ 0.5",
            "measured": 0.25,
            "spread": 1e-05,
            "paper": 0.3,
            "holds": True,
        }
    ],
}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4">\n<rect width="4" height="4"/>\n</svg>\n'


def main() -> None:
    parameters = v4.new_code_cell('var scale = "quick" // or "paper"\nvar seeds = 5', id="parameters")
    parameters.metadata["tags"] = ["parameters"]
    parameters.execution_count = 1
    parameters.metadata["execution"] = {"iopub.execute_input": "2026-01-01T10:00:00.0Z"}
    plot = v4.new_code_cell("%%\nshow.Plot()\n", id="plot")
    plot.execution_count = 2
    plot.outputs = [
        v4.new_output("stream", name="stdout", text="loss 0.25\n<b>1 & 2</b>\u2003é 😀"),
        v4.new_output("stream", name="stderr", text="I1124 10:00:00 klog noise\n"),
        v4.new_output("display_data", {"image/svg+xml": SVG, "text/plain": "a figure"}, metadata={"isolated": True}),
        v4.new_output("execute_result", {"text/html": "<p>\nx</p>", "image/png": "iVBORw0KGgo=\n"}, execution_count=2),
        v4.new_output("display_data", {"application/vnd.hindsight.claims+json": CLAIMS}),
    ]
    failed = v4.new_code_cell("panic(1)", id="failed")
    failed.outputs = [v4.new_output("error", ename="ERROR", evalue="exit status 2", traceback=["panic: 1", "main.go:3"])]
    nb = v4.new_notebook(
        cells=[v4.new_markdown_cell("# diffGrad\n\nText with a \"quote\".", id="title"), parameters, plot, failed],
        metadata={
            "kernelspec": {"display_name": "Go (XLA CPU)", "language": "go", "name": "go-xla-cpu"},
            "language_info": {"name": "go", "version": "go1.26"},
        },
    )
    nbformat.write(nb, Path(__file__).with_name("sample.ipynb"))


if __name__ == "__main__":
    main()
