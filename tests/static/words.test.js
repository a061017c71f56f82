import assert from "node:assert/strict";
import { test } from "node:test";

import { stepFor, ticks } from "../../static/js/draw/axis.js";
import * as format from "../../static/js/format.js";
import { shares, splitInWords } from "../../static/js/model/requests.js";
import { rowOf } from "../../static/js/model/stalls.js";
import { tokens } from "../../static/js/ui/code.js";
import { answerInWords, summaryOf } from "../../static/js/ui/checks.js";
import { readingInWords } from "../../static/js/ui/drop.js";
import { forecastInWords, progressInWords } from "../../static/js/ui/experiment.js";
import { Announcements, rowInWords, subjectOf, verdictOf } from "../../static/js/ui/findings.js";
import { lampOf } from "../../static/js/ui/status.js";
import { costInWords } from "../../static/js/ui/triggers.js";
import { Scale } from "../../static/js/view/scale.js";
import { readInfo, wholeWait } from "../../static/js/wire.js";

const plain = (text) => text.replaceAll(format.NBSP, " ");

test("durations are told in the largest unit with three digits", () => {
  const told = [0, 999, 1500, 40_000, 2.5e6, 480e6, 999.6e6, 1.24e9, 12.34e9, 72e9, 3720e9];

  assert.deepEqual(told.map((ns) => plain(format.formatDuration(ns))), [
    "0 ns", "999 ns", "1.50 µs", "40.0 µs", "2.50 ms", "480 ms", "1.00 s", "1.24 s", "12.3 s",
    "1 min 12 s", "1 h 2 min",
  ]);
});

test("one of many is of a family, whatever its number", () => {
  const families = ["worker-7 (work)", "AnyIO worker thread 12", "job 7", "poll2d", "poller (poll)"].map(format.formatFamily);

  assert.deepEqual(families, ["worker (work)", "AnyIO worker thread", "job", "poll2d", "poller (poll)"]);
});

test("a number never parts from its unit at the end of a line", () => {
  assert.ok(!/ /.test(format.formatDuration(1.24e9) + format.formatPercent(0.5)));
});

test("counts, shares and places are short", () => {
  assert.equal(format.countOf(1, "request"), "1 request");
  assert.equal(format.countOf(1214, "request"), "1,214 requests");
  assert.equal(plain(format.formatPercent(0.006, 1)), "0.6 %");
  assert.equal(format.formatPlace({ file: "/srv/app/reports.py", line: 41, function: "f" }), "reports.py:41");
  assert.equal(format.formatLane(212, "GET /slow"), "#212 /slow");
  assert.equal(format.formatLane(3, "POST /orders"), "#3 POST /orders");
});

test("an info tells what and where", () => {
  assert.deepEqual(readInfo("sleep\tapp.py:31 in slow"), {
    what: "sleep",
    place: "app.py:31 in slow",
    detail: "",
  });
  const whole = readInfo("Queue.get\tapp.py:31 in slow\t0/5, at most 2 s");
  assert.equal(wholeWait(whole), "Queue.get 0/5, at most 2 s");
  assert.equal(wholeWait(readInfo("Event\t\tat most 2 s")), "Event, at most 2 s");
  assert.deepEqual(readInfo("sleep"), { what: "sleep", place: "", detail: "" });
});

test("steps of the axis are round and leave room for their labels", () => {
  for (let nsPerPx = 1; nsPerPx < 5e9; nsPerPx *= 1.7) {
    const step = stepFor(nsPerPx);
    assert.ok(step / nsPerPx >= 95, `${step} at ${nsPerPx}`);
  }
  assert.equal(stepFor(10e9 / 800), 2e9);
});

test("the axis counts from now, and finely divided from its first tick", () => {
  const coarse = ticks(new Scale(90e9, 10e9, 0, 800), 100e9, "now").map(({ label }) => plain(label));
  const fine = ticks(new Scale(90e9, 1e6, 0, 800), 100e9, "now").map(({ label }) => plain(label));

  assert.deepEqual(coarse, ["−10 s", "−8 s", "−6 s", "−4 s", "−2 s", "now"]);
  assert.equal(fine[0], "−10.000000 s");
  assert.equal(fine[1], "+200 µs");
});

test("no two ticks of the axis have the same label, however far off and fine", () => {
  for (const endNs of [50e6, 5e9, 14e9, 100e9, 4000e9]) {
    for (let rangeNs = 1e6; rangeNs < 4 * endNs; rangeNs *= 1.9) {
      const labels = ticks(new Scale(-endNs, rangeNs, 0, 700), 0, "now").map(({ label }) => label);
      assert.equal(new Set(labels).size, labels.length, `${endNs} ${rangeNs}: ${labels}`);
    }
  }
  const fine = ticks(new Scale(-14.01e9, 0.1e9, 0, 700), 0, "now").map(({ label }) => plain(label));
  assert.deepEqual(fine.slice(0, 3), ["−14.000 s", "+20 ms", "+40 ms"]);
});

