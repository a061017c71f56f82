"""The flight recorder: keep the seconds around what went wrong, as files, by itself.

Looks for stalls and requests that were too long, and for marks; what it keeps is cut
out of the keeper's memory. Bounded in files and bytes: the oldest go first. Nothing is
kept twice, and no more than one file is being written.
"""

from __future__ import annotations

import logging
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.errors import RecordingError
from dashboard.server.model.incidents import IncidentKind
from dashboard.server.model.request import RequestKind
from dashboard.server.recordings.keeper import head_of, write_whole
from dashboard.server.recordings.recording import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from dashboard.server.model.tape import Entry
    from dashboard.server.recordings.keeper import Keeper
    from dashboard.server.recordings.recording import Head
    from dashboard.server.session import Session

logger = logging.getLogger("loopscope")

#: Kept before and after.
AROUND_NS = 5_000_000_000
KEEP_FILES = 20
KEEP_BYTES = 64 << 20
#: What we wrote ourselves: nothing else in the folder is ours to delete.
OURS = re.compile(rf"\d{{8}}-\d{{6}}-\d+-(stall|request|mark){re.escape(SUFFIX)}")
#: What goes wrong all the time is kept in pieces of at most this length.
LONGEST_NS = 30_000_000_000


@dataclass(slots=True)
class Moment:
    """A stretch to be kept, once it is over."""

    begin_ns: int
    end_ns: int
    why: str


class FlightRecorder:
    """Keep what went wrong in a folder. Not thread-safe."""

    def __init__(
        self,
        session: Session,
        keeper: Keeper,
        folder: Path,
        *,
        stall_ns: int,
        request_ns: int,
    ) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise RecordingError(
                f"{str(folder)!r} cannot be used to keep recordings in "
                f"({error.strerror}); name another folder with --keep"
            ) from None
        self._session = session
        self._keeper = keeper
        self._folder = folder
        self._stall_ns = stall_ns
        self._request_ns = request_ns
        self._open: Moment | None = None
        self._cut_ns = 0
        """Where the last piece ends."""
        self._stalls: dict[int, int] = {}
        """Which were met, and until when they were known to last."""
        self._finished = 0
        self._marks = 0
        self._thread = ThreadPoolExecutor(1, "loopscope-flight")
        self._writing: Future[None] | None = None

    def __repr__(self) -> str:
        return f"<FlightRecorder into {self._folder}>"

    @property
    def is_writing(self) -> bool:
        """Whether the last piece is not on the disk yet."""
        return self._writing is not None and not self._writing.done()

    def look(self, now_ns: int) -> None:
        """See what went wrong since the last time; write what is over long enough."""
        moment = self._open
        if moment is not None and now_ns >= moment.end_ns:
            if self.is_writing:
                # On a slow disk what comes meanwhile is news when it is done, as far
                # as one piece goes.
                return
            self._write(moment)
        for begin_ns, end_ns, why in self._news():
            self._extend(begin_ns - AROUND_NS, end_ns + AROUND_NS, why)

    def close(self) -> None:
        """Write what is not over yet, as far as it is known."""
        if self._open is not None:
            self._write(self._open)
        self._thread.shutdown(wait=True)

    def _news(self) -> Iterable[tuple[int, int, str]]:
        session = self._session
        for stall in session.stalls.kept:
            if stall.duration_ns < self._stall_ns:
                continue
            known_ns = self._stalls.get(stall.id, 0)
            is_begun = known_ns and stall.start_ns + AROUND_NS <= self._cut_ns
            if is_begun and stall.is_on:
                # How it began is kept, how it ends will be: between, it stands still.
                continue
            if stall.end_ns != known_ns:
                self._stalls[stall.id] = stall.end_ns
                yield stall.start_ns, stall.end_ns, "stall"
        for number in list(self._stalls)[:-1000]:
            del self._stalls[number]
        new = session.requests.finished_count - self._finished
        self._finished += new
        for request in list(session.requests.finished)[-new:] if new else ():
            # The others are long by nature.
            is_slow = request.answered_ns - request.begun_ns >= self._request_ns
            if is_slow and request.kind == RequestKind.HTTP:
                yield request.begun_ns, request.answered_ns, "request"
        marks = [
            each for each in session.incidents.kept if each.kind == IncidentKind.MARK
        ]
        new = session.incidents.counts[IncidentKind.MARK] - self._marks
        self._marks += new
        for mark in marks[-new:] if new else ():
            yield mark.start_ns, mark.start_ns, "mark"

    def _extend(self, begin_ns: int, end_ns: int, why: str) -> None:
        if end_ns <= self._cut_ns:
            return
        begin_ns = max(begin_ns, end_ns - LONGEST_NS, self._cut_ns)
        moment = self._open
        if moment is None:
            moment = self._open = Moment(begin_ns, end_ns, why)
        moment.begin_ns = min(moment.begin_ns, begin_ns)
        moment.end_ns = min(max(moment.end_ns, end_ns), moment.begin_ns + LONGEST_NS)

    def _write(self, moment: Moment) -> None:
        self._open = None
        self._cut_ns = moment.end_ns
        chunks = self._keeper.cut(moment.begin_ns, moment.end_ns)
        if chunks:
            self._writing = self._thread.submit(
                self._save, head_of(self._session), chunks, moment.why
            )

    def _save(self, head: Head, chunks: list[list[Entry]], why: str) -> None:
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{time.monotonic_ns()}-{why}{SUFFIX}"
        path = self._folder / name
        try:
            descriptor = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(write_whole(head, chunks))
            self._make_room()
        except OSError as error:
            logger.warning("%s was not kept: %s", name, error.strerror)
        except Exception:
            logger.exception("%s was not kept", name)
        else:
            logger.info("kept %s", path)

    def _make_room(self) -> None:
        # By name: it begins with when it was written.
        ours = (each for each in self._folder.iterdir() if OURS.fullmatch(each.name))
        files = sorted(ours, reverse=True)
        kept = 0
        for index, path in enumerate(files):
            with suppress(OSError):
                kept += path.stat().st_size
                if index and (index >= KEEP_FILES or kept > KEEP_BYTES):
                    path.unlink()
