"""Run cells in a kernel as a notebook would, and say how long each took.

    python docker/cells.py KERNEL

The exit status is 1 where a cell fails or prints something unexpected. The first
cell computes nothing, the second runs a graph on the kernel's backend.
"""

import sys
import time
from typing import Any

from jupyter_client.manager import start_new_kernel

TITLE = {"go-xla-cpu": "XLA", "go-pure": "pure Go", "go-xla-cuda": "CUDA"}

PLAIN = """import "fmt"
%%
fmt.Println("the answer is", 6*7)
"""

GRAPH = """import (
    . "github.com/gomlx/gomlx/core/graph"
    "github.com/hindsight-go/hindsight/lib/backend"
)
%%
b, err := backend.Open()
if err != nil { panic(err) }
y, err := ExecOnce(b, func(x *Node) *Node { return ReduceAllSum(Square(x)) }, []float32{1, 2, 3})
if err != nil { panic(err) }
fmt.Println(backend.Describe(b).Title, "says", y.Value())
"""


def main(kernel: str) -> int:
    manager, client = start_new_kernel(kernel_name=kernel, startup_timeout=60)
    failed = 0
    try:
        for name, source, wanted in [
            ("plain cell", PLAIN, ["the answer is 42"]),
            ("graph", GRAPH, [TITLE[kernel], "says 14"]),
        ]:
            said: list[str] = []

            def hear(message: dict[str, Any]) -> None:
                content = message["content"]
                said.append(content.get("text") or "\n".join(content.get("traceback", [])))

            start = time.monotonic()
            reply = client.execute_interactive(source, output_hook=hear, timeout=300)
            took = time.monotonic() - start
            text = "".join(said).strip()
            good = reply["content"]["status"] == "ok" and all(w in text for w in wanted)
            failed += not good
            print(f"{kernel}, {name}: {text} ({took:.1f} s)" + ("" if good else f": expected {wanted}"), flush=True)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
