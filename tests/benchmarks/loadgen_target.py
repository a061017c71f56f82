"""What the load generator's benchmarks send to: a FastAPI app, and the cheapest server.

Not a benchmark itself: the others import it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ending import running
from stalls import free_port, wait_until_up

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

APP = """
import asyncio, sys, time
import uvicorn
from fastapi import FastAPI

app = FastAPI()

@app.get("/await")
async def wait(seconds: float = 0.1):
    await asyncio.sleep(seconds)
    return {"waited": seconds}

@app.get("/block")
async def block(seconds: float = 0.1):
    time.sleep(seconds)
    return {"blocked": seconds}

@app.get("/thread")
def thread(seconds: float = 0.1):
    time.sleep(seconds)
    return {"slept": seconds}

uvicorn.run(app, port=int(sys.argv[1]), http="httptools", log_level="warning",
            access_log=False)
"""

#: Answers without looking: what is measured against it is the client alone.
CHEAP = """
import asyncio, sys

ANSWER = (b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\n"
          b"content-length: 25\\r\\n\\r\\n" + b'{"message":"Hello world"}')
COUNT = b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n%s"

class Answer(asyncio.Protocol):
    answered = 0
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        if data.startswith(b"GET /count "):
            number = str(Answer.answered).encode()
            self.transport.write(COUNT % (len(number), number))
            return
        requests = data.count(b"\\r\\n\\r\\n")
        Answer.answered += requests
        self.transport.write(ANSWER * requests)

async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answer, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

import uvloop
uvloop.run(main())
"""


@contextlib.contextmanager
def serve(program: str) -> Iterator[str]:
    """Run a server in a process of its own; give its address."""
    port = free_port()
    with running([sys.executable, "-c", program, str(port)], cwd=ROOT):
        wait_until_up(port)
        yield f"http://127.0.0.1:{port}"


def load(*flags: str) -> dict:
    """Run the load generator; return its report."""
    command = [sys.executable, "-m", "loadgen", *flags, "-q", "--json", "-"]
    with running(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        report = process.stdout.read()
        assert process.wait() == 0, (
            f"{' '.join(command)} ended with {process.returncode}"
        )
    return json.loads(report)


def cpu_of_tree_s(pid: int) -> float:
    """Return the CPU time so far of a process and of all that it started."""
    total_s = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        # Nanoseconds, where `stat` counts hundredths of a second.
        total_s += int((task / "schedstat").read_text().split()[0]) / 1e9
        for child in (task / "children").read_text().split():
            total_s += cpu_of_tree_s(int(child))
    return total_s
