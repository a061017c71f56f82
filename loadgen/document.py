"""Write the report as one HTML file that needs nothing else: no network, no script.

Everything in it is escaped; what a target calls itself is other people's text.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from loadgen.chart import draw_chart
from loadgen.report import MODELS, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STYLE = """
:root { color-scheme: light dark; --bg: #fff; --ink: #14181e; --dim: #4e5967; --grid: #e3e7ec;
  --s0: #a3578a; --s1: #c8430f; --s2: #00855f; --s3: #2475ab; --s4: #b87400; --failed: #c8430f; }
@media (prefers-color-scheme: dark) { :root { --bg: #0f1216; --ink: #eef1f5; --dim: #a3adba;
  --grid: #262d36; --s0: #cb8ab4; --s1: #ff8457; --s2: #22b98d; --s3: #5aa9de; --s4: #f0a92c;
  --failed: #ff8457; } }
body { margin: 32px auto; max-width: 1000px; padding: 0 20px; background: var(--bg); color: var(--ink);
  font: 15px/1.5 Inter, system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } p { margin: 0 0 12px; color: var(--dim); }
pre { overflow-x: auto; padding: 16px; border: 1px solid var(--grid); border-radius: 10px;
  font: 13px/1.5 "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
svg { width: 100%; height: auto; } svg text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: var(--dim); }
svg text.name { font-weight: 600; fill: var(--c); } svg text.ideal { fill: var(--dim); font-style: italic; }
svg text.failed { fill: var(--failed); font-weight: 700; }
.grid { stroke: var(--grid); } .line { fill: none; stroke: var(--c); stroke-width: 2.5; stroke-linejoin: round; }
.high { stroke-width: 1.5; stroke-dasharray: 5 4; } .mark { fill: var(--c); stroke: var(--bg); }
.band { fill: var(--c); opacity: .14; } .limited { stroke: #8b95a3; } .mark.limited { fill: var(--bg); stroke-width: 2; }
line.ideal { stroke: var(--c, var(--dim)); stroke-dasharray: 3 5; stroke-width: 1.5; }
"""
#: What there is to choose from, in the order in which lines take them.
COLOURS = 5


def to_html(
    report: Mapping[str, Any], title: str, colours: Sequence[int] = range(COLOURS)
) -> str:
    """Return the file's text; `colours` has the number of each line's, from 0."""
    lines = "".join(
        f".series-{line} {{ --c: var(--s{colour}); }}\n"
        for line, colour in enumerate(colours)
    )
    environment = report["environment"]
    facts = (
        f"{environment['started']} · {environment['platform']} · {environment['cpu']}"
        f" · loopscope {environment['loopscope']}"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{_STYLE}{lines}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>{escape(MODELS[report["model"]].capitalize())}. Bands: the 10th to the 90th percentile of
single seconds. Grey and hollow: the generator, not the server, was the limit there.</p>
{draw_chart(report)}
<pre>{escape(to_text(report))}</pre>
<p>{escape(facts)}</p>
</body>
</html>
"""
