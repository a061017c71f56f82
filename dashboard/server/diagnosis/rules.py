"""The rules by which something is found wrong with a loop: each asks one question.

A rule sees a `Look` (what the model knows of one loop now, `look.py`) and answers
with what it found. It has no memory; that something lasts is seen to by
`findings.py`. No clock and no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from dashboard.server.diagnosis.look import LATELY, Hit, Look, Rule
from dashboard.server.diagnosis.remedies import NOT_YET
from dashboard.server.model.incidents import IncidentKind
from dashboard.server.model.lanes import State
from dashboard.server.model.task import CLOCKWORK
from dashboard.server.model.waits import base_of
from dashboard.server.presses.facts import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboard.server.diagnosis.remedies import Remedy
    from dashboard.server.model.incidents import Incident
    from dashboard.server.model.request import Request
    from dashboard.server.model.stall import Stall

#: From this share of its time on a loop has no room left.
OVERLOADED = 0.95
#: A worker thread that uses this much of a processor computes.
COMPUTES = 0.6
#: Timers this late are no accident.
LATE_NS = 4_000_000
#: A wait for a lock this long, while its holder waits too.
LOCK_NS = 50_000_000
#: So many handings-back a second are a loop in the loop.
SPINS_A_SECOND = 3000
SPIN_SHARE = 0.3
#: Waits in a row that are worth a word: so many, so long each, this part of it all.
ROW = 3
MAX_ROW = 12
ROW_NS = 5_000_000
ROW_SHARE = 0.6
#: Of its time on, to wait this much for a processor is worth a word.
STARVED = 0.1
MORE_MACHINE = (
    "Stop other programs, or give the app more processors; a container's CPU limit "
    "counts, too."
)
#: A pause this long may be felt; so much of them in a minute is worth a word.
PAUSE_NS = 20_000_000
PAUSES_NS = 100_000_000
#: So many trips to a thread for one answer are worth a word.
TRIPS = 3
#: What held the loop if no line did.
THE_COLLECTOR = "The garbage collector"
LESS_COLLECTING = "gc.freeze() after start-up, or a higher gc.set_threshold()."
#: What to do about steps of some kinds, which no call instead of another would mend.
ACTIONS = {
    "computation": "Give the computation to a process.",
    "hashing or compression": "Give the hashing or compression to a thread.",
    "garbage collection": "Leave collecting to Python, or do it when nobody waits: "
    "in a thread it holds the interpreter as well.",
    "loop": "Move the loop into a function of its own, and give that to a thread, or "
    "to a process if it computes.",
}
#: Calls that wait where nobody else can run, and what to call them.
BLOCKING = {
    "sleep": "sleep that blocks",
    "HTTP client": "synchronous HTTP client",
    "database": "synchronous database call",
    "file": "synchronous file call",
    "subprocess": "synchronous subprocess call",
    "socket": "blocking socket call",
    "lock": "blocking wait for a thread",
}
#: Waits that go on beside each other when gathered.
_GATHERABLE = ("sleep", "httpx", "socket", "connect", "asyncpg", "psycopg", "redis")


def blocked_loop(look: Look) -> Iterator[Hit]:
    """One step held everybody up; several of one line are one finding."""
    for line, stalls in _by_line(look).items():
        remedy = _remedy(look, line, stalls)
        if remedy is not NOT_YET and (remedy is None or remedy.kind not in BLOCKING):
            yield _held(line, stalls, remedy, is_all=look.are_all_stalls)


def sync_call(look: Look) -> Iterator[Hit]:
    """The step that held everybody up waited, and could have let others run."""
    for line, stalls in _by_line(look).items():
        remedy = _remedy(look, line, stalls)
        if remedy is not None and remedy.kind in BLOCKING:
            yield _held(line, stalls, remedy, is_all=look.are_all_stalls)


def _by_line(look: Look) -> dict[str, list[Stall]]:
    by_line: dict[str, list[Stall]] = defaultdict(list)
    for stall in look.stalls:
        if stall.name in CLOCKWORK and not stall.victims.known:
            # A server that imports its app before it serves keeps nobody waiting.
            continue
        if stall.is_starved:
            continue
        line = str(stall.culprit or stall.label or "a step")
        if stall.is_pause:
            remedy = look.remedy(stall)
            if remedy is NOT_YET:
                continue
            # Unless a line asked for it.
            is_asked_for = remedy is not None and remedy.kind == "garbage collection"
            line = str(stall.seen_at) if is_asked_for else THE_COLLECTOR
        by_line[line].append(stall)
    return by_line


def _remedy(look: Look, line: str, stalls: list[Stall]) -> Remedy | None:
    # Where it came is nobody's fault.
    return None if line == THE_COLLECTOR else look.remedy(stalls[-1])


def _held(
    line: str, stalls: list[Stall], remedy: Remedy | None, *, is_all: bool
) -> Hit:
    worst = max(stalls, key=lambda stall: stall.duration_ns)
    last = stalls[-1]
    length = duration(worst.duration_ns / 1e6)
    total = sum(stall.duration_ns for stall in stalls) / 1e6
    if not is_all:
        # Some of the minute are forgotten: these may have been of this line, too.
        sentence = (
            f"{line} held the loop at least {len(stalls)} times {LATELY}, "
            f"for at least {duration(total)} in all; the longest seen took {length}"
        )
        sentence = sentence.replace("at least 1 times", "at least once")
    elif len(stalls) > 1:
        sentence = (
            f"{line} held the loop {len(stalls)} times {LATELY}, for {length} at most "
            f"and {duration(total)} in all"
        )
    else:
        verb = "holds" if last.is_on else "held"
        sentence = f"{line} {verb} the loop for {length}"
        if last.unfinished:
            sentence += ", and had not ended when its process did"
    # Not the longest: a loop that nobody needs may be held without harm.
    hurt = max(stalls, key=lambda stall: stall.victims.sums()[0].delay_ns)
    said = str(hurt.victims.to_wire()["words"])
    it = "it" if len(stalls) == 1 else "once it"
    action = "Take it off the loop: a thread, or for computations a process."
    if remedy is not None:
        article = "a" if remedy.kind in BLOCKING else "the"
        replace = f"Replace {article} {BLOCKING.get(remedy.kind, remedy.kind)}."
        action = ACTIONS.get(remedy.kind, replace)
    elif line == THE_COLLECTOR:
        action = LESS_COLLECTING
    elif last.is_nobodys:
        action = (
            "No line of the app's ran: it is what a framework does with what it is "
            "given or lets go of. Give it less at once."
        )
    return Hit(
        line,
        f"{sentence}; {it} {said}." if said else f"{sentence}.",
        action,
        total,
        last.end_ns,
        # A collection that was asked for is its line's.
        worst.seen_at if line == str(worst.seen_at) else worst.culprit,
        stall=last.id,
        request=last.request,
        remedy=remedy,
    )


def overload(look: Look) -> Iterator[Hit]:
    """The loop is busy all the time, and no single step is to blame."""
    since_ns = look.now_ns - look.span_ns
    is_one_to_blame = any(stall.end_ns > since_ns for stall in look.stalls)
    if look.busy < OVERLOADED or is_one_to_blame or not look.shares:
        return
    first = look.shares[0]
    share = first.ns / max(1, look.span_ns)
    name = look.label(first.label)
    sentence = (
        f"The loop is {look.busy:.0%} busy: {share:.0%} of its time goes to {name}, "
        f"over {first.steps:,} steps"
    )
    action = "Do less per request, or start more workers: one loop uses one processor."
    if look.starved >= STARVED:
        sentence += f"; for {look.starved:.0%} of the time it waits for a processor"
        action = MORE_MACHINE
    yield Hit("overload", f"{sentence}.", action, look.busy * 1000)


def busy_machine(look: Look) -> Iterator[Hit]:
    """Steps were long because other programs had the processors: no line's fault."""
    # While one lasts it may still turn out to be its own fault.
    stalls = [stall for stall in look.stalls if stall.is_starved and not stall.is_on]
    if not stalls:
        return
    worst = max(stalls, key=lambda stall: stall.starved_ns)
    length, waited = (
        duration(ns / 1e6) for ns in (worst.duration_ns, worst.starved_ns)
    )
    # Not the longest: a loop that nobody needs may be held without harm.
    hurt = max(stalls, key=lambda stall: stall.victims.sums()[0].delay_ns)
    said = str(hurt.victims.to_wire()["words"])
    it = "it" if len(stalls) == 1 else "once it"
    sentence = f"A step of the loop waited {waited} of its {length} for a processor"
    if len(stalls) > 1:
        sentence = (
            f"{len(stalls)} steps of the loop were long {LATELY}, only because they "
            f"waited for a processor; the worst waited {waited} of its {length}"
        )
    yield Hit(
        "machine",
        f"{sentence}; {it} {said}." if said else f"{sentence}.",
        MORE_MACHINE,
        sum(stall.starved_ns for stall in stalls) / 1e6,
        stalls[-1].end_ns,
        stall=stalls[-1].id,
    )


