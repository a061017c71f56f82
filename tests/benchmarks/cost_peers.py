"""Print what recording costs beside what other tools cost: per request and per step.

    python tests/benchmarks/cost_peers.py [--rounds 5] [--python python3.12] [--only TOOL ...]

Tools that exist on PyPI are installed into an environment of their own, which is thrown
away afterwards, beside this tree's Loopscope; each is used as its own README says.

A request: FastAPI hello under uvicorn with httptools on asyncio's loop, saturated over
16 connections. All servers live side by side and are loaded in turns; the server's own
CPU time (all threads) is read from the system, and the ratio taken within each turn;
once without the access log and once with it, as uvicorn starts by default (into a file).
A step: 100 tasks × 1000 `sleep(0)` in a plain program, CPU time against the same without.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ending import carry_out, running
from request_cost import cpu_seconds, load
from stall_peers import install
from stalls import free_port

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1.5
TASKS, TURNS = 100, 1000
PACKAGES = (
    "fastapi",
    "uvicorn",
    "httptools",
    "aiomonitor",
    "asyncviz",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-fastapi",
    "viztracer",
    "yappi",
)

SERVER = """
import sys
import uvicorn
from fastapi import FastAPI

app = FastAPI()
port, access_log = int(sys.argv[1]), sys.argv[2] == "log"

@app.get("/hello")
async def hello():
    return {"message": "Hello world"}

def serve(app=app):
    uvicorn.run(app, port=port, loop="asyncio", http="httptools",
                log_level="info" if access_log else "warning", access_log=access_log)
"""

STEPS = f"""
import asyncio, time

async def step():
    for _ in range({TURNS}):
        await asyncio.sleep(0)

async def main(around=None):
    async with asyncio.TaskGroup() as group:
        for _ in range({TASKS}):
            group.create_task(step())

async def measured():
    await main()  # the first round warms up
    began = time.process_time()
    await main()
    print((time.process_time() - began) / {TASKS * TURNS} * 1e6)
"""

#: What is said of a tool: how it serves the app, and how it runs the steps.
USE = {
    "bare": ("serve()", "asyncio.run(measured())"),
    "Loopscope": (
        "import dashboard\nserve(dashboard.observe(app))",
        "import dashboard\nasyncio.run(dashboard.record()(measured)())",
    ),
    "AsyncViz": (
        # Its own door for servers: patches asyncio, then starts its page's server.
        "import asyncviz\nasyncviz.start(port=int(sys.argv[3]), open_browser=False)\nserve()",
        "import asyncviz, sys\n"
        "asyncviz.start(port=int(sys.argv[1]), open_browser=False)\n"
        "asyncio.run(measured())",
    ),
    "OpenTelemetry": (
        """
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

class Nowhere(SpanExporter):
    def export(self, spans):
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Nowhere()))
trace.set_tracer_provider(provider)
FastAPIInstrumentor.instrument_app(app)
serve()
""",
        None,
    ),
    "aiomonitor": (
        """
import asyncio, aiomonitor

async def main():
    server = uvicorn.Server(uvicorn.Config(
        app, port=port, loop="asyncio", http="httptools",
        log_level="info" if access_log else "warning", access_log=access_log))
    ports = [int(text) for text in sys.argv[3:6]]
    with aiomonitor.start_monitor(asyncio.get_running_loop(), hook_task_factory=True,
                                  port=ports[0], console_port=ports[1],
                                  webui_port=ports[2]):
        await server.serve()

asyncio.run(main())
""",
        """
import sys, aiomonitor

async def monitored():
    ports = [int(text) for text in sys.argv[1:4]]
    with aiomonitor.start_monitor(asyncio.get_running_loop(), hook_task_factory=True,
                                  port=ports[0], console_port=ports[1],
                                  webui_port=ports[2]):
        await measured()

