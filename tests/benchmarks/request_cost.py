"""Print the CPU per request of a saturated FastAPI hello, recorded and not.

    python tests/benchmarks/request_cost.py [--loop asyncio|uvloop] [--rounds 8] [--phases]

Two servers (uvicorn, httptools) live side by side; a load of its own process goes
to one and then the other, in turns, so that a slow spell of the machine hits both.
The server's own CPU time is read from the system; the ratio is taken pair by pair.
With `--phases` a third one tells phases too, and a fourth tells them to nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ending import carry_out, running
from stalls import wait_until_up

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CONNECTIONS = 16
SECONDS = 2.0
TICK = os.sysconf("SC_CLK_TCK")

SERVER = """
import sys
import uvicorn
from fastapi import FastAPI

telemetry = {}
if sys.argv[1] in ("phases", "telling"):
    import dashboard
    telemetry = dashboard.phases()
app = FastAPI(telemetry=telemetry)

@app.get("/hello")
async def hello():
    return {"message": "Hello world"}

if sys.argv[1] in ("recorded", "phases"):
    import dashboard
    app = dashboard.observe(app)
config = uvicorn.Config(app, port=int(sys.argv[2]), loop=sys.argv[3], http="httptools",
                        log_level="warning", access_log=False)
uvicorn.Server(config).run()
"""

REQUEST = b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n"


class Client(asyncio.Protocol):
    """One connection: the next request goes out when the answer is complete."""

    def __init__(self, count: list[int]) -> None:
        self.count = count

    def connection_made(self, transport) -> None:
        """Send the first request."""
        self.transport = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """Count an answer (they are small: one piece each) and go on."""
        self.count[0] += 1
        self.transport.write(REQUEST)


async def load(port: int, seconds: float) -> int:
    """Keep the server busy for some time; return the number of answers."""
    loop = asyncio.get_running_loop()
    count = [0]
    transports = []
    for _ in range(CONNECTIONS):
        transport, _ = await loop.create_connection(
            lambda: Client(count), "127.0.0.1", port
        )
        transports.append(transport)
    await asyncio.sleep(seconds)
    for transport in transports:
        transport.abort()
    return count[0]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far."""
    # schedstat counts nanoseconds where stat counts hundredths of a second.
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


@contextlib.contextmanager
def serving(
    kind: str, port: int, loop: str, folder: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Give a server that listens, and lives as long as the block."""
    with running(
        [sys.executable, "-c", SERVER, kind, str(port), loop],
        cwd=ROOT,
        env=os.environ | {"LOOPSCOPE_DIR": folder},
    ) as process:
        wait_until_up(port)
        yield process


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--loop", default="asyncio")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--phases", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        ports = {"bare": 18950, "recorded": 18951}
        if options.phases:
            ports |= {"phases": 18952, "telling": 18953}
        servers = {
            kind: stack.enter_context(serving(kind, port, options.loop, folder))
            for kind, port in ports.items()
        }
        costs: dict[str, list[float]] = {kind: [] for kind in ports}
        for turn in range(options.rounds + 1):
            for kind, port in ports.items():
                before = cpu_seconds(servers[kind].pid)
                answers = asyncio.run(load(port, SECONDS))
                cost = (cpu_seconds(servers[kind].pid) - before) / answers
                if turn:  # the first pair warms up
                    costs[kind].append(cost * 1e6)
    for kind, values in costs.items():
        print(f"{kind:9} {statistics.median(values):7.1f} µs CPU per request")
    for kind in list(costs)[1:]:
        ratios = [
            this / bare for bare, this in zip(costs["bare"], costs[kind], strict=True)
        ]
        print(
            f"ratio     {statistics.median(ratios):7.3f}   {kind} "
            f"(min {min(ratios):.3f}, max {max(ratios):.3f}, {len(ratios)} pairs, "
            f"{options.loop}, Python {sys.version.split()[0]})"
        )


if __name__ == "__main__":
    carry_out(main)
