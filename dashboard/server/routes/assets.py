"""The page's files, read by the loop that is asked for them.

The page is a hundred files of some kilobytes. To hand each to threads and back, five
times as Starlette does, takes longer than to read it: while a recording's picture is
encoded beside, a page took a second more to be there.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.types import Scope


class Assets(StaticFiles):
    """A folder of small files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file; whatever else was asked for, Starlette answers."""
        is_part = any(name == b"range" for name, _ in scope["headers"])
        answer = None
        if scope["method"] == "GET" and not is_part:
            answer = self._find(path, scope)
        return answer or await super().get_response(path, scope)

    def _find(self, path: str, scope: Scope) -> Response | None:
        with suppress(OSError, ValueError):
            name, found = self.lookup_path(path)
            if found is None or not stat.S_ISREG(found.st_mode):
                return None
            answer = self.file_response(name, found, scope)
            if not isinstance(answer, FileResponse):
                # The browser has it.
                return answer
            content = Path(name).read_bytes()
            # It may have been written just now.
            length = {"content-length": str(len(content))}
            return Response(content, headers={**answer.headers, **length})
        return None
