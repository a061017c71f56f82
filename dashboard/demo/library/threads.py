"""What worker threads do for the loop, and how many there are."""

from dashboard.demo.library.telling import OTHERS, story, variant
from dashboard.demo.scenario import seconds

FAMILY = "threads"

_WAY = (
    "It took {slowest}, of which {in_thread} in a worker thread. "
    "The {others} others waited {held} at most."
)
_MORE = {
    "uses": ("offload:fetch_report",),
    "params": (seconds(1),),
    "others": OTHERS,
}

STORIES = (
    story(
        "def_is_a_thread",
        "The same block in `def` harms nobody",
        variant(
            "block_in_async_def",
            "blocked",
            "async def",
            "On the loop: {culprit} held it for {blocked}, "
            "and {others} others waited up to {held}.",
            at="basics:blocking",
            params=(seconds(2),),
            others=OTHERS,
        ),
        variant(
            "block_in_def",
            "thread",
            "def",
            "In a worker thread for {in_thread}: the loop was free, and the "
            "{others} others waited {held} at most.",
            at="basics:threaded",
            params=(seconds(2, maximum=30),),
            others=OTHERS,
        ),
        family=FAMILY,
        question="The handler loses its `async`: `def` instead of `async def`. "
        "What happens to the others now?",
        look="the thread's own row at the bottom",
    ),
    story(
        "four_ways_to_a_thread",
        "Four ways into a thread, one effect",
        variant(
            "by_anyio",
            "thread",
            "anyio.to_thread",
            _WAY,
            at="offload:by_anyio",
            **_MORE,
        ),
        variant(
            "by_asyncio",
            "thread",
            "asyncio.to_thread",
            _WAY,
            at="offload:by_asyncio",
            **_MORE,
        ),
        variant(
            "by_executor",
            "thread",
            "run_in_executor",
            _WAY,
            at="offload:by_executor",
            **_MORE,
        ),
        variant(
            "by_threadpool",
            "thread",
            "run_in_threadpool",
            _WAY,
            at="offload:in_threadpool",
            **_MORE,
        ),
        family=FAMILY,
        question="Four libraries offer a thread. Is one of them better for the loop?",
        look="the rows: they differ in the name of the wait, not in its shape",
    ),
    story(
        "forty_tokens",
        "Forty `def` requests at a time, the next one waits",
        variant(
            "tokens_40",
            "thread",
            "def",
            "{tokens} of {count} waited for a thread token. The first took {fastest}, "
            "the last {slowest}.",
            at="offload:tokens_40",
            params=(seconds(0.5, maximum=5),),
            size=45,
        ),
        variant(
            "tokens_60",
            "thread",
            "a limiter of its own",
            "{tokens} of {count} waited: this work has sixty threads of its own. "
            "The last took {slowest}.",
            at="offload:tokens_60",
            params=(seconds(0.5, maximum=5),),
            size=45,
        ),
        variant(
            "tokens_none",
            "waiting",
            "await",
            "{count} waited at once without any thread ({threads} trips). "
            "The last took {slowest}.",
            at="offload:tokens_none",
            params=(seconds(0.5, maximum=5),),
            size=45,
        ),
        family=FAMILY,
        question="45 `def` requests of half a second arrive at once. "
        "When is the last one answered?",
        look="five rows that begin striped: they wait for a thread token",
    ),
)
