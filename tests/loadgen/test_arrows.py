"""Arrows point one way: plan → run → tally → report; and none to the dashboard."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import loadgen

ROOT = Path(loadgen.__file__).parent
#: What each module may import of its own package, annotations left out.
ARROWS = {
    "errors": set(),
    "units": {"errors"},
    "scale": set(),
    "plan": {"errors"},
    "thresholds": {"errors", "units"},
    "fast": set(),
    "transports": {"fast"},
    "users": {"transports"},
    "worker": {"plan", "transports", "users"},
    "tally": set(),
    "run": {"errors", "tally"},
    "environment": set(),
    "report": set(),
    "chart": {"scale"},
    "document": {"chart", "report"},
    "progress": {"report"},
    "seeds": {"errors", "plan"},
    "flags": {"errors", "plan", "units"},
    "__main__": {
        *("errors", "flags", "plan", "thresholds", "seeds", "environment", "progress"),
        *("report", "document", "run"),
    },
}
#: No clock and no I/O.
PURE = ("units", "scale", "plan", "thresholds", "tally", "report", "chart", "document")
MODULES = sorted(path.stem for path in ROOT.glob("*.py") if path.stem != "__init__")


def imported(module):
    """Return the dotted names that a module imports when it runs."""
    tree = ast.parse((ROOT / f"{module}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", MODULES)
def test_arrows(module):
    """A module imports what the table allows, and of the dashboard its version alone."""
    names = imported(module)
    own = {name.split(".")[1] for name in names if name.startswith("loadgen.")}
    others = {name for name in names if name.startswith("dashboard")}

    assert module in ARROWS, f"say in ARROWS what {module} may import"
    assert own <= ARROWS[module]
    assert others <= {"dashboard.__version__"}


def test_no_circle():
    """The table of arrows can be walked from end to end, and knows every module."""
    left = dict(ARROWS)
    while left:
        free = {module for module, needs in left.items() if not needs & left.keys()}
        assert free, f"{sorted(left)} need each other"
        left = {module: needs for module, needs in left.items() if module not in free}

    assert sorted(ARROWS) == sorted(MODULES)


@pytest.mark.parametrize("module", PURE)
def test_pure(module):
    """What decides and what reports has neither a clock nor a socket."""
    roots = {name.partition(".")[0] for name in imported(module)}

    assert not roots & {"time", "datetime", "os", "socket", "asyncio", "httpx"}
