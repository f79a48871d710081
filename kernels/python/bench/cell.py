"""How long a notebook's cell takes, through a kernel: `cell.py KERNEL first|later`.

first: of a kernel just started, with its imports of lib and XLA, the build cache
warm; later: of a kernel that has run one. Every cell is one that was never
compiled before, and computes something with XLA.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib.metadata import version
from typing import Any

from jupyter_client.manager import start_new_kernel

import peer

IMPORTS = """import (
	"errors"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/nets"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/show"
)
"""
CELL = """
%%%%
b, err := backend.Open()
if err != nil {
	panic(err)
}
defer b.Finalize()
model, err := nets.MLP("relu", 2, 3)
if err := errors.Join(err, optim.Adam(0.1).Validate()); err != nil {
	panic(err)
}
show.Text("%%s: %%v", model.Name, graph.MustExecOnce(b, func(x *graph.Node) *graph.Node { return graph.AddScalar(graph.ReduceAllSum(x), %d) }, []float32{1, 2, 3}))
"""


class Kernel:
    def __init__(self, name: str) -> None:
        self.manager, self.client = start_new_kernel(kernel_name=name, startup_timeout=60)
        self.pid: int = self.manager.provisioner.pid  # and its process group's

    def run(self, source: str) -> float:
        """Runs a cell and returns its seconds."""
        said: list[str] = []

        def output(message: dict[str, Any]) -> None:
            content = message["content"]
            said.append(content.get("text") or content.get("evalue") or str(content.get("data", "")))

        began = time.perf_counter()
        reply = self.client.execute_interactive(source, timeout=300, output_hook=output)
        seconds = time.perf_counter() - began
        text = " ".join(said)
        if reply["content"]["status"] != "ok" or "MLP [2 3]: " not in text:
            peer.fail("a cell fails: " + text[-300:].replace("\n", " "))
        return seconds

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        try:
            os.killpg(self.pid, signal.SIGKILL)  # and the cell's own process
        except ProcessLookupError:
            pass


def main() -> None:
    name, which = sys.argv[1:]
    number = time.time_ns() % 1_000_000_000
    kernel: Kernel | None = None
    try:
        kernel = Kernel(name)
        kernel.run(IMPORTS + CELL % number)
        peer.say(versions={p: version(p) for p in ("jupyter-client",)}, check=[])
        for _ in peer.requests():
            number += 1
            if which == "first":
                kernel.end()
                kernel = Kernel(name)
                peer.say(seconds=kernel.run(IMPORTS + CELL % number))
            else:
                peer.say(seconds=kernel.run(CELL % number))
    except KeyboardInterrupt:
        pass
    finally:
        if kernel:
            kernel.end()


main()