test("the shares of a split add up to one, unknown parts left out", () => {
  const split = { outside_ms: null, running_ms: 2, ready_ms: 480, waiting_ms: 0, thread_queue_ms: 0, thread_ms: 0, process_ms: 0 };
  const parts = shares(split);

  assert.equal(parts.reduce((sum, { share }) => sum + share, 0), 1);
  assert.equal(plain(splitInWords(split)), "2.00 ms of your code, 480 ms waiting for its turn");
});

test("a stall is told with its line, its length and its victims", () => {
  const stall = {
    id: 1, loop: 1, start_ns: 0, duration_ms: 1240, over: true,
    culprit: { file: "reports.py", line: 41, function: "build" },
    victims: { count: 14, delay_ms: 9200 },
  };
  const told = ({ title, body }) => plain(title + ". " + body.map((x) => x.strong ?? x).join(""));

  assert.equal(told(verdictOf(stall)), "reports.py:41 held the loop for 1.24 s. It delayed 14 requests by 9.20 s together.");
  assert.match(told(verdictOf({ ...stall, over: false })), /^reports.py:41 holds the loop\. It delays/);
  assert.equal(verdictOf({ ...stall, over: false, culprit: null }).title, "Blocked: looking for the line");
  const killed = { ...stall, over: false, unfinished: true };
  assert.match(told(verdictOf(killed)), /held the loop for 1.24 s\. It had not ended when its process did\. It delayed/);
});

test("of several stalls in a row it is said how many there were, and for how long they held the loop together", () => {
  const of = (id, startS, changes = {}) => ({ id, loop: 1, start_ns: startS * 1e9, duration_ms: 2000, over: true, label: "a", victims: { count: 0, delay_ms: 0 }, ...changes });
  const told = (stall, ...others) => plain(rowInWords(stall, rowOf({ stalls: new Map([stall, ...others].map((each) => [each.id, each])) }, stall)));
  const last = of(5, 8.1);
  const row = [of(2, 2), of(3, 4), of(4, 6.1)];
  const near = [of(1, -9), of(6, 2, { loop: 2 })];

  assert.equal(told(last, ...row, ...near), "One of 4 in a row, 8.00 s together.");
  assert.equal(told(row[1], row[0], row[2], last), "One of 4 in a row, 8.00 s together.");
  assert.equal(told({ ...last, over: false }, ...row), "4 in a row so far.");
  assert.equal(told(last, ...near), "");
});

test("what somebody else wrote keeps its numbers and their units on one line", () => {
  assert.equal(format.keepUnits("2 s of 173 µs, 40 % in 3 steps").replaceAll(format.NBSP, "_"), "2_s of 173_µs, 40_% in 3 steps");
});

test("where no request waited the tasks are told, by their names while they are few", () => {
  const told = (others, changes = {}) => {
    const stall = { id: 1, loop: 1, start_ns: 0, duration_ms: 2000, over: true, culprit: null, victims: { count: 0, delay_ms: 0, others }, ...changes };
    return plain(verdictOf(stall).body.map((x) => x.strong ?? x).join(""));
  };
  const named = ["poller", "ticker", "reader"].map((label, i) => ({ label, delay_ms: 1900 - 500 * i }));
  const sum = { delay_ms: 4200, worst: "poller", worst_ms: 1900 };

  assert.equal(told({ ...sum, count: 1, named: named.slice(0, 1) }), "It delayed poller by 1.90 s.");
  assert.equal(told({ ...sum, count: 2, named: named.slice(0, 2) }), "It delayed 2 tasks: poller by 1.90 s and ticker by 1.40 s.");
  assert.equal(told({ ...sum, count: 3, named }, { over: false }), "It delays 3 tasks: poller by 1.90 s, ticker by 1.40 s and reader by 900 ms.");
  assert.equal(told({ ...sum, count: 9, named }), "It delayed 9 tasks by 4.20 s together. The worst: poller by 1.90 s.");
  assert.equal(told({ count: 0, delay_ms: 0, named: [] }), "Nobody had to wait for it.");
});

test("of a stall that is the machine's fault no line is told", () => {
  const stall = {
    id: 1, loop: 1, start_ns: 0, duration_ms: 210, starved_ms: 180, starved: true, over: true, culprit: null,
    victims: { count: 0, delay_ms: 0 },
  };
  const told = ({ title, body }) => plain(title + ". " + body.map((x) => x.strong ?? x).join(""));

  assert.equal(
    told(verdictOf(stall)),
    "The machine is too busy: a step took 210 ms. It waited 180 ms of its 210 ms for a processor. Nobody had to wait for it.",
  );
  const own = { ...stall, starved: false, starved_ms: 60, culprit: { file: "reports.py", line: 41, function: "build" } };
  assert.match(told(verdictOf(own)), /^reports.py:41 held the loop for 210 ms\. It waited 60.0 ms of/);
  const loop = { state: "blocked", utilisation: 1, pid: 7, culprit: null, starved: true };
  assert.equal(lampOf("live", loop, 210).detail, "it waits for a processor");
});

