"""Print Lighthouse's scores of the running page: accessibility and performance.

    LOOPSCOPE_BROWSER=/usr/bin/chromium python tests/benchmarks/lighthouse.py

Lighthouse comes from npm, into npx's own cache. It measures as for a desktop: nobody
watches a loop on a telephone's network. The page's stream stays open, so that the
network is never quiet: it waits for that no longer than the ten seconds given here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from conftest import Product
from ending import carry_out

RUNS = 3
WANTED = {"accessibility": 1.0, "performance": 0.95}
METRICS = (
    "first-contentful-paint",
    "largest-contentful-paint",
    "total-blocking-time",
    "cumulative-layout-shift",
    "speed-index",
)


def run(url: str, folder: str) -> dict:
    """Return one report."""
    target = Path(folder) / "report.json"
    command = [
        *("npx", "--yes", "lighthouse@12", url, "--preset=desktop", "--quiet"),
        "--chrome-flags=--headless=new --no-sandbox",
        f"--only-categories={','.join(WANTED)}",
        "--max-wait-for-load=10000",
        *("--output=json", f"--output-path={target}"),
    ]
    chrome = os.environ.get("LOOPSCOPE_BROWSER")
    environment = os.environ | ({"CHROME_PATH": chrome} if chrome else {})
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    return json.loads(target.read_text())


def complaints(report: dict) -> list[str]:
    """Return what an audit that counts objects to."""
    found = []
    for category in report["categories"].values():
        for reference in category["auditRefs"]:
            audit = report["audits"][reference["id"]]
            is_metric = audit["id"] in METRICS
            score = audit["score"]
            if (
                reference["weight"]
                and not is_metric
                and score is not None
                and score < 1
            ):
                found.append(f"{audit['id']}: {audit['title']}")
    return found


def main() -> None:
    """Print a line for each run."""
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder) / "rings")
        try:
            product.ready()
            for _ in range(RUNS):
                report = run(product.url, folder)
                scores = " ".join(
                    f"{name} {round(report['categories'][name]['score'] * 100)}"
                    f" (wanted {round(least * 100)})"
                    for name, least in WANTED.items()
                )
                metrics = ", ".join(
                    f"{name} {report['audits'][name]['displayValue']}"
                    for name in METRICS
                )
                print(scores, metrics, *complaints(report), sep="\n  ", flush=True)
        finally:
            product.stop()


if __name__ == "__main__":
    carry_out(main)
