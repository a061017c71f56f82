"""Awaits, turns, locks and timeouts: how tasks get on with each other."""

from dashboard.demo.library.telling import OTHERS, story, variant
from dashboard.demo.scenario import seconds

FAMILY = "tasks together"

_AWAITS = {"uses": ("together:ask",), "params": (seconds(0.5, maximum=5),)}
_CPU = {"uses": ("work:work",), "params": (seconds(1),), "others": OTHERS}
_LOCK = {"params": (seconds(0.3, maximum=2),), "size": 5}
_TIMEOUT = {"params": (seconds(1),), "others": OTHERS}

STORIES = (
    story(
        "await_together",
        "Awaits in a row add up; gathered they overlap",
        variant(
            "awaits_in_a_row",
            "waiting",
            "one after the other",
            "{slowest} for three answers, one after the other.",
            at="together:awaits_in_a_row",
            **_AWAITS,
        ),
        variant(
            "awaits_gathered",
            "waiting",
            "gather",
            "{slowest} for the same three, asked at once, in {tasks} tasks more.",
            at="together:awaits_gathered",
            **_AWAITS,
        ),
        variant(
            "awaits_grouped",
            "waiting",
            "TaskGroup",
            "{slowest} for the same three, asked at once, in {tasks} tasks more.",
            at="together:awaits_grouped",
            **_AWAITS,
        ),
        family=FAMILY,
        question="A handler awaits three services of half a second each. "
        "How long does it take?",
        look="the length of the one row",
    ),
    story(
        "giving_way",
        "`await asyncio.sleep(0)` lets the others pass",
        variant(
            "selfish_cpu",
            "blocked",
            "a second in one piece",
            "{culprit} held the loop for {blocked}; the others waited up to {held}.",
            at="compute:blocking_cpu",
            **_CPU,
        ),
        variant(
            "awaiting_cpu",
            "blocked",
            "awaits that never wait",
            "A hundred awaits, and none had anything to wait for: {culprit} held the "
            "loop for {blocked}, and the others waited up to {held}.",
            at="compute:awaiting_cpu",
            **_CPU,
        ),
        variant(
            "polite_cpu",
            "ready",
            "in pieces of 10 ms",
            "The same work in pieces of ten milliseconds: the others waited {held} "
            "at most, and it took {slowest} altogether.",
            at="compute:polite_cpu",
            **_CPU,
        ),
        family=FAMILY,
        question="A computation says `await asyncio.sleep(0)` every ten milliseconds. "
        "What is that good for?",
        look="the loop's row: one piece, or a comb with the others between its teeth",
    ),
    story(
        "lock_across_io",
        "A lock held across I/O makes a queue",
        variant(
            "lock_held",
            "waiting",
            "lock, then wait",
            "{count} requests, one after the other: the first took {fastest}, the last "
            "{slowest}. The loop itself was idle.",
            at="together:lock_across_io",
            **_LOCK,
        ),
        variant(
            "lock_short",
            "waiting",
            "wait, then lock",
            "{count} requests beside each other: the last took {slowest}.",
            at="together:lock_after_io",
            **_LOCK,
        ),
        family=FAMILY,
        question="Five requests take the same lock and wait 0.3 s inside. "
        "When is the fifth answered?",
        look="rows that all wait, and the staircase of their ends",
    ),
    story(
        "timeouts",
        "A timeout can only end what awaits",
        variant(
            "timeout_blocking",
            "blocked",
            "around time.sleep",
            "It was to end after 300 ms and ended after {slowest}: "
            "{culprit} held the loop, and the timer with it.",
            at="together:timeout_blocking",
            status=504,
            **_TIMEOUT,
        ),
        variant(
            "timeout_await",
            "waiting",
            "around await",
            "It ended after {slowest}, on time.",
            at="together:timeout_await",
            status=504,
            **_TIMEOUT,
        ),
        variant(
            "timeout_thread",
            "thread",
            "around a thread",
            "The answer came after {slowest}. "
            "The thread went on: nobody can stop one from outside.",
            at="together:timeout_thread",
            status=504,
            **_TIMEOUT,
        ),
        variant(
            "cancelled_task",
            "waiting",
            "cancel()",
            "The task was cancelled at its `await`, tidied up, "
            "and the answer came after {slowest}.",
            at="together:cancelled_task",
            **_TIMEOUT,
        ),
        family=FAMILY,
        question="asyncio.timeout(0.3) stands around time.sleep(1). "
        "When does it strike?",
        look="where each row ends, and the thread that outlives its request",
    ),
)