def tokens_exhausted(look: Look) -> Iterator[Hit]:
    """Functions wait for one of anyio's thread tokens."""
    tokens = look.loop.model.workers.tokens
    if tokens.total and tokens.borrowed >= tokens.total and tokens.waiting:
        one = "1 more waits" if tokens.waiting == 1 else f"{tokens.waiting} more wait"
        yield Hit(
            "tokens",
            f"All {tokens.total} thread tokens are taken, and {one} for one.",
            "Make these functions quicker or asynchronous, or raise "
            "anyio.to_thread.current_default_thread_limiter().total_tokens.",
            tokens.waiting * 100.0,
        )


def cpu_in_thread(look: Look) -> Iterator[Hit]:
    """A worker thread computes, and the loop gets the interpreter late."""
    late_ns = look.loop.model.late_ns(look.now_ns)
    if look.cpu < COMPUTES or late_ns < LATE_NS:
        return
    names = look.loop.model.workers.running()
    if not names:
        return
    # The system tells what the threads use together, not who of them.
    kinds = sorted(set(names))
    if len(names) == 1:
        who = f"{names[0]} computes in a worker thread and shares"
    elif len(kinds) == 1:
        # Even forty that only sleep use some: it is in beginning and ending them.
        who = f"Worker threads run {kinds[0]}, {len(names)} at once, and share"
    else:
        who = (
            f"One or more of {len(names)} functions in worker threads compute and share"
        )
    yield Hit(
        "threads" if len(kinds) > 1 else kinds[0],
        f"{who} the interpreter with the loop: {look.cpu:.0%} of a processor, and "
        f"timers fire up to {duration(late_ns / 1e6)} late.",
        "Give what computes a process: loop.run_in_executor(processes, …)."
        if len(names) == 1
        else "If they compute: a process, loop.run_in_executor(processes, …). "
        "If they wait: async def, which needs no thread.",
        late_ns / 1e6,
    )


