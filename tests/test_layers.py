"""Arrows point one way: what is observed never imports what observes it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dashboard

ROOT = Path(dashboard.__file__).parent
#: What runs inside the observed program.
INSIDE = (
    "dashboard",
    "dashboard.errors",
    "dashboard.records",
    "dashboard.ring",
    "dashboard.recorder",
    "dashboard.recorder.attach",
    "dashboard.recorder.phases",
    "dashboard.recorder.target",
)
#: What each module of the dashboard process may import of its own package. A module
#: that only needs a name for its annotations may import it from anywhere.
ARROWS = {
    "lanes": set(),
    "remains": {"lanes", "stalls"},
    "journal": {"lanes", "remains"},
    "names": set(),
    "tallies": set(),
    "metrics": {"lanes"},
    "request": {"lanes"},
    "splits": {"lanes", "request", "tallies"},
    "victims": {"lanes"},
    "stall": {"names", "victims"},
    "stalls": {"tallies", "stall", "victims"},
    "waits": set(),
    "task": {"lanes"},
    "explanations": {"waits"},
    "tasks": {"explanations", "lanes", "request", "task", "waits"},
    "workers": {"lanes", "task"},
    "served": {"lanes", "request"},
    "survivors": {"lanes", "task"},
    "samples": {"names", "tape", "stall"},
    "loop_lane": {"lanes"},
    "incidents": set(),
    "mishaps": {"incidents", "names", "waits"},
    "drain": set(),
    "loop_model": {
        "drain",
        "effort",
        "incidents",
        "lanes",
        "loop_lane",
        "mishaps",
        "names",
        "samples",
        "served",
        "starvation",
        "survivors",
        "tallies",
        "task",
        "tasks",
        "workers",
    },
    "observed": {"lanes", "tape"},
    "session": {
        "findings",
        "incidents",
        "journal",
        "lanes",
        "loop_model",
        "observed",
        "remedies",
        "splits",
        "stalls",
        "tape",
        "waits",
        "workers",
    },
    "effort": {"tallies"},
    "starvation": set(),
    "tape": set(),
    "columns": set(),
    "packing": set(),
    "drawn": {"columns", "lanes", "packing"},
    "recording": {"columns", "packing", "tape"},
    "bundle": {"excerpt", "names", "sources", "tape"},
    "introduction": {"lanes", "observed", "tape"},
    "keeper": {"bundle", "columns", "drawn", "introduction", "recording", "tape"},
    "player": {"names", "remedies", "stall", "tape"},
    "opening": {
        "columns",
        "drawn",
        "excerpt",
        "folders",
        "journal",
        "player",
        "recording",
        "remedies",
        "session",
        "tape",
    },
    "flight": {"incidents", "keeper", "recording", "request"},
    "recording_routes": {"drops", "keeper", "recording"},
    "meanings": set(),
    "parse": set(),
    "remedies": {"meanings", "parse"},
    "advice": {"remedies"},
    "look": set(),
    "rules": {"facts", "incidents", "lanes", "look", "remedies", "task", "waits"},
    "findings": {"look", "rules", "stalls"},
    "process": set(),
    "thread_cpu": {"process"},
    "dumps": {"names", "process", "stall"},
    "vigil": {"dumps", "process"},
    "read": {"vigil"},
    "facts": {"victims"},
    "batches": {"facts"},
    "wire": {"drawn", "lanes"},
    "inbox": {"wire"},
    "stream": {"journal", "wire"},
    "reel": {"drawn"},
    "seats": set(),
    "budgets": set(),
    "settings": set(),
    "ports": set(),
    "doors": set(),
    "sender": {"budgets"},
    "triggers": {"budgets", "sender"},
    "folders": set(),
    "stage": {"folders", "ports"},
    "experiment": set(),
    "sides": {"stage"},
    "dashboard": {
        "drops",
        "otlp",
        "advice",
        "batches",
        "excerpt",
        "experiment",
        "flight",
        "folders",
        "inbox",
        "keeper",
        "read",
        "reel",
        "seats",
        "session",
        "sides",
        "stage",
        "stall_log",
        "stream",
        "thread_cpu",
        "triggers",
        "wire",
    },
    "excerpt": set(),
    "stall_log": {"facts", "stall"},
    "sources": {"excerpt", "parse"},
    "orders": set(),
    "trace": {"lanes"},
    "requests_csv": {"request"},
    "otlp": {"metrics"},
    "comparison": {"facts", "request"},
    "compare_routes": {"comparison", "page_routes", "wire"},
    "drops": {"budgets", "recording"},
    "drop_page": {"budgets", "dashboard", "handout_routes", "opening", "settings"},
    "scripts": set(),
    "assets": set(),
    "handout": {"scripts"},
    "handout_routes": {
        "bundle",
        "export_routes",
        "handout",
        "page_routes",
        "stall_routes",
        "wire",
    },
    "export_routes": {"metrics", "requests_csv", "trace", "wire"},
    "stall_routes": {"bundle", "excerpt", "orders", "stalls"},
    "story_routes": {"budgets", "page_routes", "wire"},
    "page_routes": {"budgets", "bundle", "orders", "seats", "sources", "triggers"},
    "experiment_routes": {"experiment", "orders", "seats"},
    "program": set(),
}
#: What each may import of the rest of the project.
OUTSIDE = {
    "doors": {"visitors"},
    "read": {"errors", "records", "ring"},
    "dumps": {"records", "ring"},
    "vigil": {"records"},
    "names": {"records"},
    "waits": {"records"},
    "task": {"records"},
    "explanations": {"records"},
    "tasks": {"records"},
    "served": {"records"},
    "workers": {"records"},
    "loop_model": {"records"},
    "session": {"records"},
    "columns": {"errors", "records"},
    "packing": {"errors"},
    "drawn": {"errors"},
    "reel": {"errors"},
    "flight": {"errors"},
    "recording": {"errors", "records", "__version__"},
    "bundle": {"records"},
    "introduction": {"records"},
    "player": {"errors", "records", "ring"},
    "opening": {"__version__", "errors", "records", "ring"},
    "wire": {"__version__"},
    "settings": {"errors"},
    "ports": {"errors"},
    "sender": {"errors"},
    "triggers": {"errors", "demo"},
    "experiment": {"errors", "demo"},
    "folders": {"ring"},
    "stage": {"errors"},
    "sides": {"errors"},
    "dashboard": {"demo", "errors"},
    "orders": {"errors", "demo"},
    "budgets": {"errors", "demo"},
    "drops": {"errors", "ring"},
    "drop_page": {"errors"},
    "stall_routes": {"errors", "demo"},
    "story_routes": {"demo"},
    "program": {"recorder"},  # names its door, which runs in the child
    "page_routes": {"errors", "demo", "__version__"},
    "handout_routes": {"__version__"},
    "compare_routes": {"__version__"},
    "otlp": {"errors", "__version__"},
}
#: No clock and no I/O: any recording is a unit test of these.
PURE = (
    "comparison",
    "starvation",
    "tallies",
    "trace",
    "effort",
    "facts",
    "findings",
    "look",
    "meanings",
    "parse",
    "remedies",
    "rules",
    "batches",
    "journal",
    "lanes",
    "names",
    "request",
    "splits",
    "stall",
    "stall_log",
    "stalls",
    "victims",
    "waits",
    "task",
    "explanations",
    "tasks",
    "workers",
    "samples",
    "loop_lane",
    "served",
    "drain",
    "survivors",
    "incidents",
    "mishaps",
    "loop_model",
    "observed",
    "session",
    "tape",
    "columns",
    "packing",
    "drawn",
)


def imported(path, *, for_types=False):
    """Return the dotted names that a file imports, with or without annotations'."""
    tree = ast.parse(path.read_text())
    if not for_types:
        tree = WithoutTypes().visit(tree)
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports from where it stands"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


