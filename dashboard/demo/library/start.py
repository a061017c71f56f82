"""What one must have seen first: waiting is free, blocking is not."""

from dashboard.demo.library.telling import OTHERS, story, variant
from dashboard.demo.scenario import Others, seconds

FAMILY = "the loop"

STORIES = (
    story(
        "overlap",
        "While one request waits, the loop serves the others",
        variant(
            "slow_and_fast",
            "waiting",
            "one slow, twenty fast",
            "The slow request took {slowest}. {others} fast ones came meanwhile, and "
            "none of them took longer than {others_slowest}: `await` gave the loop back.",
            at="articles:read_item",
            path="/slow_task/{item_id}",
            address="/slow_task/1?q=test",
            others=Others(path="/fast_task/"),
        ),
        variant(
            "fast_alone",
            "running",
            "the twenty alone",
            "Without the slow one the slowest of {count} took {slowest}: "
            "they had hardly noticed it.",
            at="articles:read_root",
            path="/fast_task/",
            size=20,
        ),
        family=FAMILY,
        question="One request waits five seconds. Twenty come a moment later. "
        "When are they answered?",
        look="the long blue row, and the short ones that come and go beside it",
    ),
    story(
        "one_block",
        "One call that blocks stops everybody",
        variant(
            "block_and_others",
            "blocked",
            "time.sleep",
            "{culprit} held the loop for {blocked}. {others} fast requests came "
            "meanwhile; one of them stood waiting for {held}, and all it needed was "
            "{others_running} of the loop.",
            at="basics:blocking",
            params=(seconds(2),),
            others=OTHERS,
        ),
        variant(
            "await_and_others",
            "waiting",
            "await asyncio.sleep",
            "It took as long, {slowest}, but it waited with `await`. The slowest of the "
            "{others} others was answered after {others_slowest}.",
            at="basics:slow",
            params=(seconds(2, maximum=30),),
            others=OTHERS,
        ),
        family=FAMILY,
        question="One `async def` handler calls time.sleep(2). "
        "Twenty fast requests come a moment later. Who waits?",
        look="the box “At the door”: they were sent, and nobody looks at them",
    ),
    story(
        "sync_called_from_async",
        "Nobody puts your sync call into a thread",
        variant(
            "sync_in_async",
            "blocked",
            "call it",
            "{culprit} held the loop for {blocked}: the sync function ran on the loop, "
            "and {others} others waited up to {held}. No worker thread was used "
            "({threads} trips).",
            at="offload:sync_in_async",
            uses=("offload:fetch_report",),
            params=(seconds(1),),
            others=OTHERS,
        ),
        variant(
            "sync_in_threadpool",
            "thread",
            "await run_in_threadpool(…)",
            "Asked for, the thread comes: {threads} trip for the request, and the "
            "{others} others waited {held} at most.",
            at="offload:in_threadpool",
            uses=("offload:fetch_report",),
            params=(seconds(1),),
            others=OTHERS,
        ),
        family=FAMILY,
        question="An `async def` handler calls an ordinary function that waits a second. "
        "Does FastAPI run it in a thread?",
        look="the line that is named while the loop is blocked: is it in a thread row?",
    ),
)