def awaits_in_a_row(look: Look) -> Iterator[Hit]:
    """A request waited for things one after the other that could go on together."""
    seen: dict[str, list[Request]] = defaultdict(list)
    rows: dict[str, list[tuple[str, int]]] = {}
    for request in look.requests:
        row = _longest_row(request)
        total = sum(ns for _, ns in row)
        if len(row) >= ROW and total >= ROW_SHARE * request.total_ns:
            seen[request.label].append(request)
            rows[request.label] = row
    for label, row in rows.items():
        total, longest = sum(ns for _, ns in row), max(ns for _, ns in row)
        yield Hit(
            label,
            f"{label} waited {len(row)} times in a row, {duration(total / 1e6)} in "
            f"all; the longest wait took {duration(longest / 1e6)}.",
            "If they do not need each other's results, await them together: "
            "asyncio.gather or a TaskGroup.",
            (total - longest) / 1e6 * len(seen[label]),
            seen[label][-1].answered_ns,
            where=row[-1][0],
            request=seen[label][-1].id,
        )


def _longest_row(request: Request) -> list[tuple[str, int]]:
    """Find the longest stretch of waits of one kind, as (where, ns)."""
    best: list[tuple[str, int]] = []
    row: list[tuple[str, int]] = []
    kind = ""
    for reason, where, ns in request.waits:
        base = base_of(reason).partition(" ")[0]
        if base not in _GATHERABLE or ns < ROW_NS:
            row = []
        elif base != kind:
            row = [(where, ns)]
        else:
            row.append((where, ns))
        kind = base
        best = max(best, row, key=len)
    # Over and over at one line is somebody who looks whether it is time yet.
    return best if len(best) <= MAX_ROW else []


def busy_loop(look: Look) -> Iterator[Hit]:
    """A task hands itself back to the loop over and over: `while …: sleep(0)`."""
    seconds = look.span_ns / 1e9
    for share in look.shares[:5]:
        rate = share.spins / seconds if seconds else 0
        if rate > SPINS_A_SECOND and share.ns > SPIN_SHARE * look.span_ns:
            name = look.label(share.label)
            yield Hit(
                name,
                f"{name} gave way {rate:,.0f} times a second and took "
                f"{share.ns / look.span_ns:.0%} of the loop's time for it.",
                "Wait for what it is waiting for: an Event, a Condition, a Queue.",
                share.ns / 1e6,
            )


