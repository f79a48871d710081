"""The protocol of a benchmark's peer.

A peer prepares its work, says on standard output that it is ready, and does one
sample for each line on standard input, until that ends. One JSON object a line:

    {"versions": {...}, "check": [...]}    once: results that both sides must agree on
    {"seconds": 0.0012}                    a sample: the time of one unit of work
"""

from __future__ import annotations

import gc
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from queue import SimpleQueue


def serve(packages: list[str], check: list[float], sample: Callable[[], int]) -> None:
    """Serves a peer. A sample does some work and returns how many units it was."""
    say(versions={"python": platform.python_version()} | {p: version(p) for p in packages}, check=check)
    try:
        for _ in requests():
            gc.collect()  # the last sample's garbage is not this one's
            began = time.perf_counter()
            units = sample()
            say(seconds=(time.perf_counter() - began) / units)
    except KeyboardInterrupt:
        pass  # nobody waits for it any more


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def requests() -> Iterator[None]:
    """One item a line on standard input. Its end stops the process, also in mid-sample."""
    lines: SimpleQueue[bool] = SimpleQueue()

    def read() -> None:
        while data := os.read(0, 4096):
            for _ in range(data.count(b"\n")):
                lines.put(True)
        lines.put(False)
        time.sleep(0.2)  # an idle process ends by itself
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=read, daemon=True).start()
    while lines.get():
        yield


def fail(message: str) -> None:
    say(error=message)
    sys.exit(1)
