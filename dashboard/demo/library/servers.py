"""The same app on another server: more workers, another loop."""

from dashboard.demo.library.telling import story, variant
from dashboard.demo.scenario import Others, seconds

FAMILY = "servers"

_WORKERS = {
    "params": (seconds(1),),
    "size": 3,
    "gap_s": 0.1,
    "others": Others(after_s=0.5),
}

STORIES = (
    story(
        "workers",
        "Each worker has a loop of its own",
        variant(
            "one_worker",
            "blocked",
            "one worker",
            "Three blocks on one loop, one after the other: {wall}. "
            "The {others} others waited up to {held}.",
            at="basics:blocking",
            **_WORKERS,
        ),
        variant(
            "four_workers",
            "blocked",
            "four workers",
            "The same three on {loops} loops: {wall}. The {others} others found a free "
            "worker and waited {held} at most.",
            at="basics:blocking",
            stage="workers",
            **_WORKERS,
        ),
        family=FAMILY,
        question="Three requests block for a second each. "
        "What do four workers change for the others?",
        look="four loops above each other, and which of them are blocked",
    ),
    story(
        "uvloop",
        "uvloop changes the speed of the loop, not its rules",
        variant(
            "on_asyncio",
            "running",
            "asyncio",
            "On {loop_kind}: {count} requests in {wall}, "
            "{running} of the loop for each (in the middle).",
            at="basics:fast",
            stage="asyncio",
            size=100,
        ),
        variant(
            "on_uvloop",
            "running",
            "uvloop",
            "On {loop_kind}: {count} requests in {wall}, "
            "{running} of the loop for each (in the middle).",
            at="basics:fast",
            stage="uvloop",
            needs="uvloop",
            size=100,
        ),
        variant(
            "block_on_uvloop",
            "blocked",
            "a block on uvloop",
            "On {loop_kind}, too, {culprit} held the loop for {blocked}, "
            "and the {others} others waited up to {held}.",
            at="basics:blocking",
            stage="uvloop",
            needs="uvloop",
            params=(seconds(1),),
            others=Others(),
        ),
        family=FAMILY,
        question="The same hundred requests on a loop written in C. "
        "Faster? And does blocking stop hurting?",
        look="the loop's title, and how dense its row is",
    ),
)