class WithoutTypes(ast.NodeTransformer):
    """Leave out what is imported for a type checker alone."""

    def visit_If(self, node):
        """Keep only the other branch of `if TYPE_CHECKING`."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse
        return self.generic_visit(node)


def project_imports(path):
    """Return what a file imports of the project, as paths below `dashboard`."""
    return {
        tuple(name.split(".")[1:])
        for name in imported(path)
        if name.startswith("dashboard.")
    }


def server_modules():
    """Return every module of the dashboard process, by its name; no two share one."""
    paths = [
        path for path in (ROOT / "server").rglob("*.py") if path.stem != "__init__"
    ]
    modules = {path.stem: path for path in sorted(paths)}
    assert len(modules) == len(paths)
    return modules


def test_light_inside():
    """In the observed process nothing but the standard library is imported by us."""
    program = f"""
import importlib, sys
before = set(sys.modules)
for name in {INSIDE!r}:
    importlib.import_module(name)
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(name for name in new - sys.stdlib_module_names if name[0] != "_"))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT.parent,
    )

    assert run.stderr == ""
    assert run.stdout.split() == ["dashboard"]


@pytest.mark.parametrize(
    "heavy", ["fastapi", "starlette", "uvicorn", "httpx", "jinja2"]
)
def test_observes_without(tmp_path, heavy):
    """A program that has none of the dashboard's packages can be recorded."""
    program = f"""
import asyncio, sys
sys.modules[{heavy!r}] = None
import dashboard

async def main():
    with dashboard.record():
        await asyncio.sleep(0)

async def app(scope, receive, send):
    pass

dashboard.observe(app)
asyncio.run(main())
print("done")
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT.parent,
        env=os.environ | {"LOOPSCOPE_DIR": str(tmp_path / "rings")},
    )

    assert (run.stdout, run.stderr) == ("done\n", "")
    assert len(list((tmp_path / "rings").glob("*.ring"))) == 1


@pytest.mark.parametrize(
    "path",
    [
        *sorted((ROOT / "recorder").glob("*.py")),
        *sorted((ROOT / "ring").glob("*.py")),
        *(ROOT / name for name in ("records.py", "errors.py")),
    ],
    ids=lambda path: path.stem,
)
def test_inside_knows_only_itself(path):
    """What runs inside never names the dashboard process or the demo app."""
    allowed = {"errors", "records", "ring", "recorder", "__version__"}

    assert {names[0] for names in project_imports(path)} <= allowed


@pytest.mark.parametrize("module", server_modules())
def test_arrows(module):
    """A module of the dashboard process imports what the table allows, and no more."""
    names = project_imports(server_modules()[module])
    # The room, the module, what is taken of it; three have no room.
    of_server = {
        name[2] if (ROOT / "server" / name[1]).is_dir() else name[1]
        for name in names
        if name[0] == "server"
    }
    of_rest = {name[0] for name in names if name[0] != "server"}

    assert module in ARROWS, f"say in ARROWS what {module} may import"
    assert of_server <= ARROWS[module]
    assert of_rest <= OUTSIDE.get(module, set())


def test_arrows_have_no_circle():
    """The table of arrows itself can be walked from end to end."""
    left = dict(ARROWS)
    while left:
        free = {module for module, needs in left.items() if not needs & left.keys()}
        assert free, f"{sorted(left)} need each other"
        left = {module: needs for module, needs in left.items() if module not in free}

    assert set(ARROWS) == set(server_modules())


@pytest.mark.parametrize("module", PURE)
def test_pure(module):
    """The model has neither a clock nor a file, socket or event loop."""
    names = imported(server_modules()[module])
    roots = {name.partition(".")[0] for name in names}

    assert not roots & {"time", "datetime", "os", "socket", "asyncio", "threading"}
    assert not {name for name in names if name.startswith("dashboard.ring")}


def test_json_is_in_one_place():
    """JSON is made in `wire.py`, and else only read where programs send it."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if "json" in {name.partition(".")[0] for name in imported(path)}
    }

    assert users <= {"server/streaming/wire.py", "server/routes/orders.py"}


def test_private_asyncio_is_in_one_place():
    """Only what hooks and explains looks into asyncio's private parts."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if any(name.startswith("_asyncio") for name in imported(path))
    }

    assert users <= {"recorder/hooks.py", "recorder/reasons.py"}
