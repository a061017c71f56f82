"""Each story holds on the real product: relations between what was measured, no times.

One dashboard with its demo app for all; presses follow each other, as two at once
would disturb each other's lesson. What other programs do meanwhile can break a relation
of times, too; so a lesson that fails is measured anew, and has failed at the third time.
"""

from __future__ import annotations

import urllib.error

import pytest
from pressing import ask, wait_for

pytestmark = pytest.mark.flaky(reruns=2)


@pytest.fixture(autouse=True)
def measured_anew(request, product):
    """A lesson that is tried again presses its buttons again."""
    if request.node.execution_count > 1:
        product.forget()


def split_of(batch, others):
    """Return the splits of the requests to the handler, or of those beside them."""
    return [each["split"] for each in batch["requests"] if each["is_other"] is others]


def held_ms(split):
    """Return how long a request waited for the loop and nothing else."""
    return split["outside_ms"] + split["ready_ms"]


def assert_free(batch, blocked_ms, share=1 / 4):
    """Check that nobody beside it waited for this share of what the block would cost.

    Twenty at once take their turns; on a machine that is busy with other tests
    those alone are a tenth of a short block.
    """
    assert max(map(held_ms, split_of(batch, others=True))) < blocked_ms * share


def middle_of_others_ms(product, *scenarios, rounds=3):
    """Return, for each, what others beside it took: the least of some rounds in turns.

    What other programs do meanwhile only adds to it.
    """
    seen = {scenario: [] for scenario in scenarios}
    for _ in range(rounds):
        for scenario, values in seen.items():
            facts = product.outcome(scenario, seconds=0.5)["facts"]
            values.append(facts["others_middle_ms"])
    return [min(values) for values in seen.values()]


def test_overlap(product):
    """Story 1: the fast ones are done long before the slow one, which only waits."""
    facts = product.press("slow_and_fast")["facts"]

    assert facts["others_slowest_ms"] < facts["slowest_ms"] / 10
    assert facts["waiting_ms"] > 0.9 * facts["slowest_ms"]
    assert facts["stalls"] == 0


def test_one_block(product):
    """Story 2: every other waits at least for what remained of the block."""
    batch = product.press("block_and_others", seconds=1)
    [block] = [each for each in batch["requests"] if not each["is_other"]]
    others = [each for each in batch["requests"] if each["is_other"]]
    [stall] = [
        each
        for each in product.get("/api/state")["stalls"]
        if each["request"] == block["id"]
    ]
    free_ns = stall["start_ns"] + stall["duration_ms"] * 1e6

    assert len(others) == 20
    for other in others:
        remained_ms = (free_ns - other["start_ns"]) / 1e6
        # A stall's length is told to the microsecond.
        assert held_ms(other["split"]) >= remained_ms - 0.001
    assert batch["facts"]["culprit_function"] == "blocking"
    assert batch["words"]["blocked"] in batch["explanation"]

    assert_free(product.press("await_and_others", seconds=1), 1000)


def test_def_is_a_thread(product):
    """Story 3: the same block in `def` holds nobody up, and is all in a thread."""
    blocked = product.press("block_in_async_def", seconds=1)["facts"]
    batch = product.press("block_in_def", seconds=1)

    assert_free(batch, blocked["blocked_ms"], 1 / 10)
    assert batch["facts"]["in_thread_ms"] >= 950
    assert batch["facts"]["threads"] >= 1


@pytest.mark.parametrize(
    "scenario", ["by_anyio", "by_asyncio", "by_executor", "by_threadpool"]
)
def test_four_ways_to_a_thread(product, scenario):
    """Story 4: each way leads to one trip to a thread, and the loop stays free."""
    batch = product.press(scenario, seconds=1)

    assert batch["facts"]["threads"] == 1
    assert batch["facts"]["in_thread_ms"] >= 950
    assert_free(batch, 1000)


def test_forty_tokens(product):
    """Story 5: exactly 5 of 45 wait for a token; with 60 of their own, or none, nobody."""
    # Long enough for all 45 to be there before the first is done, on any machine.
    batch = product.press("tokens_40", seconds=3)
    waited = [
        split["thread_queue_ms"] >= 0.1 * 3000
        for split in split_of(batch, others=False)
    ]

    assert (len(waited), sum(waited)) == (45, 5)
    assert batch["facts"]["tokens"] == 5
    assert product.press("tokens_60", seconds=0.5)["facts"]["tokens"] == 0
    assert product.press("tokens_none", seconds=0.5)["facts"]["threads"] == 0


def test_cpu_on_the_loop(product):
    """Story 6: computing holds the loop like sleeping; another process does not."""
    blocked = product.press("blocking_cpu", seconds=0.5)["facts"]
    batch = product.press("cpu_in_process", seconds=0.5)

    assert blocked["blocked_ms"] >= 490
    assert blocked["held_ms"] > blocked["blocked_ms"] / 2
    assert_free(batch, blocked["blocked_ms"])
    assert batch["facts"]["in_process_ms"] >= 490


