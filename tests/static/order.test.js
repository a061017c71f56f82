import assert from "node:assert/strict";
import { test } from "node:test";

import { Lane } from "../../static/js/model/lanes.js";
import { Choice, acceptorOf } from "../../static/js/view/choice.js";
import { EVERYTHING, orderLanes } from "../../static/js/view/order.js";
import { LOOP_LANE, REQUEST_LANE, RUNNING, TASK_LANE, THREAD, THREAD_LANE, WAITING } from "../../static/js/wire.js";

const SIGHT = { startNs: 0, endNs: 1000 };
let nextId = 0;

function lane(kind, { loop = 1, label = "GET /slow", request = 0, startNs = 10 } = {}) {
  const made = new Lane((nextId += 1), kind, loop, label, request, startNs);
  made.enter(startNs, kind === THREAD_LANE ? THREAD : kind === LOOP_LANE ? RUNNING : WAITING, 0, 0);
  return made;
}

const lanesOf = (order) => order.entries.map((entry) => entry.lane);

test("a request's tasks stand below it when it is unfolded, and nowhere else", () => {
  const [one, two] = [lane(REQUEST_LANE, { request: 7 }), lane(REQUEST_LANE, { request: 8 })];
  const tasks = [7, 8, 7].map((request) => lane(TASK_LANE, { request, label: "fetch" }));
  const all = [one, ...tasks, two];

  assert.deepEqual(lanesOf(orderLanes(all, SIGHT, { ...EVERYTHING, showsTasks: true })), [one, two]);
  const open = orderLanes(all, SIGHT, { ...EVERYTHING, unfolded: new Set([7]) });
  assert.deepEqual(lanesOf(open), [one, tasks[0], tasks[2], two]);
  assert.deepEqual(open.entries.map(({ depth }) => depth), [0, 1, 1, 0]);
  assert.equal(open.hiddenTasks, 0, "they are not among the tasks of no request");
});

test("by route, rows of one route stand together in the order in which routes came", () => {
  const all = ["/a", "/b", "/a", "/c", "/b"].map((label, i) => lane(REQUEST_LANE, { label, request: i + 1 }));
  const order = orderLanes(all, SIGHT, { ...EVERYTHING, grouping: "name" });

  assert.deepEqual(lanesOf(order).map(({ label }) => label), ["/a", "/a", "/b", "/b", "/c"]);
  assert.equal(new Set(order.entries.map(({ section }) => section)).size, 3);
});

test("by the line that made them, tasks stand together under that line; requests stay as they came", () => {
  const tasks = ["a.py:1 in main", "a.py:9 in feed", "a.py:1 in main", ""].map((spawn) =>
    Object.assign(lane(TASK_LANE), { spawn }),
  );
  const requests = ["/b", "/a"].map((label, i) => lane(REQUEST_LANE, { label, request: i + 1 }));
  const order = orderLanes([...tasks, ...requests], SIGHT, { ...EVERYTHING, grouping: "spawn", showsTasks: true });

  assert.deepEqual(lanesOf(order), [...requests, tasks[0], tasks[2], tasks[1], tasks[3]]);
  assert.deepEqual(order.entries.map(({ heading }) => heading).filter(Boolean), ["from a.py:1 in main", "from a.py:9 in feed"]);
});

test("by worker, each worker's requests and threads stand together under its name", () => {
  const loops = [1, 2].map((loop) => lane(LOOP_LANE, { loop, label: `api · ${loop}` }));
  const rows = [2, 1, 2].map((loop, i) => lane(REQUEST_LANE, { loop, request: i + 1 }));
  const thread = lane(THREAD_LANE, { loop: 1, label: "thread 1" });
  const order = orderLanes([...loops, ...rows, thread], SIGHT, { ...EVERYTHING, grouping: "worker" });

  assert.deepEqual(lanesOf(order), [rows[1], thread, rows[0], rows[2]]);
  assert.deepEqual(order.entries.map(({ heading }) => heading), ["api · 1", "", "api · 2", ""]);
});

test("what the filter leaves out is counted; loops and pins stay", () => {
  const loop = lane(LOOP_LANE);
  const all = [loop, ...["/slow", "/fast", "/slow"].map((label, i) => lane(REQUEST_LANE, { label, request: i + 1 }))];
  const order = orderLanes(all, SIGHT, { ...EVERYTHING, filter: "slow", pins: new Set([all[2].id]) });

  assert.deepEqual(lanesOf(order), [all[1], all[3]]);
  assert.deepEqual(order.fixed, [loop, all[2]]);
  assert.equal(orderLanes(all, SIGHT, { ...EVERYTHING, filter: "#2" }).filtered, 2);
});

test("a filter takes every word, in any order and case; a number with # is exactly that request", () => {
  const accepts = (filter, label, request = 0) => acceptorOf(filter)({ label, request });

  assert.ok(accepts("SLOW get", "GET /slow"));
  assert.ok(accepts("", "anything"));
  assert.ok(!accepts("slow post", "GET /slow"));
  assert.ok(accepts("#12", "GET /slow", 12));
  assert.ok(!accepts("#12", "GET /slow", 121));
});

test("each change of the choice is told once, and the sets that were handed out do not change", () => {
  let told = 0;
  const choice = new Choice(() => (told += 1));
  const before = choice.pins;
  choice.togglePin(3);
  choice.togglePin(3);
  choice.nextGrouping();

  assert.equal(told, 3);
  assert.equal(before.size, 0);
  assert.notEqual(choice.pins, before);
});
