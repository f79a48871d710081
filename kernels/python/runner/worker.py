"""Executes one notebook and tells its parent what happens, a JSON object a line.

The job is one JSON line on stdin. End of file on stdin, which also comes when the
parent dies, stops the kernel and the worker. Events go to stdout:

    prepared  cells (code cells to run), injected (source of the parameters' cell or "")
    kernel    pid (its process group has the same number)
    cell      index, count: a cell starts
    stream    name, text: a cell prints
    outputs   index, count, outputs: a cell is done, or an update changed it later
    end       status, message, cell, traceback, code: always the last

An index counts the cells of the notebook with the injected one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import Any

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

Json = dict[str, Any]


class Events:
    """The channel to the parent. What kernels print goes to stderr instead."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, event: str, **fields: Any) -> None:
        self._out.write(json.dumps({"event": event, **fields}) + "\n")
        self._out.flush()


class Client(NotebookClient):
    """nbclient, watched."""

    def __init__(self, nb: NotebookNode, events: Events, **kw: Any) -> None:
        super().__init__(nb, on_notebook_start=self._started, on_cell_execute=self._cell, on_cell_executed=self._done, **kw)
        self.events = events
        self.current = -1
        self.process: Any = None
        self._sent: dict[int, str] = {}

    def _started(self, notebook: NotebookNode) -> None:
        self.process = getattr(getattr(self.km, "provisioner", None), "process", None)
        self.events.send("kernel", pid=getattr(self.process, "pid", 0))

    def _cell(self, cell: NotebookNode, cell_index: int) -> None:
        cell.outputs, cell.execution_count = [], None
        self.current = cell_index
        self.events.send("cell", index=cell_index, count=self.code_cells_executed + 1)

    def _done(self, cell: NotebookNode, cell_index: int, execute_reply: Json) -> None:
        self._outputs(cell_index)

    def _outputs(self, index: int) -> None:
        cell = self.nb.cells[index]
        outputs = json.dumps(cell.outputs)
        if self._sent.get(index) != outputs:
            self._sent[index] = outputs
            self.events.send("outputs", index=index, count=cell.execution_count, outputs=cell.outputs)

    def flush(self) -> None:
        """Sends what a stopped cell has printed, and what changed after its cell was done."""
        for index, cell in enumerate(self.nb.cells[: self.current + 1]):
            if cell.cell_type == "code" and (index in self._sent or index == self.current):
                self._outputs(index)

    def process_message(self, msg: Json, cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        if msg["msg_type"] == "stream":
            self.events.send("stream", name=msg["content"]["name"], text=msg["content"]["text"])
        return super().process_message(msg, cell, cell_index)


def prepare(job: Json, events: Events) -> NotebookNode:
    """The notebook with the cell that sets the parameters."""
    nb = nbformat.read(job["notebook"], as_version=4)
    injected = ""
    if job["parameters"]:
        # Here, because papermill takes longer to import than a small notebook to run.
        from papermill.parameterize import parameterize_notebook

        import gotranslator

        gotranslator.register({p["name"]: p["type"] for p in job["parameters"]})
        values = {p["name"]: revive(p["value"], gotranslator.leaf(p["type"])) for p in job["parameters"]}
        nb.metadata.setdefault("papermill", {})  # papermill counts on these
        for cell in nb.cells:
            cell.metadata.setdefault("tags", [])
        nb = parameterize_notebook(nb, values, kernel_name=job["kernel"], language="go")
        injected = next(c.source for c in nb.cells if "injected-parameters" in c.metadata.get("tags", []))
    code = sum(c.cell_type == "code" and bool(c.source.strip()) for c in nb.cells)
    events.send("prepared", cells=code, injected=injected)
    return nb


def revive(value: Any, leaf: str) -> Any:
    """Floats travel as texts, because JSON has no infinities."""
    if isinstance(value, list):
        return [revive(v, leaf) for v in value]
    if isinstance(value, dict):
        return {k: revive(v, leaf) for k, v in value.items()}
    return float(value) if leaf.startswith("float") else value


async def execute(job: Json, events: Events) -> Json:
    """Runs the notebook; the answer is the last event."""
    client = Client(
        prepare(job, events),
        events,
        kernel_name=job["kernel"],
        timeout=job["cell_timeout"] or None,
        startup_timeout=job["start_timeout"],
        shutdown_kernel="immediate",
        resources={"metadata": {"path": job["folder"]}},
        coalesce_streams=True,
    )
    running = asyncio.ensure_future(client.async_execute())
    cancelled = watch_stdin(running)
    try:
        await running
        return {"status": "ok"}
    except NoSuchKernel:
        return {"status": "no-kernel", "message": job["kernel"]}
    except CellExecutionError as e:
        outputs = client.nb.cells[client.current].outputs
        error: Json = next((o for o in outputs if o.output_type == "error"), {})
        return {"status": "cell", "cell": client.current, "message": e.evalue or e.ename, "traceback": error.get("traceback", [])}
    except CellTimeoutError:
        return {"status": "timeout", "cell": client.current}
    except (DeadKernelError, RuntimeError, asyncio.CancelledError) as e:
        # nbclient also turns a cancellation into a dead kernel.
        if cancelled.is_set():
            return {"status": "cancelled", "cell": client.current}
        if isinstance(e, DeadKernelError):
            code = client.process.poll() if client.process else None
            return {"status": "dead", "cell": client.current, "code": code}
        return {"status": "start", "message": str(e)}
    except OSError as e:  # the kernel's program is missing or cannot be executed
        return {"status": "start", "message": str(e)}
    finally:
        client.flush()


def watch_stdin(running: asyncio.Future[Any]) -> threading.Event:
    """Cancels the run at end of file. Reads without a buffer, whose lock would
    be held by the thread when the interpreter ends."""
    loop, cancelled = asyncio.get_running_loop(), threading.Event()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        cancelled.set()
        try:
            loop.call_soon_threadsafe(running.cancel)
        except RuntimeError:
            pass  # the run ended first

    threading.Thread(target=watch, daemon=True).start()
    return cancelled


def read_job() -> Json:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            sys.exit("worker: the job ended early")
        line += part
    return json.loads(line)  # type: ignore[no-any-return]


def main() -> None:
    events = Events()
    events.send("end", **asyncio.run(execute(read_job(), events)))


if __name__ == "__main__":
    main()
