import assert from "node:assert/strict";
import { test } from "node:test";

import { Stream } from "../../static/js/stream.js";
import { LANE_KINDS, STATES } from "../../static/js/wire.js";
import { frameOf, helloOf } from "./support.js";

class FakeSource extends EventTarget {
  readyState = 1;

  close() {
    this.readyState = 2;
  }

  send(type, value) {
    this.dispatchEvent(new MessageEvent(type, { data: typeof value === "string" ? value : JSON.stringify(value) }));
  }
}

function opened(ask = async () => assert.fail("asked")) {
  const sources = [];
  const heard = { hellos: 0, frames: [], heard: 0, lost: 0, refused: [], broken: [] };
  const leaving = new AbortController();
  const stream = new Stream(
    "/events",
    {
      onHello: () => (heard.hellos += 1),
      onFrame: (frame) => heard.frames.push(frame.seq),
      onHeard: () => (heard.heard += 1),
      onLost: () => (heard.lost += 1),
      onRefused: (response) => heard.refused.push(response.status),
      onBroken: (error) => heard.broken.push(error.message),
    },
    leaving.signal,
    (url) => {
      sources.push(Object.assign(new FakeSource(), { url }));
      return sources.at(-1);
    },
    ask,
  );
  stream.open();
  return { stream, sources, heard, leaving };
}

function hello(seq, changes = {}) {
  return helloOf({
    protocol: 1,
    states: STATES,
    lane_kinds: LANE_KINDS,
    snapshot: frameOf({ seq }),
    ...changes,
  });
}

test("frames are handed on in their order", () => {
  const { sources, heard } = opened();
  sources[0].send("hello", hello(5));
  sources[0].send("frame", frameOf({ seq: 6 }));
  sources[0].send("frame", frameOf({ seq: 7 }));

  assert.deepEqual(heard.frames, [6, 7]);
});

test("a beat is heard, though nothing is new", () => {
  const { stream, sources, heard } = opened();
  sources[0].send("hello", hello(5));
  assert.ok(stream.isSilent(performance.now() + 5000));
  sources[0].send("frame", frameOf({ seq: 6 }));
  sources[0].send("beat", {});

  assert.deepEqual([heard.frames, heard.heard], [[6], 2]);
});

test("a gap is counted and answered by one new stream, never by a guess", () => {
  const { stream, sources, heard } = opened();
  sources[0].send("hello", hello(5));
  sources[0].send("frame", frameOf({ seq: 9 }));

  assert.equal(stream.gaps, 3);
  assert.deepEqual(heard.frames, []);
  assert.equal(sources.length, 2);
  assert.equal(sources[0].readyState, 2);
});

test("a resumed stream goes on after the last frame that was seen", () => {
  const { stream, sources, heard } = opened();
  sources[0].send("hello", hello(5));
  sources[0].send("frame", frameOf({ seq: 6 }));
  sources[0].send("hello", hello(0, { resumed: true, snapshot: null }));
  sources[0].send("frame", frameOf({ seq: 7 }));

  assert.deepEqual(heard.frames, [6, 7]);
  assert.equal(stream.gaps, 0);
});

test("a broken message is counted, said, and does not stop the next one", (t) => {
  t.mock.method(console, "error", () => {});
  const { stream, sources, heard } = opened();
  sources[0].send("hello", hello(5));
  sources[0].send("frame", "{");
  sources[0].send("frame", frameOf({ seq: 6 }));

  assert.equal(stream.broken, 1);
  assert.equal(heard.broken.length, 1);
  assert.deepEqual(heard.frames, [6]);
});

test("another protocol is refused with the advice to reload", (t) => {
  t.mock.method(console, "error", () => {});
  const { sources, heard } = opened();
  sources[0].send("hello", hello(1, { protocol: 2 }));

  assert.match(heard.broken[0], /protocol 2, this page 1: reload/);
  assert.equal(heard.hellos, 0);
});

test("each tab asks for an address of its own", () => {
  const urls = [opened(), opened()].map(({ sources }) => sources[0].url);

  assert.notEqual(urls[0], urls[1]);
});

test("a stream that is refused asks why, and tries again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const answers = [new Response("", { status: 503 }), new Response("", { status: 200 })];
  const { sources, heard } = opened(async () => answers.shift());
  for (const number of [0, 1]) {
    sources[number].close();
    sources[number].dispatchEvent(new Event("error"));
    await new Promise(setImmediate);
    t.mock.timers.tick(2000);
  }

  assert.deepEqual(heard.refused, [503]);
  assert.equal(sources.length, 3);
});

test("a line that only breaks is left to the browser", () => {
  const { sources, heard } = opened();
  sources[0].readyState = 0;
  sources[0].dispatchEvent(new Event("error"));

  assert.equal(heard.lost, 1);
});

test("leaving the page closes the stream and hears nothing more", () => {
  const { sources, heard, leaving } = opened();
  leaving.abort();
  sources[0].send("hello", hello(1));

  assert.equal(sources[0].readyState, 2);
  assert.equal(heard.hellos, 0);
});
