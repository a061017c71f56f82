"""Let FastAPI enforce the bounds of `stories`, and say them as a plain sentence.

Only the translation is here; which bounds there are is decided in `stories`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Query
from fastapi.responses import JSONResponse

from dashboard.demo import stories

if TYPE_CHECKING:
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


async def explain_refusal(request: Request, error: Exception) -> JSONResponse:
    """Answer 422 with one sentence that names the allowed range.

    Typed for any exception because Starlette registers handlers so; it is only
    ever called with a `RequestValidationError`.
    """
    if TYPE_CHECKING:
        assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    name, found = str(problem["loc"][-1]), problem["input"]
    scenario = stories.find_by_path(request.url.path)
    if scenario is None:
        sentence = f"{name}: {problem['msg']}, got {stories.shortened(found)}"
    else:
        sentence = str(scenario.parameter(name).refusal(found))
    return JSONResponse({"detail": sentence}, status_code=422)
