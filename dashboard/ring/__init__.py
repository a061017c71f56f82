"""One ring file per observed loop: a writer in the app, a reader in the dashboard.

The writer maps the file and never waits, never looks back and never learns who
reads. The reader only ever uses `pread`: a file that shrinks under a mapping
kills the process that touches it, a short read does not.
"""

from __future__ import annotations

from dashboard.ring.folder import (
    DUMP_SUFFIX,
    SUFFIX,
    default_directory,
    private_directory,
    remove_stale,
)
from dashboard.ring.layout import Identity
from dashboard.ring.process import is_alive, parent_of, process_began
from dashboard.ring.reader import RingReader
from dashboard.ring.writer import RingWriter, create_ring

__all__ = [
    "DUMP_SUFFIX",
    "SUFFIX",
    "Identity",
    "RingReader",
    "RingWriter",
    "create_ring",
    "default_directory",
    "is_alive",
    "parent_of",
    "private_directory",
    "process_began",
    "remove_stale",
]
