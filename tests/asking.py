"""Ask both servers for whatever their OpenAPI documents allow, and for what they do not.

schemathesis invents the cases, of both kinds; the bodies of orders are invented here,
as the documents do not describe them. What would take seconds is made small.
"""

from __future__ import annotations

import itertools
import json
import urllib.parse
from collections import Counter
from contextlib import suppress

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

#: Streams do not end, and one handler takes its five seconds whatever it is asked.
ENDLESS = ("/events", "/api/experiment/events", "/slow_task/{item_id}")
#: What makes an endpoint of the demo app slow, and how little of it is enough here.
SMALL = {"seconds": 0.002, "num_chars": 100, "millions": 1, "length": 3}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([1, 5, 10**30, 1e308, "fast", "waits", 0.5]),
)
NAMES = st.one_of(
    st.text(max_size=10),
    st.sampled_from(["count", "params", "stall_ms", "preset", "users", "seconds"]),
)
ORDERS = st.one_of(
    st.binary(max_size=50),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
        ),
        max_leaves=10,
    ),
)


def ask_everything(base: str, *, cases: int, number: int = 1) -> Counter[int]:
    """Send `cases` requests to each operation; count the answers by status.

    Raises `AssertionError` with the smallest case that was found for a 500.
    """
    schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
    operations = [
        found.ok() for found in schema.get_all_operations() if found.ok() is not None
    ]
    statuses: Counter[int] = Counter()
    with httpx.Client(base_url=base, timeout=60) as client:
        for operation in operations:
            if operation.path in ENDLESS:
                continue
            positive, negative = (
                operation.as_strategy(generation_mode=mode)
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            )
            _ask(client, positive, cases // 2, number, statuses)
            if operation.query or operation.path_parameters:
                _ask(client, negative, cases - cases // 2, number, statuses)
    return statuses


def _ask(client, strategy, cases, number, statuses) -> None:
    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, order=ORDERS)
    def ask(case, order):
        url = _address(case)
        options = {}
        if case.method.upper() in ("POST", "PUT", "PATCH"):
            is_raw = isinstance(order, bytes)
            body = order if is_raw else _json(order)
            options = {"content": body}
        answer = client.request(case.method, url, **options)
        statuses[answer.status_code] += 1
        assert answer.status_code != 500, (case.method, url, options, answer.text[:500])

    # Where any text will do, there is nothing that will not.
    with suppress(Unsatisfiable):
        ask()


def _address(case) -> str:
    path = case.operation.path
    for name, value in (case.path_parameters or {}).items():
        quoted = urllib.parse.quote(str(value), safe="", errors="surrogatepass")
        path = path.replace(f"{{{name}}}", quoted)
    if path.startswith("/api/trigger/") and len(path) % 2:
        path = "/api/trigger/fast"
    query = dict(case.query or {})
    for parameter in case.operation.query:
        name = parameter.definition.get("name")
        if name in SMALL and _is_number(query.get(name, 1)):
            query[name] = SMALL[name]
    pairs = itertools.chain.from_iterable(
        ((name, each) for each in (value if isinstance(value, list) else [value]))
        for name, value in query.items()
    )
    text = urllib.parse.urlencode(
        [(str(name), str(value)) for name, value in pairs], errors="surrogatepass"
    )
    return f"{path}?{text}" if text else path


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _json(value: object) -> bytes:
    if isinstance(value, dict) and "preset" in value:
        value = value | {"users": 1, "seconds": 2}
    return json.dumps(value).encode(errors="surrogatepass")
