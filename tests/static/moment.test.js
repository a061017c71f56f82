import assert from "node:assert/strict";
import { test } from "node:test";

import { NBSP } from "../../static/js/format.js";
import { Lane, Lanes } from "../../static/js/model/lanes.js";
import { countNameless, momentAt, readAtDoor } from "../../static/js/model/moment.js";
import { LivePhase, changeInWords, silenceOf, stateInWords } from "../../static/js/model/phase.js";
import { changeAt, nextChangeNs, ofLoop, ofRequests, previousChangeNs } from "../../static/js/model/steps.js";
import * as wire from "../../static/js/wire.js";
import { seeded } from "./support.js";

const TEXTS = ["", "sleep\tapp.py:31 in slow", "queue", "beat"];
const text = (i) => TEXTS[i] ?? "";
const STALL_NS = 100e6;

/** @param {...[number, number, number, [number, number, number?, number?][]]} all id, kind, request, rows */
function lanesOf(...all) {
  const lanes = new Lanes();
  for (const [id, kind, request, rows] of all) {
    const lane = new Lane(id, kind, 1, request ? "GET /slow" : "a task", request, rows[0][0]);
    for (const [ns, state, info = 0, who = 0] of rows) lane.enter(ns, state, info, who);
    lanes.add(lane);
  }
  return lanes;
}

const { IDLE, RUNNING, READY, DUE, WAITING, THREAD, OUTSIDE, GONE } = wire;
const STORY = () =>
  lanesOf(
    [1, wire.LOOP_LANE, 0, [[0, IDLE], [100, RUNNING, 0, 7], [140, RUNNING, 0, 8], [160, IDLE], [900, RUNNING, 3], [910, IDLE]]],
    [2, wire.REQUEST_LANE, 7, [[80, OUTSIDE], [90, READY], [100, RUNNING], [140, WAITING, 1], [800, DUE, 1], [820, READY]]],
    [3, wire.REQUEST_LANE, 8, [[95, READY], [140, RUNNING], [160, THREAD], [500, GONE]]],
    [4, wire.TASK_LANE, 0, [[10, WAITING, 2]]],
  );
const plain = (words) => words.replaceAll(NBSP, " ");

test("a moment puts everybody in the one place where they were", () => {
  const at = (ns) => momentAt(STORY(), text, 1, ns, 1000);

  assert.deepEqual(at(85).door.map(({ lane }) => lane.id), [2]);
  assert.deepEqual(at(97).ready.map(({ lane }) => lane.id), [2, 3]);
  assert.equal(at(120).running.request, 7);
  assert.deepEqual(at(200).waiting.map(({ reason, isTasks, beings }) => [reason, isTasks, beings.length]), [
    ["sleep", false, 1], ["worker thread", false, 1], ["queue", true, 1],
  ]);
  assert.deepEqual(at(810).due.map(({ lane }) => lane.id), [2]);
  assert.deepEqual(at(200).before.map(({ request }) => request), [8, 7]);
});

test("the app's own tasks are one group, unless they are asked for", () => {
  const groups = momentAt(STORY(), text, 1, 200, 1000, false).waiting;

  assert.deepEqual(groups.map(({ reason }) => reason), ["sleep", "worker thread", "other tasks"]);
});

test("the end of a wait is known from the record when it is over, from its deadline while it lasts", () => {
  const lanes = STORY();
  const [waiting] = momentAt(lanes, text, 1, 200, 1000).waiting;
  assert.equal(waiting.beings[0].untilNs, 800);

  const open = lanesOf([2, wire.REQUEST_LANE, 7, [[80, WAITING, 1]]]);
  const until = () => momentAt(open, text, 1, 100).waiting[0].beings[0].untilNs;
  assert.equal(until(), Infinity);
  open.get(2).deadlineNs = 700;
  assert.equal(until(), 700);
  open.get(2).deadlineNs = 60;
  assert.equal(until(), Infinity);
});

test("a step goes to the nearest change, forwards and backwards, as a slow search finds it", () => {
  const random = seeded(7);
  const rowsOf = () => {
    let ns = Math.floor(random() * 500);
    return Array.from({ length: 12 }, () => [(ns += 1 + Math.floor(random() * 40)), random() < 0.5 ? READY : WAITING]);
  };
  const lanes = lanesOf(...Array.from({ length: 9 }, (_, k) => [k + 1, k % 3 ? wire.REQUEST_LANE : wire.TASK_LANE, k % 3, rowsOf()]));
  for (const counts of [ofLoop(1), ofRequests(1)]) {
    const all = lanes.all
      .filter(counts)
      .flatMap(({ spans }) => Array.from({ length: spans.count }, (_, i) => spans.startNs(i)));
    for (let ns = 0; ns < 1100; ns += 13) {
      const after = all.filter((t) => t > ns);
      const before = all.filter((t) => t < ns);
      assert.equal(nextChangeNs(lanes.all, counts, ns), after.length ? Math.min(...after) : null);
      assert.equal(previousChangeNs(lanes.all, counts, ns), before.length ? Math.max(...before) : null);
    }
  }
});

