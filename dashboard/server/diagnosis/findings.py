"""What is wrong, why, and what to do: the rules asked four times a second, and a verdict.

A finding begins when its rule has said yes often enough, goes on while it does, and
stays listed for a while after. No clock and no I/O: times come with the calls, and
remedies through a function that is handed in and must not wait.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dashboard.server.diagnosis.look import LATELY, Look
from dashboard.server.diagnosis.rules import RULES
from dashboard.server.model.stalls import KEEP as KEEP_STALLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dashboard.server.diagnosis.look import Hit, Rule
    from dashboard.server.diagnosis.remedies import Remedy
    from dashboard.server.model.observed import ObservedLoop
    from dashboard.server.model.stall import Line, Stall
    from dashboard.server.reading.names import Place
    from dashboard.server.session import Session

    FindRemedy = Callable[[Place, Sequence[Line]], Remedy | None]
    """Of a place and the stack that led there; `NOT_YET` while it is looked for."""

LOOK_EVERY_NS = 250_000_000
#: What was so this long ago, and not since, is over.
NOW_NS = 3 * LOOK_EVERY_NS
#: What happened this long ago is no evidence any more.
EVIDENCE_NS = 60_000_000_000
#: What was so this long ago still makes the verdict.
FRESH_NS = 15_000_000_000
#: A finding stays listed for this long after it was last seen.
KEEP_NS = 300_000_000_000
KEEP = 50
#: Shares of time are taken over so many looks.
SPAN = 12


class Answer(StrEnum):
    """What a rule says."""

    YES = "yes"
    NO = "no"
    LATER = "later"
    """There is too little to go by yet, or it has not lasted."""


@dataclass(slots=True)
class Finding:
    """One thing that is wrong."""

    id: int
    rule: Rule
    loop: int
    hit: Hit
    first_ns: int
    last_ns: int
    counted_ns: int
    """When its rule last said so: until then what it counts had happened."""

    def sentence(self, now_ns: int) -> str:
        """Return what was found; of what was so until a while ago it says that."""
        ago_ns = now_ns - self.last_ns
        # What has a time of its own is told in the past from the beginning.
        if self.hit.at_ns or ago_ns < NOW_NS:
            if now_ns - self.counted_ns < NOW_NS:
                return self.hit.sentence
            # That minute is over.
            return self.hit.sentence.replace(LATELY, "within a minute")
        minutes = ago_ns // 60_000_000_000
        when = f"{minutes} min ago" if minutes else "A moment ago"
        return f"{when}: {self.hit.sentence}"

    def to_wire(self, origin_ns: int, now_ns: int) -> dict[str, Any]:
        """Return it as frames and `/api/state` show it."""
        hit, remedy = self.hit, self.hit.remedy
        return {
            "id": self.id,
            "rule": self.rule.id,
            "title": self.rule.title,
            "loop": self.loop,
            "sentence": self.sentence(now_ns),
            "action": hit.action,
            "place": hit.place.to_wire() if hit.place is not None else None,
            "where": str(hit.place) if hit.place is not None else hit.where,
            "fix": {
                "before": remedy.before,
                "after": remedy.after,
                "line": remedy.line,
                "note": remedy.note,
            }
            if remedy is not None and remedy.after
            else None,
            "stall": hit.stall,
            "request": hit.request,
            "active": now_ns - self.last_ns <= FRESH_NS,
            "first_ns": self.first_ns - origin_ns,
            "last_ns": self.last_ns - origin_ns,
        }


class Findings:
    """The findings of a session, over all its loops."""

    def __init__(self, session: Session, find_remedy: FindRemedy) -> None:
        self.kept: dict[tuple[str, int, str], Finding] = {}
        self.answers: dict[str, Answer] = {rule.id: Answer.LATER for rule in RULES}
        self._session = session
        self._find_remedy = find_remedy
        self._next_id = 1
        self._looked_ns = 0
        self._has_news = False
        self._in_a_row: Counter[tuple[str, int, str]] = Counter()
        self._closed: set[int] = set()
        """Loops that are over, and were looked at since."""
        self._spans: dict[int, list[tuple[int, int]]] = {}
        """By loop: when looked, and idle ns so far, of the last looks."""

    def __repr__(self) -> str:
        return f"<Findings {len(self.kept)} kept>"

    def is_due(self, now_ns: int) -> bool:
        """Say whether it is time to look again."""
        return now_ns - self._looked_ns >= LOOK_EVERY_NS

    def take(self) -> bool:
        """Say whether there was a look since the last call."""
        has_news, self._has_news = self._has_news, False
        return has_news

    def look(self, now_ns: int, cpu: Mapping[int, float]) -> None:
        """Ask every rule about every loop. `cpu`: processors used by worker threads, by
        loop."""
        self._looked_ns = now_ns
        self._has_news = True
        answers = {rule.id: Answer.NO for rule in RULES}
        living: set[int] = set()
        hits: set[tuple[str, int, str]] = set()
        loops = self._session.loops
        self._closed &= loops.keys()
        for loop in loops.values():
            if loop.id in self._closed:
                continue
            loop.model.effort.turn()
            look = self._look_at(loop, now_ns, cpu.get(loop.id, 0.0))
            rules: Sequence[Rule] = RULES
            if loop.ended:
                self._closed.add(loop.id)
                rules = tuple(rule for rule in RULES if rule.is_of_stalls)
            else:
                living.add(loop.id)
            for rule in rules:
                for hit in rule.check(look):
                    key = (rule.id, loop.id, hit.subject)
                    hits.add(key)
                    self._in_a_row[key] += 1
                    if self._in_a_row[key] >= rule.looks:
                        answers[rule.id] = Answer.YES
                        self._note(key, rule, loop.id, hit, now_ns)
                    elif answers[rule.id] == Answer.NO:
                        answers[rule.id] = Answer.LATER
        for key in list(self._in_a_row):
            if key not in hits:
                del self._in_a_row[key]
        # Many may have ended, and are listed no more, since the last look.
        for number in self._spans.keys() - living:
            del self._spans[number]
        self.answers = answers if living else dict.fromkeys(answers, Answer.LATER)
        self._drop(now_ns)

    def _look_at(self, loop: ObservedLoop, now_ns: int, cpu: float) -> Look:
        model = loop.model
        idle_ns = model.idle_ns
        if model.polling and now_ns > model.end_ns:
            # The poll under way has no record yet.
            idle_ns += now_ns - model.end_ns
        spans = self._spans.setdefault(loop.id, [])
        spans.append((now_ns, idle_ns))
        del spans[: -SPAN - 1]
        began_ns, idle_before = spans[0]
        span_ns = now_ns - began_ns
        busy = 1 - (idle_ns - idle_before) / span_ns if span_ns > 0 else 0.0
        since = now_ns - EVIDENCE_NS
        session = self._session
        kept = session.stalls.kept
        return Look(
            loop,
            now_ns,
            span_ns,
            model.effort.shares(len(spans) - 1),
            session.journal.text,
            cpu,
            [s for s in kept if s.loop == loop.id and s.end_ns > since],
            [
                r
                for r in session.requests.finished
                if r.loop == loop.id and r.answered_ns > since
            ],
            [
                i
                for i in session.incidents.kept
                if i.loop == loop.id and i.start_ns > since
            ],
            busy if len(spans) > SPAN else 0.0,
            model.starvation.within(began_ns, now_ns) / span_ns if span_ns else 0.0,
            self._remedy_of,
            are_all_stalls=len(kept) < KEEP_STALLS or kept[0].end_ns <= since,
        )

    def _note(
        self, key: tuple[str, int, str], rule: Rule, loop: int, hit: Hit, now_ns: int
    ) -> None:
        finding = self.kept.get(key)
        if hit.stall and (finding is None or finding.hit.stall != hit.stall):
            # Found before its line was known, or whose fault it was, it is the same one
            # under another name.
            for other, known in list(self.kept.items()):
                if known.hit.stall == hit.stall and known.loop == loop:
                    del self.kept[other]
        if finding is None:
            finding = Finding(self._next_id, rule, loop, hit, now_ns, now_ns, now_ns)
            self.kept[key] = finding
            self._next_id += 1
        finding.hit = hit
        finding.counted_ns = now_ns
        finding.last_ns = hit.at_ns or now_ns

    def _drop(self, now_ns: int) -> None:
        old = [k for k, f in self.kept.items() if now_ns - f.last_ns > KEEP_NS]
        for key in old:
            del self.kept[key]
        for key in sorted(self.kept, key=lambda k: self.kept[k].last_ns)[:-KEEP]:
            del self.kept[key]

    def _remedy_of(self, stall: Stall) -> Remedy | None:
        worst = stall.worst
        if worst is None or not worst.place.file:
            return None
        return self._find_remedy(worst.place, worst.stack)

    # ----------------------------------------------------------------- as values

    def describe(self, now_ns: int) -> list[dict[str, Any]]:
        """Return the findings, what matters most and is on first."""
        ordered = sorted(
            self.kept.values(),
            key=lambda f: (now_ns - f.last_ns > FRESH_NS, -f.hit.weight_ms),
        )
        return [each.to_wire(self._session.origin_ns, now_ns) for each in ordered]

    def verdict(self, now_ns: int) -> dict[str, Any]:
        """Return the one diagnosis: its sentence and the next action."""
        found = self.describe(now_ns)
        active = [each for each in found if each["active"]]
        if not active:
            calm = all(answer == Answer.NO for answer in self.answers.values())
            words = "Nothing is wrong" if calm else "Nothing is wrong so far"
            if unseen := self._unseen():
                words = f"Nothing is wrong so far, but {unseen}"
            return {"sentence": f"{words}.", "action": "", "finding": 0}
        first = active[0]
        return {
            "sentence": first["sentence"],
            "action": first["action"],
            "finding": first["id"],
        }

    def _unseen(self) -> str:
        """Say what keeps us from knowing that all is well."""
        session = self._session
        loops = [loop for loop in session.loops.values() if not loop.ended]
        frozen = sorted({loop.identity.pid for loop in loops if loop.frozen_since_ns})
        told = [f"process {pid} stands still" for pid in frozen]
        if lost := sum(loop.missed for loop in loops):
            told.append(
                "1 record was lost" if lost == 1 else f"{lost:,} records were lost"
            )
        return " and ".join(told)

    def describe_checks(self) -> list[dict[str, str]]:
        """Return every rule with its answer: yes, no or later."""
        return [
            {"rule": rule.id, "title": rule.title, "answer": self.answers[rule.id]}
            for rule in RULES
        ]
