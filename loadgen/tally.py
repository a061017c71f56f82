"""Add up what generator processes tell, into points by users. Pure: no clock, no I/O.

Latencies go into HdrHistograms, never into means alone; failures are counted by kind
and stay out of the percentiles; what was the generator's limit is marked as such.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hdrh.histogram import HdrHistogram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadgen.plan import Shape, Variant

#: 1 µs to 20 min with three digits: the time-out's ceiling is half of that.
HIGHEST_US = 1_200_000_000
DIGITS = 3
#: Above this share of a core, what one sees is the generator.
BUSY_LIMIT = 0.8
#: Its own timers later than this, and than a tenth of what it measures: the same.
LAG_LIMIT_MS = 2.0
LAG_SHARE = 0.1
#: Little's law is about averages: over so many answers per user at least.
LITTLE_NEEDS = 4
SHORTEST_S = 0.5
PERCENTILES = (50, 90, 95, 99)
#: Of a height that lasts longer each second, fourth, … of them stands for its neighbours.
MAX_SECONDS = 600


@dataclass(slots=True)
class Sample:
    """Everything measured at one height of load: raw material of a point."""

    histogram: HdrHistogram = field(
        default_factory=lambda: HdrHistogram(1, HIGHEST_US, DIGITS)
    )
    sum_us: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    late: int = 0
    process_s: float = 0.0
    """Length, summed over the processes."""
    active_s: float = 0.0
    busy: float = 0.0
    lag_ms_s: float = 0.0
    seconds: dict[tuple[int, int], list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0.0, 0.0])
    )
    """Per turn and second: answers, and length summed over the processes."""
    stride: int = 1
    """Every how many seconds one is kept."""

    @property
    def answers(self) -> int:
        """How many requests were answered well."""
        count: int = self.histogram.get_total_count()
        return count

    def add_latencies(self, latencies_us: Sequence[int]) -> None:
        """Count answers."""
        record = self.histogram.record_value
        for latency_us in latencies_us:
            record(max(1, min(latency_us, HIGHEST_US)))
        self.sum_us += sum(latencies_us)

    def add_second(self, turn: int, second: int, answers: int, length_s: float) -> None:
        """Count answers of a second, if that one is kept."""
        if second % self.stride:
            return
        kept = self.seconds[turn, second]
        kept[0] += answers
        kept[1] += length_s
        if len(self.seconds) > MAX_SECONDS:
            self.stride *= 2
            for key in [each for each in self.seconds if each[1] % self.stride]:
                del self.seconds[key]

    def percentiles_ms(self) -> dict[str, float | None]:
        """Return the latencies of what was answered; None when nothing was."""
        if not self.answers:
            return dict.fromkeys(
                (*(f"p{each}_ms" for each in PERCENTILES), "max_ms", "mean_ms")
            )
        found = self.histogram.get_percentile_to_value_dict(list(PERCENTILES))
        return {f"p{each}_ms": round(found[each] / 1e3, 3) for each in PERCENTILES} | {
            "max_ms": round(self.histogram.get_max_value() / 1e3, 3),
            "mean_ms": round(self.sum_us / self.answers / 1e3, 3),
        }


class Tally:
    """One variant's samples, of all its turns and processes."""

    def __init__(self, variant: Variant, shape: Shape, processes: int) -> None:
        self.variant = variant
        self._shape = shape
        self._processes = processes
        self._points: dict[int, Sample] = {}
        self._targets = [Sample() for _ in variant.targets]
        self._described: dict[int, tuple[float, dict[str, Any]]] = {}
        self._turn = 0
        self._alone_us: list[list[int]] = [[] for _ in variant.targets]
        self._unfinished = 0
        self.cpu_s = 0.0

    def __repr__(self) -> str:
        return f"<Tally {self.variant.name}, {len(self._points)} points>"

    def begin_turn(self) -> None:
        """Begin the next repetition; its points fall on those of the others."""
        self._turn += 1

    def add_alone(self, latencies_us: Sequence[Sequence[int]]) -> None:
        """Take what single requests took, by target: the ideal lines' service time."""
        for known, new in zip(self._alone_us, latencies_us, strict=True):
            known += new

    def add_end(self, *, unfinished: int, cpu_s: float) -> None:
        """Take what a process says when its time is over."""
        self._unfinished += unfinished
        self.cpu_s += cpu_s

    def add(self, told: Mapping[str, Any]) -> None:
        """Take a tenth of a second of one process."""
        from_s, to_s = told["from_s"], told["to_s"]
        middle_s, length_s = (from_s + to_s) / 2, to_s - from_s
        index = self._shape.point_at(middle_s)
        sample = self._points.get(index)
        if sample is None:
            sample = self._points[index] = Sample()
        answers = 0
        for target, latencies_us in zip(
            self._targets, told["latencies_us"], strict=True
        ):
            sample.add_latencies(latencies_us)
            if len(self._targets) > 1:  # else it would be the same, counted twice
                target.add_latencies(latencies_us)
            answers += len(latencies_us)
        sample.failures.update(told["failures"])
        sample.late += told["late"]
        sample.process_s += length_s
        sample.active_s += told["active"] * length_s
        sample.busy += told["busy"] * length_s
        sample.lag_ms_s += told["lag_ms"] * length_s
        sample.add_second(self._turn, int(middle_s), answers, length_s)

    @property
    def service_ms(self) -> float | None:
        """What one request takes when it is alone: the median, by weight of targets."""
        if not all(self._alone_us):
            return None
        medians = [statistics.median(each) for each in self._alone_us]
        weights = [target.weight for target in self.variant.targets]
        return statistics.fmean(medians, weights) / 1e3

    def points(self) -> list[dict[str, Any]]:
        """Return the chart's points, by rising load."""
        for index, sample in self._points.items():
            # Percentiles take milliseconds, and most points are as they were.
            known = self._described.get(index)
            if known is None or known[0] != sample.process_s:
                self._described[index] = sample.process_s, self._describe(sample)
        points = [self._described[index][1] for index in sorted(self._described)]
        # What has only begun says nothing yet, unless it is all there is.
        return [each for each in points if each["seconds"] >= SHORTEST_S] or points

    def totals(self) -> dict[str, Any]:
        """Return what all of it comes to, the height of the load above all."""
        whole = self._whole()
        answers, failures = whole.answers, sum(whole.failures.values())
        targets = self._targets if len(self._targets) > 1 else [whole]
        seconds = whole.process_s / self._processes
        return {
            "requests": answers + failures,
            "answers": answers,
            "failures": failures,
            "failure_share": failures / (answers + failures)
            if answers + failures
            else None,
            "failures_by_kind": dict(whole.failures.most_common()),
            "unfinished_at_the_end": self._unfinished,
            "late_starts": whole.late,
            "seconds": round(seconds, 3),
            "rps": round(answers / seconds, 2) if seconds else None,
            **whole.percentiles_ms(),
            "service_ms": None
            if self.service_ms is None
            else round(self.service_ms, 3),
            "generator_cpu_us_per_request": round(self.cpu_s * 1e6 / answers, 1)
            if answers
            else None,
            "targets": [
                {"url": target.url, "weight": target.weight, "answers": sample.answers}
                | sample.percentiles_ms()
                for target, sample in zip(self.variant.targets, targets, strict=True)
            ],
            "little": self.little(),
        }

    def little(self) -> dict[str, float] | None:
        """Compare the height of the load with Little's law, L = λ · W.

        `deviation` is what λ was off from L ÷ W. Below zero means that users were
        neither asking nor waiting for an answer: the generator's own time.
        """
        if not self._points:
            return None
        sample = self._points[max(self._points)]
        if not sample.answers or not sample.process_s or sample.failures:
            return None
        users = sample.active_s / sample.process_s * self._processes
        mean_s = sample.sum_us / sample.answers / 1e6
        rps = sample.answers * self._processes / sample.process_s
        # Before everybody was answered a few times, the law says nothing yet.
        if not users or sample.answers < LITTLE_NEEDS * users:
            return None
        return {
            "users": round(users, 2),
            "mean_ms": round(mean_s * 1e3, 3),
            "rps": round(rps, 2),
            "expected_rps": round(users / mean_s, 2),
            "deviation": round(rps * mean_s / users - 1, 4),
        }

    def _describe(self, sample: Sample) -> dict[str, Any]:
        latencies = sample.percentiles_ms()
        busy = sample.busy / sample.process_s
        lag_ms = sample.lag_ms_s / sample.process_s
        low, high = self._spread(sample)
        return {
            "variant": self.variant.name,
            "users": round(sample.active_s / sample.process_s * self._processes, 2),
            "rps": round(sample.answers * self._processes / sample.process_s, 2),
            "rps_low": low,
            "rps_high": high,
            **latencies,
            "failures": sum(sample.failures.values()),
            "answers": sample.answers,
            "seconds": round(sample.process_s / self._processes, 3),
            "generator_busy": round(busy, 3),
            "generator_lag_ms": round(lag_ms, 3),
            "generator_limited": is_limited(busy, lag_ms, latencies["p50_ms"]),
        }

    def _spread(self, sample: Sample) -> tuple[float, float]:
        """Return the 10th and 90th percentile of its single seconds."""
        rates = sorted(
            answers * self._processes / length_s
            for answers, length_s in sample.seconds.values()
            # The end of a window cuts seconds short; a tenth of one says nothing.
            if length_s > 0.5 * self._processes
        )
        if not rates:
            rates = [sample.answers * self._processes / sample.process_s]
        low = rates[round(0.1 * (len(rates) - 1))]
        high = rates[round(0.9 * (len(rates) - 1))]
        return round(low, 2), round(high, 2)

    def _whole(self) -> Sample:
        whole = Sample()
        for sample in self._points.values():
            whole.histogram.add(sample.histogram)
            whole.sum_us += sample.sum_us
            whole.failures.update(sample.failures)
            whole.late += sample.late
            whole.process_s += sample.process_s
        return whole


def is_limited(busy: float, lag_ms: float, p50_ms: float | None) -> bool:
    """Say whether a point shows the generator rather than the server."""
    if busy > BUSY_LIMIT:
        return True
    return lag_ms > max(LAG_LIMIT_MS, LAG_SHARE * (p50_ms or 0.0))