test("of changes at one time, the request's that begins to run is told", () => {
  assert.equal(changeAt(STORY().all, 1, 140).lane.id, 3);
  assert.equal(changeAt(STORY().all, 1, 5), null);
});

test("a request's end is told, though the app's own task runs from that moment on", () => {
  const lanes = lanesOf(
    [1, wire.LOOP_LANE, 0, [[0, wire.RUNNING]]],
    [2, wire.TASK_LANE, 0, [[0, WAITING], [20, wire.RUNNING]]],
    [3, wire.REQUEST_LANE, 7, [[5, wire.RUNNING], [20, wire.GONE]]],
  );

  assert.equal(changeAt(lanes.all, 1, 20)?.lane.id, 3);
});

test("the phase is told from what happened", () => {
  const lanes = STORY();
  const told = (ns) => plain(changeInWords(lanes, text, momentAt(lanes, text, 1, ns, 1000), 1, STALL_NS));

  assert.equal(told(85), "Request 7 was sent: it stands at the door until the loop looks.");
  assert.equal(told(90), "The loop has looked: request 7 comes in and joins the ready queue, first in line.");
  assert.equal(told(95), "Request 8 is new and joins the ready queue behind one other.");
  assert.equal(told(100), "It is the turn of request 7: it runs, one is ready behind it.");
  assert.equal(told(160), "Request 8 goes on in a worker thread: the loop is free.");
  assert.equal(told(500), "Request 8 is answered.");
  assert.equal(told(805), "`sleep` is over for request 7: it is due, but the loop has not looked.");
  assert.equal(told(820), "`sleep` is over: request 7 joins the ready queue, first in line.");
  assert.equal(told(905), "The loop runs a callback: beat.");
});

test("what the app does for itself is told only to whoever looks at it", () => {
  const lanes = lanesOf([1, wire.LOOP_LANE, 0, [[0, IDLE]]], [4, wire.TASK_LANE, 0, [[10, WAITING, 2]]]);
  const told = (shows) => plain(changeInWords(lanes, text, momentAt(lanes, text, 1, 20), 1, STALL_NS, shows));

  assert.equal(told(true), "Task a task waits for `queue` and gives the loop back.");
  assert.equal(told(false), "The loop sleeps: one task waits, nobody is ready.");
});

test("the callback that ends a wait is told as such, and not as the task's turn", () => {
  const lanes = lanesOf([1, wire.LOOP_LANE, 0, [[0, IDLE], [300, RUNNING, 0, 7], [304, IDLE]]], [2, wire.REQUEST_LANE, 7, [[0, WAITING, 1], [300, RUNNING], [304, READY]]]);
  const told = (ns) => plain(changeInWords(lanes, text, momentAt(lanes, text, 1, ns, 1000), 1, STALL_NS));

  assert.equal(told(300), "`sleep` is over: the loop runs the callback that wakes request 7.");
  assert.equal(told(304), "`sleep` is over: request 7 joins the ready queue, first in line.");
});

test("the state is told in words for a loop that sleeps, works and is blocked", () => {
  const told = (ns, lanes = STORY()) => plain(stateInWords(momentAt(lanes, text, 1, ns, 1000), STALL_NS));
  const blocked = lanesOf(
    [1, wire.LOOP_LANE, 0, [[0, RUNNING, 0, 7]]],
    [2, wire.REQUEST_LANE, 7, [[0, RUNNING]]],
    [3, wire.REQUEST_LANE, 8, [[5, OUTSIDE]]],
    [4, wire.REQUEST_LANE, 9, [[5, DUE, 1]]],
  );

  assert.equal(told(1e6, lanesOf([1, wire.LOOP_LANE, 0, [[0, IDLE]]], [4, wire.TASK_LANE, 0, [[10, WAITING, 2]]])), "The loop sleeps: one task waits, nobody is ready.");
  assert.equal(told(120), "Request 7 runs; one is ready behind it.");
  assert.equal(told(500e6, blocked), "Request 7 holds the loop: 1 at the door and 1 due cannot go on.");
});

test("live, who ran is told long enough to be read, and what is counted is of this very moment", () => {
  const live = new LivePhase();
  const told = (ms, running, ready = 0) => {
    const run = running ? { request: running, what: "", place: "", sinceNs: 0, untilNs: 0 } : null;
    const moment = { ns: 1e6, isKnown: true, door: [], due: [], ready: [], readyCount: ready, running: run, before: [], waiting: [], waitingCount: 3 };
    return live.tell(/** @type {any} */ (moment), STALL_NS, ms);
  };

  assert.equal(told(0, 0), "The loop sleeps: all 3 tasks wait, nobody is ready.");
  assert.equal(told(100, 7, 2), "Request 7 runs; 2 are ready behind it.");
  assert.equal(told(200, 8, 1), "Request 7 ran just now; one is ready, 3 wait.");
  assert.equal(told(300, 0), "Request 7 ran just now; nobody is ready, 3 wait.");
  assert.equal(told(999, 0), "Request 7 ran just now; nobody is ready, 3 wait.");
  assert.equal(told(1000, 0), "The loop sleeps: all 3 tasks wait, nobody is ready.");
  assert.equal(told(1100, 8), "Request 8 runs; nobody is ready behind it.");
});

