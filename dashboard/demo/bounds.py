"""Let FastAPI enforce the bounds of `stories`; say each refusal as a plain sentence.

Only the translation is here; which bounds there are is decided in `stories`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Query
from fastapi.responses import JSONResponse

from dashboard.demo import stories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request
    from fastapi.exceptions import RequestValidationError


# FastAPI types what Query() returns as Any, so that it can stand for a default.
def bounded(scenario_id: str, name: str) -> Any:
    """Return the marker that holds a query parameter within its story's bounds."""
    parameter = stories.find(scenario_id).parameter(name)
    return Query(
        ge=parameter.minimum,
        le=parameter.maximum,
        description=f"{parameter.rule}.",
    )


@contextmanager
def reaching(service: str) -> Iterator[None]:
    """Answer 503 with one sentence when a service cannot be reached, or refuses."""
    try:
        yield
    except HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 - each driver has errors of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise HTTPException(503, f"{service} refused: {reason[:300]}") from None


async def explain_refusal(request: Request, error: Exception) -> JSONResponse:
    """Answer 422 with one sentence that names the allowed range.

    Typed for any exception because Starlette registers handlers so; it is only
    ever called with a `RequestValidationError`.
    """
    if TYPE_CHECKING:
        assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    name, found = str(problem["loc"][-1]), problem["input"]
    parameter = stories.OURS.find_parameter(request.url.path, name)
    if parameter is None:
        sentence = f"{name}: {problem['msg']}, got {stories.shortened(found)}"
    else:
        sentence = str(parameter.refusal(found))
    return JSONResponse({"detail": sentence}, status_code=422)