def test_gil(product):
    """Story 7: beside a thread that computes, the others take longer than beside one
    that sleeps."""
    computes = product.press("threaded_cpu", seconds=0.5)["facts"]
    beside = middle_of_others_ms(product, "threaded_cpu", "threaded_sleep")

    assert computes["in_thread_ms"] >= 490
    assert beside[0] > beside[1]


def test_process_pool(product):
    """Story 8: two threads add up to both computations; processes spare the others."""
    threads = product.press("two_in_threads", seconds=0.5)["facts"]
    processes = product.press("two_in_processes", seconds=0.5)["facts"]

    assert threads["wall_ms"] >= 1000
    assert processes["in_process_ms"] >= 500
    assert processes["threads"] == 0
    beside = middle_of_others_ms(product, "two_in_threads", "two_in_processes")
    assert beside[0] > beside[1]


def test_sync_called_from_async(product):
    """Story 9: the line that holds the loop is the sync function's, in no thread."""
    facts = product.press("sync_in_async", seconds=0.5)["facts"]
    cured = product.press("sync_in_threadpool", seconds=0.5)

    assert facts["culprit_function"] == "fetch_report"
    assert facts["threads"] == facts["in_thread_ms"] == 0
    assert facts["blocked_ms"] >= 500
    assert cured["facts"]["threads"] == 1
    assert_free(cured, 500)


def test_four_writes(product):
    """Story 10: only one of the four holds the loop while it writes; aiofiles uses
    threads as well."""
    bad = product.press("write_bad", num_chars=50_000_000)
    good = {
        name: product.press(name, num_chars=50_000_000)["facts"]
        for name in ("write", "write_with_thread", "write_async")
    }

    assert bad["facts"]["threads"] == 0
    for split in split_of(bad, others=False):
        assert split["running_ms"] > split["waiting_ms"] + split["thread_ms"]
    for name, facts in good.items():
        assert facts["threads"] >= 1, name
        assert facts["in_thread_ms"] > facts["running_ms"], name
    assert good["write_async"]["threads"] > 1


def test_http_client(product):
    """Story 11: with a sync client three waits add up, with an async one they overlap."""
    sync = product.press("http_sync", seconds=0.3)["facts"]
    batch = product.press("http_async", seconds=0.3)

    assert sync["wall_ms"] >= 3 * 300
    assert sync["stalls"] == 3
    assert batch["facts"]["waiting_ms"] >= 290
    assert batch["facts"]["wall_ms"] < sync["wall_ms"]
    assert batch["facts"]["held_ms"] < sync["held_ms"] / 2


def test_sqlite(product):
    """Story 12: sqlite3 holds the loop for its query, aiosqlite does not."""
    sync = product.press("sqlite_sync", millions=1)["facts"]
    free = product.press("sqlite_async", millions=1)["facts"]

    assert sync["culprit_function"] == "sqlite_sync"
    assert sync["held_ms"] > sync["blocked_ms"]
    assert free["held_ms"] < sync["held_ms"] / 5


def test_background_tasks(product):
    """Story 13: the answer is out before the work, which goes on in its own way."""
    for scenario in ("background_sync", "background_async", "background_blocking"):
        facts = product.press(scenario, seconds=0.5)["facts"]
        assert facts["after_ms"] >= 450, scenario
        assert facts["slowest_ms"] < facts["after_ms"], scenario
    blocking = product.press("background_blocking", seconds=0.5)["facts"]
    assert blocking["held_ms"] > 250
    assert blocking["culprit_function"] == "send_mail"
    assert_free(product.press("background_sync", seconds=0.5), 500)
    assert_free(product.press("background_async", seconds=0.5), 500)


def result_of_queued_work(product):
    """Put work into the queue by hand; return what became of it."""
    queued = ask(f"{product.demo_url}/queue_celery?seconds=0.1")["report"]

    def look():
        found = ask(f"{product.demo_url}/queue_result/{queued}")
        return found if found["result"] else None

    return wait_for(look, "the queue's worker")


def test_task_queue(product):
    """Story 14: queued work is done by another process, none of it after the answer."""
    pytest.importorskip("celery", reason="pip install 'loopscope[queue]'")
    batch = product.press("queue_celery", seconds=0.2)
    here = product.press("queue_background", seconds=0.2)

    assert here["facts"]["after_ms"] >= 200
    assert batch["facts"]["after_ms"] < 200
    pids = {loop["pid"] for loop in product.get("/api/state")["loops"]}
    result = result_of_queued_work(product)
    assert result["state"] == "SUCCESS"
    assert result["result"]["rounds"] > 0
    assert result["result"]["pid"] not in pids


