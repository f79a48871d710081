"""Runs cells in a Jupyter kernel.

Reads {"kernel": name, "cells": [source, ...]} from standard input and prints
[{"text": ..., "error": ..., "seconds": ...}, ...], one object a cell.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from jupyter_client.manager import start_new_kernel


def run(client: Any, source: str) -> dict[str, Any]:
    start = time.monotonic()
    text: list[str] = []
    error = ""

    def output(message: dict[str, Any]) -> None:
        nonlocal error
        content = message["content"]
        if message["msg_type"] == "stream":
            text.append(content["text"])
        elif message["msg_type"] == "display_data":
            text.append(content["data"].get("text/html", ""))
        elif message["msg_type"] == "error":
            error = content["evalue"]

    reply = client.execute_interactive(source, timeout=300, output_hook=output)
    if reply["content"]["status"] != "ok" and not error:
        error = reply["content"].get("evalue", "failed")
    return {"text": "".join(text), "error": error, "seconds": time.monotonic() - start}


def main() -> None:
    job = json.load(sys.stdin)
    manager, client = start_new_kernel(kernel_name=job["kernel"], startup_timeout=60)
    try:
        json.dump([run(client, source) for source in job["cells"]], sys.stdout)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)


main()
