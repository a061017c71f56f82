"""Work that needs a processor rather than patience."""

from dashboard.demo.library.telling import OTHERS, story, variant
from dashboard.demo.scenario import Parameter, seconds

FAMILY = "the processor"

_CPU = {"uses": ("work:work",), "params": (seconds(1),), "others": OTHERS}
_MILLIONS = Parameter("millions", 60, minimum=1, maximum=500, unit="million")
_LENGTH = Parameter("length", 25, minimum=1, maximum=28, unit="letters")

STORIES = (
    story(
        "cpu_on_the_loop",
        "Computing in `async def` blocks like sleeping does",
        variant(
            "blocking_cpu",
            "blocked",
            "async def",
            "{culprit} held the loop for {blocked}; "
            "the {others} others waited up to {held}.",
            at="compute:blocking_cpu",
            **_CPU,
        ),
        variant(
            "cpu_in_process",
            "process",
            "a process pool",
            "Another process computed for {in_process}. The {others} others waited "
            "{held} at most.",
            at="compute:process_cpu",
            **_CPU,
        ),
        family=FAMILY,
        question="No sleep, only arithmetic, for a second, in `async def`. "
        "Can the loop slip in between?",
        look="the loop's row: one piece, without a gap",
    ),
    story(
        "gil",
        "A thread that computes still slows the loop: the GIL",
        variant(
            "threaded_cpu",
            "thread",
            "a thread that computes",
            "In a thread, yes, and nobody waited for its end. But each of the {others} "
            "others took {others_middle} (in the middle), as the loop had to get the "
            "interpreter's lock back each time.",
            at="compute:threaded_cpu",
            **_CPU,
        ),
        variant(
            "threaded_sleep",
            "thread",
            "a thread that sleeps",
            "A thread that sleeps needs no lock: the others took {others_middle} "
            "(in the middle).",
            at="basics:threaded",
            params=(seconds(1, maximum=30),),
            others=OTHERS,
        ),
        family=FAMILY,
        question="The computing handler becomes `def`, so it runs in a thread. "
        "Do the others notice it at all?",
        look="the others' rows: longer than they should be",
    ),
    story(
        "process_pool",
        "Only another process computes beside the loop",
        variant(
            "two_in_threads",
            "thread",
            "two in threads",
            "Two threads shared one interpreter: {wall} until both were done, and the "
            "others took {others_middle} (in the middle).",
            at="compute:threaded_cpu",
            size=2,
            **_CPU,
        ),
        variant(
            "two_in_processes",
            "process",
            "two in processes",
            "Two processes have an interpreter each: {wall} until both were done, and "
            "the others took {others_middle} (in the middle).",
            at="compute:process_cpu",
            size=2,
            **_CPU,
        ),
        family=FAMILY,
        question="Two requests compute for a second each. In threads: "
        "are both done after one second?",
        look="the length of both rows, and the others beneath them",
    ),
    story(
        "one_call_into_c",
        "One call into C can hold everything, even from a thread",
        variant(
            "blocking_c",
            "blocked",
            "in async def",
            "{culprit} held the loop for {blocked}.",
            at="compute:blocking_c",
            params=(_MILLIONS,),
            others=OTHERS,
        ),
        variant(
            "threaded_c",
            "thread",
            "in a thread",
            "It ran in a thread, and still a fast request waited {others_slowest}: "
            "the call keeps the interpreter's lock to its end.",
            at="compute:threaded_c",
            params=(_MILLIONS,),
            others=OTHERS,
        ),
        variant(
            "process_c",
            "process",
            "in a process",
            "Another process has a lock of its own: the others took "
            "{others_slowest} at most.",
            at="compute:process_c",
            params=(_MILLIONS,),
            others=OTHERS,
        ),
        family=FAMILY,
        question="sum(range(60 million)) is a single call. "
        "Does it help to make it in a thread?",
        look="the loop's row while the thread's row is on",
    ),
    story(
        "catastrophic_regex",
        "A regular expression can block for ever",
        variant(
            "blocking_regex",
            "blocked",
            "(a+)+$",
            "{culprit} held the loop for {blocked}. Each letter more doubles that.",
            at="compute:blocking_regex",
            params=(_LENGTH,),
            others=OTHERS,
        ),
        variant(
            "linear_regex",
            "running",
            "a+$",
            "The same question without the nested repetition: {slowest}, "
            "most of it not the expression at all.",
            at="compute:linear_regex",
            params=(_LENGTH,),
            others=OTHERS,
        ),
        family=FAMILY,
        question="A pattern is matched against 26 letters. How long can that take?",
        look="the loop's row; try 26 letters, then 27",
    ),
)
