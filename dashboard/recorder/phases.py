"""Record the phases of a request that FastAPI tells: dependencies, endpoint, and so on.

FastAPI tells them to an OpenTelemetry tracer, if it is given one. `phases()` gives it
one that writes a record when a phase ends, and lets the app's own tracer make the spans
that it makes anyway. Nothing is patched. OpenTelemetry, on which FastAPI depends, is
imported by the door and not before; without the door nothing is added to any request.
"""

from __future__ import annotations

import logging
import weakref
from contextlib import nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dashboard.errors import RecorderError
from dashboard.recorder.attach import current_recorder
from dashboard.recorder.names import MAX_NAMES
from dashboard.recorder.recorder import Recorder, current_request
from dashboard.records import Kind

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span, Tracer, TracerProvider

logger = logging.getLogger("loopscope")

PHASE = int(Kind.PHASE)
#: What FastAPI calls itself when it asks for a tracer, and its spans within requests.
LIBRARY, PREFIX = "fastapi", "fastapi."
#: Of each request the first; its context then knows which loop serves it, also in the
#: worker thread in which FastAPI runs (and tells) a `def` endpoint.
FIRST = "fastapi.dependencies"
_home: ContextVar[weakref.ref[Recorder] | None] = ContextVar(
    "loopscope_home", default=None
)


def phases(provider: TracerProvider | None = None) -> Any:
    """Return what FastAPI's option `telemetry` needs to tell the phases of requests.

        app = FastAPI(telemetry=phases())
        observe(app)

    An app that traces already goes on as before: spans are made by `provider`, else by
    the global one that is there when the first request comes. Other settings go beside
    it: `telemetry={**phases(), "metrics": False}`.

    Raises:
        RecorderError: there is no FastAPI that tells its phases.
    """
    # Any: the type of that option is FastAPI's, and not in every release that we allow.
    try:
        import fastapi
    except ImportError:
        raise RecorderError(
            "phases() found no FastAPI, which is what tells the phases of a request; "
            "leave it out, observe(app) does without"
        ) from None
    try:
        import fastapi.telemetry
    except ImportError:
        raise RecorderError(
            f"phases() found FastAPI {fastapi.__version__}, which does not tell the "
            "phases of a request; install fastapi >= 0.142, or leave phases() out"
        ) from None
    return {"tracer_provider": PhaseProvider(provider)}


class PhaseProvider:
    """A provider of tracers; all but FastAPI's tracer is the app's own affair."""

    def __init__(self, provider: TracerProvider | None) -> None:
        self._given = provider

    def __repr__(self) -> str:
        return f"<PhaseProvider around {self._given!r}>"

    # Any: as of `_find`.
    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._find(), name)

    def get_tracer(self, name: str, *args: Any, **options: Any) -> Any:
        """Return the tracer for a library; FastAPI's records phases, too."""
        from opentelemetry import trace

        stock = self._find()
        if name != LIBRARY:
            return stock.get_tracer(name, *args, **options)
        # To make no spans takes longer than to leave that out.
        idle = (trace.ProxyTracerProvider, trace.NoOpTracerProvider)
        if isinstance(stock, idle):
            return PhaseTracer(trace.NoOpTracer(), trace.INVALID_SPAN)
        return PhaseTracer(stock.get_tracer(name, *args, **options), None)

    def add_span_processor(self, processor: Any) -> None:
        """Take part in FastAPI's own set-up, which makes a provider where none is."""
        from opentelemetry import trace

        stock = self._find()
        if isinstance(stock, trace.ProxyTracerProvider):
            from opentelemetry.sdk.trace import TracerProvider

            stock = TracerProvider(shutdown_on_exit=False)
            trace.set_tracer_provider(stock)
        stock.add_span_processor(processor)

    # Any: what a provider can do beyond OpenTelemetry's interface is its own affair.
    def _find(self) -> Any:
        from opentelemetry import trace

        return trace.get_tracer_provider() if self._given is None else self._given


class PhaseTracer:
    """FastAPI's tracer: spans by `stock`, phases by the loop's recorder."""

    def __init__(self, stock: Tracer, span: Span | None) -> None:
        self._stock = stock
        self._aside = None if span is None else nullcontext(span)
        """Stands for every span within a request, where `stock` makes none."""
        self.start_span = stock.start_span
        """Of the whole request, which is recorded anyway."""
        self.is_broken = False

    def __repr__(self) -> str:
        return f"<PhaseTracer around {self._stock!r}>"

    def start_as_current_span(
        self, name: str, *args: Any, **options: Any
    ) -> AbstractContextManager[Any]:
        """Begin a span, and a phase if the loop is recorded."""
        span: AbstractContextManager[Any] | None = self._aside
        if span is None:
            span = self._stock.start_as_current_span(name, *args, **options)
        rec = None
        try:
            if not name.startswith(PREFIX) or self.is_broken:
                return span
            rec = _find_recorder(name)
            request = current_request.get()
            if rec is None or not rec.enabled or not request:
                return span
            attributes = options.get("attributes") or {}
            return Phase(span, rec, request, _name_of(rec, name, attributes))
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            self._give_up(rec, error)
            return span

    def _give_up(self, rec: Recorder | None, error: Exception) -> None:
        self.is_broken = True
        if rec is None:
            logger.error("phases are not recorded any more", exc_info=error)
        else:
            rec.fail(error)


class Phase:
    """A phase that is under way: a span around which its record is made."""

    __slots__ = ("_began_ns", "_name", "_rec", "_request", "_span")

    def __init__(
        self, span: AbstractContextManager[Any], rec: Recorder, request: int, name: int
    ) -> None:
        self._span = span
        self._rec = rec
        self._request = request
        self._name = name
        self._began_ns = rec.now_ns()

    def __enter__(self) -> Any:
        return self._span.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        rec = self._rec
        try:
            if rec.enabled:
                # In any thread, as a worker thread's own records are written.
                rec.ring.write(
                    PHASE, rec.now_ns(), self._began_ns, self._request, self._name
                )
        except Exception as failure:  # noqa: BLE001 - nothing may reach the app
            rec.fail(failure)
        return self._span.__exit__(*error)


def _find_recorder(name: str) -> Recorder | None:
    """Return the recorder of the loop that serves the current request."""
    rec = current_recorder()
    if rec is None:
        # A worker thread, or nobody records.
        home = _home.get()
        return None if home is None else home()
    if name == FIRST:
        _home.set(weakref.ref(rec))
    return rec


def _name_of(rec: Recorder, name: str, attributes: Any) -> int:
    """Return the string index of a phase and its function: `module.qualname`."""
    key = name, attributes.get("code.function.name", "")
    index = rec.names.get(key)
    if index is None:
        index = rec.intern(name.removeprefix(PREFIX), key[1])
        if index and len(rec.names) < MAX_NAMES:
            rec.names[key] = index
    return index
