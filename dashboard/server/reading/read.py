"""Find rings, follow them, and bring what they say to the session.

Polls, because another process cannot wake us without waiting itself. Never
writes to a ring. A ring that cannot be read becomes one sentence; the rest goes on.
"""

from __future__ import annotations

import errno
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.errors import RingDamaged, RingError
from dashboard.records import Cell, RingState
from dashboard.ring import RingReader, is_alive, parent_of
from dashboard.server.reading.vigil import Vigil

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dashboard.server.model.observed import ObservedLoop
    from dashboard.server.session import Session

logger = logging.getLogger("loopscope")

#: What ended longer ago than this is history, not something to watch.
ENDED_MAX_AGE_S = 300
SCAN_EVERY_NS = 250_000_000
ALIVE_EVERY_NS = 250_000_000
#: We have no descriptor left, or the system has no memory.
PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
#: What the live numbers of a ring can be, of those that are written once or counted up.
STATES = frozenset(RingState)
MAX_DROPPED, MAX_SIGNAL = 1 << 40, 64
#: Making a ring takes milliseconds, of a process that gets its turn.
BEING_MADE_NS = 1_000_000_000
#: At most this much work at once: viewers wait for their frames meanwhile.
ROUND_NS = 15_000_000


@dataclass(slots=True)
class _Followed:
    reader: RingReader
    loop: ObservedLoop
    vigil: Vigil
    alive: bool = True
    dropped: int = 0
    next_alive_ns: int = 0

    def close(self) -> None:
        """Let go of its files."""
        self.reader.close()
        self.vigil.close()