test("a server that starts its app is told calmly, unless somebody had to wait", () => {
  const stall = {
    id: 1, loop: 1, start_ns: 0, duration_ms: 1450, starved_ms: 0, starved: false, over: true, start_up: true,
    culprit: { file: "/srv/shop.py", line: 2, function: "<module>" }, victims: { count: 0, delay_ms: 0 },
  };
  const told = ({ title, body }) => plain(title + ". " + body.map((x) => x.strong ?? x).join(""));
  const loop = { state: "blocked", utilisation: 1, pid: 7, culprit: stall.culprit };

  assert.equal(told(verdictOf(stall)), "Start-up took 1.45 s. shop.py:2 had the loop, before the app served anybody.");
  assert.match(told(verdictOf({ ...stall, over: false })), /^Start-up\. shop\.py:2 has the loop/);
  assert.match(told(verdictOf({ ...stall, victims: { count: 1, delay_ms: 9 } })), /^shop\.py:2 held the loop/);
  const { state, word } = lampOf("live", loop, 1450, undefined, true);
  assert.deepEqual([state, plain(word)], ["running", "Starting 1.45 s"]);
  assert.deepEqual(lampOf("live", null, 0, undefined, true), { state: "quiet", word: "Starting", detail: "the demo app" });
});

test("a screen reader hears of each stall once, and never that one holds which is over", () => {
  const stallOf = (id, over) => ({ id, over, culprit: { file: "a.py", line: 1, function: "f" } });
  const told = new Announcements();
  let shown = "";
  const said = [[1, false, "holds"], [1, false, "holds"], [1, true, "held for 2 s"], [2, false, "holds"], [1, true, "held for 2 s"], [1, true, "held for 2 s"]].map(
    ([id, over, title]) => {
      const text = told.next(stallOf(id, over), null, title, shown);
      shown = text ?? shown;
      return text;
    },
  );

  assert.deepEqual(said, ["holds", null, "held for 2 s", "holds", "held for 2 s", null]);
  assert.equal(new Announcements().next({ ...stallOf(1, false), culprit: null }, null, "One step holds", ""), null);
});

test("the lamp has a word for every state of the page and of the loop", () => {
  const loop = { state: "blocked", utilisation: 1, pid: 7, culprit: { file: "a/b.py", line: 3, function: "f" } };
  const words = [
    lampOf("connecting", null, 0), lampOf("lost", loop, 0), lampOf("paused", loop, 0), lampOf("live", null, 0),
    lampOf("live", loop, 1240), lampOf("live", { ...loop, state: "ended" }, 0),
    lampOf("live", { ...loop, state: "ended", culprit: null }, 0), lampOf("live", { ...loop, state: "idle", utilisation: 0 }, 0),
  ].map(({ word, detail }) => plain(`${word} ${detail}`.trim()));

  assert.deepEqual(words, [
    "Connecting", "Connection lost trying again…", "Paused the recording goes on",
    "No loop yet waiting for an app to record", "Blocked 1.24 s b.py:3 in f", "Ended process 7 is gone, in b.py:3", "Ended process 7 is gone", "Idle",
  ]);
});

test("source split into tokens is the same source", () => {
  const code = 'async def f(x=1):\n    """Say\n    it."""\n    return "a" + f\'{x}\'  # done\n';
  const found = tokens(code);

  assert.equal(found.map(({ text }) => text).join(""), code);
  assert.deepEqual(found.filter(({ kind }) => kind === "keyword").map(({ text }) => text), ["async", "def", "return"]);
  assert.equal(found.find(({ kind }) => kind === "string").text, '"""Say\n    it."""');
});