def lock_across_io(look: Look) -> Iterator[Hit]:
    """Somebody waits for a lock whose holder waits for something slow."""
    tasks = look.loop.model.tasks.by_no
    waiting = [task for task in tasks.values() if base_of(task.reason) == "Lock"]
    by_holder: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for task in waiting:
        if task.holder:
            waits_ns = look.now_ns - task.since_ns
            by_holder[task.holder].append((waits_ns, task.holder_told_ns))
    for number, told in by_holder.items():
        holder = tasks.get(number)
        if holder is None or holder.state != State.WAITING or not holder.reason:
            continue
        # Who ran since it was told may have let go of the lock meanwhile.
        waits = [ns for ns, told_ns in told if holder.since_ns <= told_ns]
        if not waits:
            continue
        if max(waits) < LOCK_NS or base_of(holder.reason) == "Lock":
            continue
        whose = holder.request.label if holder.request is not None else holder.name
        others = "1 other" if len(waits) == 1 else f"{len(waits)} others"
        yield Hit(
            holder.where or whose,
            # As it was when looked at: it is told for a minute.
            f"{whose} kept a lock while it waited for {holder.reason}; {others} "
            f"waited for the lock, {duration(max(waits) / 1e6)} when last seen.",
            "Let go of the lock before the slow part, or take it only around what "
            "must not be interrupted.",
            sum(waits) / 1e6,
            where=holder.where,
            request=holder.request.id if holder.request is not None else 0,
        )


def _exceptions(look: Look, text: str) -> Iterator[Incident]:
    for incident in look.incidents:
        if incident.kind == IncidentKind.EXCEPTION and incident.text.startswith(text):
            yield incident


def never_retrieved(look: Look) -> Iterator[Hit]:
    """A task failed and nobody asked."""
    for incident in _exceptions(look, "Task exception was never retrieved"):
        error = incident.text.partition(": ")[2] or "an exception"
        who = incident.label or "A task"
        yield Hit(
            incident.where or who,
            f"{who} ended with {error}, and nobody looked: the error is lost.",
            "Await the task, or give it to a TaskGroup, which passes errors on.",
            50.0,
            incident.start_ns,
            where=incident.where,
            request=incident.request,
        )


def forgotten_task(look: Look) -> Iterator[Hit]:
    """A task was thrown away before it was done."""
    for incident in _exceptions(look, "Task was destroyed but it is pending"):
        who = incident.label or "A task"
        yield Hit(
            incident.where or who,
            f"{who} was destroyed while it waited: nobody kept a reference to it.",
            "Keep what create_task returns, in a set or a TaskGroup.",
            50.0,
            incident.start_ns,
            where=incident.where,
            request=incident.request,
        )


def hidden_hops(look: Look) -> Iterator[Hit]:
    """A request goes to a worker thread over and over, for things nobody sees."""
    worst: dict[str, Request] = {}
    for request in look.requests:
        if request.trips >= TRIPS:
            known = worst.get(request.label)
            if known is None or request.trips > known.trips:
                worst[request.label] = request
    for label, request in worst.items():
        away = request.spent_ns["thread_queue"] + request.spent_ns["thread"]
        yield Hit(
            label,
            f"{label} went to a worker thread {request.trips} times for one answer, "
            f"{duration(away / 1e6)} in all: plain def dependencies, files and "
            "uploads do.",
            "Write dependencies that only compute as async def.",
            away / 1e6,
            request.answered_ns,
            request=request.id,
        )


def gc_pause(look: Look) -> Iterator[Hit]:
    """The garbage collector stopped everybody."""
    pauses = [
        incident
        for incident in look.incidents
        if incident.kind == IncidentKind.PAUSE
        and incident.duration_ns - incident.starved_ns >= PAUSE_NS
    ]
    if sum(each.duration_ns - each.starved_ns for each in pauses) >= PAUSES_NS:
        longest = max(pause.duration_ns for pause in pauses)
        times = "once" if len(pauses) == 1 else f"{len(pauses)} times"
        yield Hit(
            "gc",
            f"The garbage collector stopped the app {times} {LATELY}, for "
            f"{duration(longest / 1e6)} at most.",
            LESS_COLLECTING,
            sum(pause.duration_ns for pause in pauses) / 1e6,
            pauses[-1].start_ns,
        )


#: In the order in which they are listed.
RULES = (
    Rule("blocked_loop", "One step holds the loop", blocked_loop, is_of_stalls=True),
    Rule("sync_call", "A blocking call in an async handler", sync_call, 1, True),
    Rule("overload", "Busy all the time, nobody to blame", overload, looks=8),
    Rule("busy_machine", "The machine is too busy", busy_machine, 1, True),
    Rule("tokens_exhausted", "Thread tokens exhausted", tokens_exhausted),
    Rule("cpu_in_thread", "A thread fights for the interpreter", cpu_in_thread, 4),
    Rule("awaits_in_a_row", "Awaits in a row", awaits_in_a_row),
    Rule("busy_loop", "A task that only gives way", busy_loop, looks=4),
    Rule("lock_across_io", "A lock held across slow I/O", lock_across_io),
    Rule("never_retrieved", "An exception nobody looked at", never_retrieved),
    Rule("forgotten_task", "A task that was forgotten", forgotten_task),
    Rule("hidden_hops", "Hidden trips to a thread", hidden_hops),
    Rule("gc_pause", "Pauses of the garbage collector", gc_pause),
)
