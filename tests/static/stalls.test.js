import assert from "node:assert/strict";
import { test } from "node:test";

import { stallToTell, whenInWords, worstFirst } from "../../static/js/model/stalls.js";
import { harmInWords, othersInWords } from "../../static/js/ui/stall-list.js";
import { heldInWords, heldName } from "../../static/js/ui/stall.js";

const plain = (text) => text.replaceAll("\u00a0", " ");

function stallOf(id, startS, ms, { delay = 0, count = Number(delay > 0), others = 0, over = true, label = "GET /a", loop = 1 } = {}) {
  const victims = { count, delay_ms: delay, others: { count: Number(others > 0), delay_ms: others } };
  return { id, loop, start_ns: startS * 1e9, duration_ms: ms, over, label, victims };
}

function historyOf(stalls, recording = null, loops = []) {
  return {
    hello: { recording },
    loops,
    tNs: 100e9,
    stalls: new Map(stalls.map((stall) => [stall.id, stall])),
    lastStall: stalls.reduce((last, each) => (!last || each.start_ns >= last.start_ns ? each : last), null),
  };
}

test("the stall that is on is told of, and stays when it is over; of several in a row the one that did the most harm", () => {
  const old = stallOf(1, 0, 2000, { delay: 30_000 });
  const on = stallOf(2, 5, 150, { over: false });
  const over = { ...on, over: true };
  const worse = stallOf(3, 6, 300, { delay: 900 });
  const next = stallOf(4, 8, 150, { delay: 100 });

  assert.equal(stallToTell(historyOf([old, on])), on);
  assert.equal(stallToTell(historyOf([old, over])), over);
  assert.equal(stallToTell(historyOf([old, over, worse, next])), worse);
  assert.equal(stallToTell(historyOf([])), null);
});

test("a server that starts and a busy machine, which harmed nobody, take no other stall's place", () => {
  const told = stallOf(1, 0, 2000, { delay: 30_000 });
  const starts = stallOf(2, 9, 1200, { label: "Server.serve" });
  const busy = { ...stallOf(3, 15, 400), starved: true };

  assert.equal(stallToTell(historyOf([told, starts, busy])), told);
  assert.equal(stallToTell(historyOf([starts])), starts);
  assert.equal(stallToTell(historyOf([told, { ...busy, victims: told.victims }]))?.id, 3);
});

test("the panel keeps to the loop in sight, and to the one whose place it took; of another it says which, and when", () => {
  const loops = [{ id: 1, title: "shop", worker: 1, pid: 7, replaces: 0 }, { id: 2, title: "shop", worker: 2, pid: 8, replaces: 0 }, { id: 3, title: "shop", worker: 1, pid: 9, replaces: 1 }];
  const one = stallOf(1, 60, 2000, { delay: 30_000 });
  const two = stallOf(2, 65, 150, { loop: 2 });
  const history = historyOf([one, two], null, loops);
  const when = (loop, stall) => whenInWords(history, loop, { loop: stall.loop, endNs: stall.start_ns + stall.duration_ms * 1e6 });

  assert.deepEqual([1, 2, 3].map((loop) => stallToTell(history, 0, loop)?.id), [1, 2, 1]);
  assert.equal(stallToTell(historyOf([one], null, loops), 0, 2)?.id, 1);
  assert.equal(when(1, one), "38 s ago.");
  assert.equal(when(2, one), "38 s ago, on shop 1, pid 7.");
  assert.equal(when(2, { ...two, start_ns: 97e9 }), "");
  assert.equal(whenInWords({ ...history, hello: { recording: {} } }, 2, { loop: 1, endNs: 0 }), "On shop 1, pid 7.");
  assert.equal(whenInWords({ ...history, tNs: 200e9 }, 1, { loop: 1, endNs: 62e9 }), "2 min ago.");
  assert.equal(whenInWords(history, 1, { loop: 1, endNs: Infinity }), "");
  assert.equal(whenInWords(history, 2, { loop: 1, endNs: Infinity }), "On shop 1, pid 7.");
});

test("harm is the wait of requests, then of others, then length; a server that starts harms nobody", () => {
  const stalls = [
    stallOf(1, 0, 9000, { label: "Server.serve" }),
    stallOf(2, 1, 300),
    stallOf(3, 2, 200),
    stallOf(4, 3, 150, { others: 80 }),
    stallOf(5, 4, 120, { delay: 10 }),
  ];

  assert.deepEqual(worstFirst(historyOf(stalls)).map(({ id }) => id), [5, 4, 2, 3, 1]);
});

test("of a recording all is of now, and time alone changes nothing", () => {
  const worst = stallOf(1, 0, 2000, { delay: 30_000 });
  const stalls = [worst, stallOf(2, 63, 150)];

  assert.equal(stallToTell(historyOf(stalls))?.id, 2);
  assert.equal(stallToTell(historyOf(stalls, { name: "a" })), worst);
  assert.equal(stallToTell(historyOf([worst])), worst);
});

test("the viewer's choice stands, unless a stall is on or it is forgotten", () => {
  const stalls = [stallOf(1, 0, 2000, { delay: 30_000 }), stallOf(2, 5, 150)];

  assert.equal(stallToTell(historyOf(stalls), 1)?.id, 1);
  assert.equal(stallToTell(historyOf(stalls), 9)?.id, 2);
  assert.equal(stallToTell(historyOf([...stalls, stallOf(3, 6, 150, { over: false })]), 2)?.id, 3);
});

test("the way to the others says how many, and which one this is", () => {
  const [worst, other] = [stallOf(1, 0, 2000, { delay: 30_000, count: 20 }), stallOf(2, 5, 150)];

  assert.equal(othersInWords(worst, [worst, other]), "1 other stall; this did the most harm");
  assert.equal(othersInWords(other, [worst, other]), "1 other stall");
  assert.deepEqual([worst, other, stallOf(3, 0, 200, { others: 90 })].map(harmInWords).map(plain), [
    "20 requests by 30.0 s", "nobody waited", "1 task by 90.0 ms",
  ]);
});

test("who was held up has the request's number, and of how many so many are named", () => {
  const heldUp = [{ kind: "request", id: 12, label: "GET /fast" }, { kind: "request", id: -4, label: "GET /fast" }, { kind: "task", id: 3, label: "tick" }];

  assert.deepEqual(heldUp.map(heldName), ["#12 GET /fast", "GET /fast", "tick"]);
  assert.equal(heldInWords({ held_up: heldUp, victims: { count: 60, others: { count: 1 } } }), "3 of 61 had to wait, the longest first");
  assert.equal(heldInWords({ held_up: heldUp, victims: { count: 2, others: { count: 1 } } }), "3 had to wait, the longest first");
});