def test_dependencies(product):
    """Story 15: a sync dependency and one with `yield` make three trips to a thread."""
    assert product.press("depends_sync")["facts"]["threads"] == 3
    assert product.press("depends_async")["facts"]["threads"] == 0


def test_await_together(product):
    """Story 16: awaits in a row take as long as their sum, gathered as the longest."""
    row = product.press("awaits_in_a_row", seconds=0.3)["facts"]

    assert row["slowest_ms"] >= 900
    for scenario in ("awaits_gathered", "awaits_grouped"):
        facts = product.press(scenario, seconds=0.3)["facts"]
        assert facts["tasks"] == 3
        assert 300 <= facts["slowest_ms"] < row["slowest_ms"] * 2 / 3


def test_giving_way(product):
    """Story 17: with `sleep(0)` the same work holds nobody up for long."""
    selfish = product.press("selfish_cpu", seconds=0.5)["facts"]
    polite = product.press("polite_cpu", seconds=0.5)["facts"]

    assert selfish["blocked_ms"] >= 490
    awaiting = product.press("awaiting_cpu", seconds=0.5)["facts"]
    assert awaiting["blocked_ms"] >= 450
    assert polite["running_ms"] >= 0.9 * 500
    assert polite["held_ms"] < selfish["held_ms"] / 2


def test_lock_across_io(product):
    """Story 18: with the lock held the fifth takes five times as long as the first."""
    held = product.press("lock_held", seconds=0.2)["facts"]
    short = product.press("lock_short", seconds=0.2)["facts"]

    assert held["wall_ms"] >= 5 * 200
    assert held["stalls"] == 0
    assert short["wall_ms"] < held["wall_ms"] / 2


def test_blocks_in_c(product):
    """Story 19: a call into C holds the loop, also from a thread, not from a process."""
    blocked = product.press("blocking_c", millions=25)["facts"]
    thread = product.press("threaded_c", millions=25)["facts"]
    process = product.press("process_c", millions=25)["facts"]

    assert blocked["culprit_function"] == "blocking_c"
    assert thread["threads"] >= 1
    assert thread["others_slowest_ms"] > thread["in_thread_ms"] / 3
    assert process["others_slowest_ms"] < thread["others_slowest_ms"] / 2


def test_regex(product):
    """Story 19: a nested repetition holds the loop, the plain one does not."""
    blocked = product.press("blocking_regex", length=23)["facts"]
    plain = product.press("linear_regex", length=23)["facts"]

    assert blocked["culprit_function"] == "blocking_regex"
    assert blocked["stalls"] >= 1
    assert plain["running_ms"] < blocked["blocked_ms"] / 10


def test_timeouts(product):
    """Story 20: a timeout cannot end what blocks; it ends what awaits, on time."""
    blocking = product.press("timeout_blocking", seconds=0.9)["facts"]

    assert blocking["slowest_ms"] >= 900
    assert blocking["culprit_function"] == "timeout_blocking"
    for scenario in ("timeout_await", "timeout_thread", "cancelled_task"):
        facts = product.press(scenario, seconds=0.9)["facts"]
        assert 300 <= facts["slowest_ms"] < blocking["slowest_ms"], scenario


def test_workers(product):
    """Story 21: on four workers the blocks lie side by side, and others are served."""
    one = product.press("one_worker", seconds=0.5)["facts"]
    four = product.press("four_workers", seconds=0.5)["facts"]

    assert one["loops"] == 1
    assert one["wall_ms"] >= 3 * 500
    assert four["loops"] > 1
    assert four["wall_ms"] < one["wall_ms"]
    assert four["held_ms"] < one["held_ms"]


def test_middleware_tax(product):
    """Story 22: five BaseHTTPMiddleware are five tasks a request, five plain ones none."""
    base = product.press("layers_base")["facts"]
    pure = product.press("layers_pure")["facts"]

    assert (base["tasks"], pure["tasks"]) == (5, 0)
    assert base["running_ms"] > pure["running_ms"]


def test_uvloop(product):
    """Story 23: another loop serves the same requests, and a block holds it, too."""
    pytest.importorskip("uvloop", reason="pip install 'loopscope[uvloop]'")
    kinds = {
        product.press(scenario)["facts"]["loop_kind"]
        for scenario in ("on_asyncio", "on_uvloop")
    }
    blocked = product.press("block_on_uvloop", seconds=0.5)["facts"]

    assert kinds == {"asyncio", "uvloop"}
    assert blocked["culprit_function"] == "blocking"
    assert blocked["held_ms"] > blocked["blocked_ms"] / 2


def test_results_are_kept(product):
    """The last result of each scenario is told, with words for every number."""
    product.press("awaits_gathered", seconds=0.3)

    result = product.get("/api/results")["awaits_gathered"]

    assert result["words"]["tasks"] == "3"
    assert result["words"]["slowest"] in result["explanation"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        product.get("/api/batches/nowhere")