asyncio.run(monitored())
""",
    ),
    "VizTracer": (
        "from viztracer import VizTracer\nVizTracer(verbose=0).start()\nserve()",
        "from viztracer import VizTracer\nVizTracer(verbose=0).start()\nasyncio.run(measured())",
    ),
    "yappi": (
        "import yappi\nyappi.set_clock_type('wall')\nyappi.start()\nserve()",
        "import yappi\nyappi.set_clock_type('wall')\nyappi.start()\nasyncio.run(measured())",
    ),
    "asyncio debug mode": (
        "import os\nos.environ['PYTHONASYNCIODEBUG'] = '1'\nserve()",
        "asyncio.run(measured(), debug=True)",
    ),
}


def main() -> None:
    """Install, run everything, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", nargs="*", default=list(USE), choices=list(USE))
    options = parser.parse_args()
    tools = [tool for tool in USE if tool == "bare" or tool in options.only]
    with tempfile.TemporaryDirectory() as folder:
        python = install(options.python, Path(folder) / "peers", PACKAGES)
        steps = {
            tool: step_cost(tool, python, folder, options.rounds) for tool in tools
        }
        quiet = request_ratios(tools, python, folder, options.rounds, "quiet")
        logged = request_ratios(tools, python, folder, options.rounds, "log")
    print(f"{'':19} {'no access log':>15} {'access log':>15} {'a step':>12}")
    for tool in tools:
        cells = [
            cell(costs.get(tool), costs.get("bare"), is_bare=tool == "bare")
            for costs in (quiet, logged)
        ]
        step = steps[tool]
        if step is None:
            cells.append("–")
        elif tool == "bare":
            cells.append(f"{step:.2f} µs")
        else:
            cells.append(f"+{step - (steps['bare'] or 0):.2f} µs")
        print(f"{tool:<19} {cells[0]:>15} {cells[1]:>15} {cells[2]:>12}")


def cell(costs: list[float] | None, bare: list[float] | None, *, is_bare: bool) -> str:
    """Write the CPU time of a request, or its ratio to the bare one."""
    if not costs or not bare:
        return "–"
    if is_bare:
        return f"{statistics.median(costs):.0f} µs"
    ratios = [each / other for each, other in zip(costs, bare, strict=True)]
    return f"{statistics.median(ratios):.2f} ×"


def environment(folder: str) -> dict[str, str]:
    """Return what every program here is started with."""
    return os.environ | {"LOOPSCOPE_DIR": f"{folder}/rings", "PYTHONPATH": str(ROOT)}


def step_cost(tool: str, python: Path, folder: str, rounds: int) -> float | None:
    """Return the least CPU time of a step in µs, of so many runs; None if it has none."""
    use = USE[tool][1]
    if use is None:
        return None
    values = []
    for _ in range(rounds):
        ports = [str(free_port()) for _ in range(3)]
        done = subprocess.run(
            [python, "-c", STEPS + use, *ports],
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode == 0:
            values.append(float(done.stdout.split()[-1]))
        else:
            print(f"{tool}, a step: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return None
    return min(values)


def request_ratios(
    tools: list[str], python: Path, folder: str, rounds: int, log: str
) -> dict[str, list[float]]:
    """Return the CPU time per request of each tool, turn by turn, in µs."""
    costs: dict[str, list[float]] = {}
    servers = {}
    with contextlib.ExitStack() as stack:
        for tool in tools:
            port = free_port()
            server = start(stack, tool, python, folder, port, log)
            if server is not None:
                servers[tool] = port, server
        for turn in range(rounds + 1):
            for tool, (port, server) in servers.items():
                before = cpu_seconds(server.pid)
                answers = asyncio.run(load(port, SECONDS))
                cost = (cpu_seconds(server.pid) - before) / max(answers, 1)
                if turn:  # the first turn warms up
                    costs.setdefault(tool, []).append(cost * 1e6)
    return costs


def start(
    stack: contextlib.ExitStack,
    tool: str,
    python: Path,
    folder: str,
    port: int,
    log: str,
) -> subprocess.Popen[bytes] | None:
    """Start a server and wait until it answers; None if it does not."""
    more = [str(free_port()) for _ in range(3)]
    with Path(folder, f"{tool} {log}").open("wb") as output:
        server = running(
            [python, "-c", SERVER + USE[tool][0], str(port), log, *more],
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        process = stack.enter_context(server)
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process
    process.kill()
    said = Path(folder, f"{tool} {log}").read_text(errors="replace").strip()
    print(f"{tool}: no server; {said[-300:]}", file=sys.stderr)
    return None


if __name__ == "__main__":
    carry_out(main)