test("the panel is about the stall that is on, then what the rules find, then a stall", () => {
  const last = { id: 1, over: true, loop: 1, start_ns: 0, duration_ms: 200, label: "a", victims: { delay_ms: 0 }, culprit: null };
  const slow = { id: 7, stall: 0, title: "Awaits in a row", active: true };
  const held = { id: 8, stall: 1, active: true };
  const history = (diagnosis, stalls = [last]) => ({ diagnosis, stalls: new Map(stalls.map((stall) => [stall.id, stall])) });
  const said = (finding, findings) => ({ verdict: { finding }, findings, checks: [] });

  assert.deepEqual(subjectOf(history(null)), { stall: last, finding: null });
  assert.deepEqual(subjectOf(history(said(7, [slow, held]))), { stall: null, finding: slow });
  assert.deepEqual(subjectOf(history(said(8, [held, slow]))), { stall: last, finding: held });
  assert.deepEqual(subjectOf({ ...history(said(7, [slow])), hello: { recording: {} } }), { stall: last, finding: null });
  assert.deepEqual(subjectOf(history(said(7, [slow])), 1), { stall: last, finding: null });
  const now = { id: 2, loop: 1, start_ns: 9, over: false };
  assert.deepEqual(subjectOf(history(said(7, [slow]), [last, now])), { stall: now, finding: null });
  assert.deepEqual(subjectOf(history(said(0, []), [])), { stall: null, finding: null });
});

test("what to write instead stays with the worst stall of a line, though its finding names the last", () => {
  const of = (id, startNs, line, delayMs) => ({
    id, over: true, loop: 1, start_ns: startNs, duration_ms: 200, label: "a", victims: { delay_ms: delayMs }, culprit: { file: "a.py", line, function: "f" },
  });
  const stalls = new Map([of(1, 0, 38, 900), of(2, 1e9, 38, 0)].map((stall) => [stall.id, stall]));
  const finding = { id: 8, stall: 2, loop: 1, place: { file: "a.py", line: 38, function: "f" } };
  const diagnosis = { verdict: { finding: 8 }, findings: [{ ...finding, id: 9, stall: 3, place: { ...finding.place, line: 7 } }, finding], checks: [] };

  const { stall, finding: found } = subjectOf({ stalls, diagnosis });

  assert.deepEqual([stall?.id, found?.id], [1, 8]);
});

test("no check denies what is listed beside it", () => {
  const findings = [{ rule: "blocked_loop" }];

  assert.equal(answerInWords({ rule: "blocked_loop", answer: "yes" }, findings), "found");
  assert.equal(answerInWords({ rule: "blocked_loop", answer: "no" }, findings), "found before");
  assert.equal(answerInWords({ rule: "overload", answer: "no" }, findings), "not found");
  assert.equal(answerInWords({ rule: "overload", answer: "later" }, findings), "too early to say");
});

test("what many presses at once cost is said before, where each of them holds the loop", () => {
  const params = [{ name: "seconds", unit: "s" }];
  const cost = (state, seconds, count) => plain(costInWords({ state, params }, { seconds }, count, 60));

  assert.equal(cost("blocked", 2, 20), "20 × 2 s = 40 s blocked");
  assert.equal(cost("blocked", 0.1, 5), "5 × 0.1 s = 0.5 s blocked");
  assert.equal(cost("blocked", 2, 100), "100 × 2 s = 200 s blocked, at most 60 s are allowed");
  assert.deepEqual([cost("blocked", 2, 1), cost("waiting", 2, 20), cost("blocked", 0, 20)], ["", "", ""]);
});

test("how long an experiment takes is said before, and what is left while it runs", () => {
  const said = (turns, seconds) => plain(forecastInWords({ variants: [1, 2, 3], turns, beside_s: 3 }, seconds));
  const told = (more) => plain(progressInWords({ variant: "def", turn: 2, turns: 3, elapsed_s: 4.6, run_time_s: 20, ...more }));

  assert.equal(said(3, 20), "Takes about 1 min 10 s: 3 variants × (20 s of load + 3 s to start and warm up).");
  assert.equal(said(6, 2), "Takes about 30 s: 3 variants × 2 turns × (2 s of load + 3 s to start and warm up).");
  assert.equal(told({ phase: "loading", left_s: 38.4 }), "def, 2 of 3: 4 of 20 s · about 40 s left");
  assert.equal(told({ phase: "warming up", left_s: 6.2 }), "def, 2 of 3: warming up … · about 6 s left");
  assert.equal(told({ phase: "finishing", left_s: 0 }), "def, 2 of 3: finishing …");
  assert.equal(told({ phase: "over", left_s: 0 }), "Writing the report …");
});

test("while a file is read it is said at once, then for how long, and what of one that came meanwhile", () => {
  const said = (seconds, other = "") => readingInWords({ name: "a.ring", other }, seconds);

  assert.equal(said(0), "Reading a.ring: the dashboard makes a page of it …");
  assert.equal(said(12.3), "Reading a.ring: the dashboard makes a page of it, 10 s so far …");
  assert.match(said(0, "b.ring"), /… One file is read at a time: drop b\.ring again after that\.$/);
});

test("the summary of a diagnosis counts", () => {
  const checks = [{ rule: "a", title: "A", answer: "no" }];
  assert.equal(summaryOf({ findings: [], checks }), "1 check, nothing found");
  assert.equal(summaryOf({ findings: [{}, {}], checks }), "2 findings · 1 check");
});