test("live, who held the loop is who ran last", () => {
  const live = new LivePhase();
  const told = (ms, running, ns = 1e6) => {
    const run = running ? { request: running, what: "", place: "", sinceNs: 0, untilNs: 0 } : null;
    const moment = { ns, isKnown: true, door: [], due: [], ready: [], readyCount: 0, running: run, before: [], waiting: [], waitingCount: 3 };
    return live.tell(/** @type {any} */ (moment), STALL_NS, ms);
  };

  assert.equal(told(0, 7), "Request 7 runs; nobody is ready behind it.");
  assert.match(told(100, 8, 2 * STALL_NS), /^Request 8 holds the loop/);
  assert.equal(told(200, 0), "Request 8 ran just now; nobody is ready, 3 wait.");
});

test("who was read and has not begun is ready, and no longer at the door, whoever it is", () => {
  const lanes = lanesOf(
    [1, wire.LOOP_LANE, 0, [[0, RUNNING, 0, 7]]],
    ...[8, 9, 10].map((id) => [id, wire.REQUEST_LANE, id, [[5, OUTSIDE]]]),
  );
  const told = (loop) => {
    const moment = momentAt(lanes, text, 1, 500e6);
    countNameless(moment, loop);
    return [moment.doorCount, moment.readyCount, moment.door.length, stateInWords(moment, STALL_NS)];
  };
  const held = (words) => `Request 7 holds the loop: ${words} cannot go on.`;

  assert.deepEqual(told({ door: 0, unbegun: 0 }), [3, 0, 3, held("3 at the door")]);
  assert.deepEqual(told({ door: 1, unbegun: 2 }), [2, 2, 0, held("2 at the door and 2 ready")]);
  assert.deepEqual(told({ door: 0, unbegun: 3 }), [0, 3, 0, held("3 ready")]);
  assert.deepEqual(told({ door: 0, unbegun: 5 }), [0, 5, 0, held("5 ready")]);
});

test("where nobody runs the loop sleeps, unless that was too short for a sleep, or somebody was ready: then it is between two steps", () => {
  const lanes = lanesOf(
    [1, wire.LOOP_LANE, 0, [[0, IDLE], [4e6, RUNNING, 3], [4.1e6, IDLE], [4.12e6, RUNNING, 3], [4.2e6, IDLE]]],
    [2, wire.REQUEST_LANE, 7, [[0, WAITING, 1], [3.9e6, READY], [4.12e6, RUNNING], [4.2e6, WAITING, 1]]],
  );
  const slot = (ns) => {
    const moment = momentAt(lanes, text, 1, ns, 1e9);
    return [silenceOf(moment, { state: "running" }, "paused").title, plain(changeInWords(lanes, text, moment, 1, STALL_NS))];
  };

  assert.deepEqual(slot(1e6)[0], "Nobody");
  assert.deepEqual(slot(3.95e6)[0], "The loop");
  assert.deepEqual(slot(4.11e6), ["The loop", "The loop runs a callback: beat."]);
  assert.deepEqual(slot(5e6), ["Nobody", "Request 7 waits for `sleep` and gives the loop back. Since then the loop sleeps, 800 µs so far."]);
});

test("a row at the door says of the read ones what their number says in the boxes", () => {
  const lanes = lanesOf(...[8, 9].map((id) => [id, wire.REQUEST_LANE, id, [[5, OUTSIDE]]]), [7, wire.REQUEST_LANE, 7, [[0, OUTSIDE], [5, RUNNING]]]);
  const told = (unbegun) => readAtDoor({ lanes, loops: [{ id: 1, unbegun }] }, lanes.get(8));

  assert.deepEqual([told(0), told(1), told(2), told(3)], ["none", "some", "all", "all"]);
});

test("no sentence changes the letters of a name", () => {
  const lanes = lanesOf([1, wire.LOOP_LANE, 0, [[0, RUNNING, 3]]], [4, wire.TASK_LANE, 0, [[10, WAITING, 1]]]);
  lanes.all[1].label = "poller";

  assert.match(stateInWords(momentAt(lanes, () => "poller", 1, 500e6, 500e6), STALL_NS), /^`poller` holds the loop/);
  assert.match(changeInWords(lanes, text, momentAt(lanes, text, 1, 10, 1000), 1, STALL_NS), /poller/);
});