class Follower:
    """Follow every ring that `find_rings` finds into a session. Not thread-safe."""

    def __init__(
        self,
        find_rings: Callable[[], set[Path]],
        session: Session,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        before_feed: Callable[[], None] = lambda: None,
        show_ended: bool = False,
        allow_dumps: bool = True,
    ) -> None:
        self._find_rings = find_rings
        self._session = session
        self._now_ns = now_ns
        # What happened before a record was written must be told before it is fed.
        self._before_feed = before_feed
        self._show_ended = show_ended
        self._allow_dumps = allow_dumps
        self._followed: dict[Path, _Followed] = {}
        self._refused: dict[Path, str] = {}
        self._doubted: dict[Path, int] = {}
        """When a file was first seen that is no ring, or not one yet."""
        self._passing: dict[Path, str] = {}
        """What could not be opened just now, for a reason that passes."""
        self._next_scan_ns = 0

    def __repr__(self) -> str:
        return f"<Follower of {len(self._followed)} rings>"

    @property
    def is_busy(self) -> bool:
        """Whether a silent process is being looked into: poll again soon."""
        return any(followed.vigil.is_busy for followed in self._followed.values())

    def close(self) -> None:
        """Let go of every ring."""
        for followed in self._followed.values():
            followed.close()
        self._followed.clear()

    def poll(self) -> bool:
        """Do one round: look for rings, read them all, tick their loops.

        Returns whether a ring has more to give than one round takes.
        """
        now_ns = self._now_ns()
        fresh: list[Path] = []
        if now_ns >= self._next_scan_ns:
            self._next_scan_ns = now_ns + SCAN_EVERY_NS
            fresh = self._scan()
            self._passing.clear()
        if fresh:
            # A restarted worker takes the place of one that must be known as gone.
            for followed in self._followed.values():
                followed.next_alive_ns = 0
        more = False
        for path, followed in list(self._followed.items()):
            try:
                more |= self._follow(followed)
            except Exception as error:  # noqa: BLE001 - the other rings must go on
                why = getattr(error, "strerror", None) or repr(error)
                sentence = f"{path.name} cannot be read: {why}"
                is_ours = isinstance(error, RingError)
                self._refuse(path, str(error) if is_ours else sentence)
                self._session.tick(
                    followed.loop, now_ns, dict.fromkeys(Cell, 0), alive=False
                )
            if followed.loop.ended:
                followed.close()
                del self._followed[path]
                self._refused.setdefault(path, "")
        for path in fresh:
            self._open(path)
        told = (*self._refused.values(), *self._passing.values())
        self._session.notices = [text for text in told if text]
        return more

    def _scan(self) -> list[Path]:
        """Return the rings that are new, and forget those that are away."""
        found = self._find_rings()
        for path in self._refused.keys() - found:
            del self._refused[path]
        for path in (self._doubted.keys() - found) | self._followed.keys():
            self._doubted.pop(path, None)
        fresh = found - self._followed.keys() - self._refused.keys()
        # In the order in which they began: a later one may take an ended one's place.
        return sorted(fresh, key=lambda path: (_began(path), path))

    def _open(self, path: Path) -> None:
        try:
            reader = RingReader(path)
        except RingError as error:
            if getattr(error.__cause__, "errno", None) in PASSING:
                # Ours, not the ring's: it is looked at again with the next scan.
                self._passing[path] = str(error)
                return
            # Its writer may be about to fill in the header.
            now_ns = self._now_ns()
            if now_ns - self._doubted.setdefault(path, now_ns) >= BEING_MADE_NS:
                self._refuse(path, str(error))
            return
        if not is_alive(reader.identity) and not self._is_recent(path):
            reader.close()
            self._refused[path] = ""
            return
        loop = self._session.add_loop(
            reader.identity, parent=parent_of(reader.identity.pid)
        )
        loop.model.names.strings = reader.strings
        if reader.begin_at_oldest():
            loop.lose()
        vigil = Vigil(
            reader,
            loop,
            allow_dumps=self._allow_dumps,
            tell_sent=self._before_feed,
        )
        self._followed[path] = _Followed(reader, loop, vigil)
        # What is wrong with it is told by the next round, as of any other.
        with suppress(OSError, RingError):
            self._follow(self._followed[path])

    def _is_recent(self, path: Path) -> bool:
        """Say whether an ended ring is worth showing to someone who just came."""
        try:
            age_s = time.time() - path.stat().st_mtime
        except OSError:
            return False
        return self._show_ended and age_s < ENDED_MAX_AGE_S

    def _refuse(self, path: Path, sentence: str) -> None:
        logger.warning("%s", sentence)
        self._refused[path] = sentence

    def _follow(self, followed: _Followed) -> bool:
        reader, loop = followed.reader, followed.loop
        # The order makes the header's "who runs now" usable: every step that
        # ended before `now_ns` has its record by the time we read records.
        now_ns = self._now_ns()
        if now_ns >= followed.next_alive_ns:
            followed.alive = followed.alive and is_alive(reader.identity)
            followed.next_alive_ns = now_ns + ALIVE_EVERY_NS
        cells = reader.read_cells()
        _check(cells, reader.path)
        frozen_since_ns = followed.vigil.frozen_since(now_ns, cells)
        # Its first beat afterwards says since when it goes on.
        beat_ns = cells[Cell.BEAT]
        until_ns = beat_ns if beat_ns > loop.frozen_since_ns else now_ns
        self._session.stand_still(loop, until_ns, frozen_since_ns)
        if cells[Cell.DROPPED] > followed.dropped:
            # The recorder itself left some out.
            followed.dropped = cells[Cell.DROPPED]
            loop.lose()
        missed = reader.missed
        more = True
        while self._now_ns() - now_ns < ROUND_NS:
            data = reader.read(now_ns)
            followed.vigil.look_at_waits(self._now_ns(), cells[Cell.LOOP_THREAD])
            if reader.missed != missed:
                missed = reader.missed
                loop.lose()
                continue
            if not data:
                more = False
                break
            # Strings after records: a record's strings were there before it.
            reader.read_strings(reader.read_cells()[Cell.STRINGS])
            self._before_feed()
            loop.feed(data)
        loop.missed = reader.missed + cells[Cell.DROPPED]
        reader.read_strings(cells[Cell.STRINGS])
        if not more:
            self._session.tick(loop, now_ns, cells, alive=followed.alive)
            followed.vigil.look(now_ns, cells)
        return more


def _check(cells: dict[Cell, int], path: Path) -> None:
    """Raise `RingDamaged` where a ring that is followed says what cannot be.

    Its state would end it in silence, and numbers without end be shown.
    """
    state, dropped = cells[Cell.STATE], cells[Cell.DROPPED]
    if (
        state not in STATES
        or not 0 <= dropped <= MAX_DROPPED
        or cells[Cell.DUMP_SIGNAL] > MAX_SIGNAL
    ):
        raise RingDamaged(
            f"{path.name} was damaged while it was read (its state is {state}, "
            f"{dropped} records dropped); what it told until then is shown"
        )


def _began(path: Path) -> int:
    """Return when a ring was made, as its name says; 0 for a name of another kind."""
    moment = path.stem.rpartition("-")[2]
    return int(moment) if moment.isascii() and moment.isdigit() else 0
