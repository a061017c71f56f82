"""Each rule on the real product: a scenario that it finds, and one near it that it leaves.

One dashboard with its demo app for all. What is near goes first: by the time the rule
has found what it is for, it has looked at both.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from pressing import Product, wait_for

from dashboard.server.diagnosis.findings import LOOK_EVERY_NS
from dashboard.server.diagnosis.rules import RULES

SCENES = Path(__file__).parent / "scenes.py"
#: What another program takes from the loop's processor must not look like a stall.
STALL_MS = 300


class Scene(NamedTuple):
    """What is pressed for one rule."""

    found: str
    near: str
    says: str
    """A part of the sentence."""
    seconds: float | None = None
    looks: int = 0
    """It goes on until it is told that it is enough: what is near, for more looks than
    the rule needs."""


SCENE_OF = {
    "blocked_loop": Scene("blocking_cpu", "polite_cpu", "work.py:", 0.8),
    "sync_call": Scene("block_and_others", "await_and_others", "basics.py:", 0.8),
    "overload": Scene("parse_rows", "parse_some_rows", "% busy", looks=12),
    "tokens_exhausted": Scene("tokens_40", "tokens_60", "All 40", 0.8),
    "cpu_in_thread": Scene(
        "compute", "sleep_in_a_thread", "computes in a worker thread", looks=6
    ),
    "awaits_in_a_row": Scene(
        "awaits_in_a_row", "awaits_gathered", "waited 3 times in a row", 0.2
    ),
    "busy_loop": Scene("spin", "look_now_and_then", "gave way", looks=6),
    "lock_across_io": Scene("lock_held", "lock_short", "kept a lock", 0.9),
    "never_retrieved": Scene("lose_an_error", "ask_for_an_error", "fail ended with"),
    "forgotten_task": Scene(
        "forget_a_task", "end_a_task", "wait_for_nobody was destroyed"
    ),
    "hidden_hops": Scene("depends_sync", "depends_async", "3 times for one answer"),
    "gc_pause": Scene("gc_pause", "gc_short", "collector stopped the app"),
}


FLAGS = ("--stories", str(SCENES), "--stall-ms", str(STALL_MS))


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """One dashboard for all of them, whose demo app serves our scenes as well."""
    product = Product(tmp_path_factory.mktemp("rings"), *FLAGS)
    product.press("fast_alone")
    yield product
    product.stop()


def now_ns(product):
    """Return the time by the clock that findings have."""
    return product.get("/api/state")["t_ns"]


def told_since(product, rule, since_ns):
    """Return what a rule has found, of what was so since then."""
    found = product.get("/api/state")["findings"]
    return [
        each["sentence"]
        for each in found
        if each["rule"] == rule and each["last_ns"] >= since_ns
    ]


@contextmanager
def playing(product, name, scene):
    """A scenario is pressed and over; one that lasts goes on inside of the block."""
    if not scene.looks:
        product.outcome(
            name, **({} if scene.seconds is None else {"seconds": scene.seconds})
        )
        yield
        return
    status, answer = product.post(name)
    assert status == 202, answer
    yield
    product.outcome("scene_enough")
    batch = f"/api/batches/{answer['batch']}"
    wait_for(lambda: product.get(batch)["done"], f"the end of {name}")


# That the machine is too busy is no request's doing: tests/server/test_vigil.py.
@pytest.mark.parametrize("rule", [r.id for r in RULES if r.id != "busy_machine"])
def test_rule(product, rule):
    """A rule says yes to its scenario, in words about it, and not to the one near it."""
    scene = SCENE_OF[rule]
    since_ns = now_ns(product)
    with playing(product, scene.near, scene):
        enough_ns = now_ns(product) + scene.looks * LOOK_EVERY_NS
        wait_for(lambda: now_ns(product) >= enough_ns, "enough looks")
    assert told_since(product, rule, since_ns) == []

    since_ns = now_ns(product)
    with playing(product, scene.found, scene):
        wait_for(
            lambda: scene.says in " ".join(told_since(product, rule, since_ns)),
            f"{rule} to say yes to {scene.found}, which says {scene.says!r}",
        )
