import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveClock, MAX_AHEAD_NS } from "../../static/js/view/clock.js";
import { FrameLoop } from "../../static/js/view/frame.js";
import { Viewport } from "../../static/js/view/viewport.js";

test("however often a change is said, the next frame draws once", () => {
  const asked = [];
  let drawn = 0;
  const frames = new FrameLoop(() => (drawn += 1), (callback) => asked.push(callback));
  frames.invalidate();
  frames.invalidate();
  asked.forEach((callback) => callback(0));

  assert.equal(asked.length, 1);
  assert.equal(drawn, 1);
});

test("who draws is told whether anything changed or only time has passed", () => {
  const asked = [];
  const told = [];
  const frames = new FrameLoop((_, isChanged) => told.push(isChanged), (callback) => asked.push(callback));
  frames.again();
  asked.shift()(0);
  frames.again();
  frames.invalidate();
  asked.shift()(16);
  frames.again();
  asked.shift()(33);

  assert.deepEqual(told, [false, true, false]);
});

test("a draw that throws does not stop the frames after it", () => {
  const asked = [];
  const frames = new FrameLoop(
    () => {
      throw new Error("no ink");
    },
    (callback) => asked.push(callback),
  );
  frames.invalidate();
  assert.throws(() => asked[0](0), /no ink/);
  frames.invalidate();

  assert.equal(asked.length, 2);
});

test("now runs on between frames, never backwards, and not far beyond what was told", () => {
  const clock = new LiveClock();
  clock.tell(1e9, 0);
  assert.equal(clock.nowNs(40), 1.04e9);
  clock.tell(1.02e9, 40);
  assert.ok(clock.nowNs(41) >= 1.04e9);
  assert.equal(clock.nowNs(5000), 1.02e9 + MAX_AHEAD_NS);
});

test("a new run of the server sets the clock anew", () => {
  const clock = new LiveClock();
  clock.tell(900e9, 0);
  clock.nowNs(10);
  clock.restart();
  clock.tell(1e9, 20);

  assert.equal(clock.nowNs(20), 1e9);
});

test("held, the time under the cursor stays under it while zooming", () => {
  const viewport = new Viewport(() => {});
  viewport.hold(100e9);
  const share = (95e9 - viewport.startNs) / viewport.rangeNs;
  viewport.zoomBy(0.25, 95e9);

  assert.ok(Math.abs((95e9 - viewport.startNs) / viewport.rangeNs - share) < 1e-9);
});

test("live, zooming keeps now at the right edge", () => {
  const viewport = new Viewport(() => {});
  viewport.zoomBy(0.1, 3e9);

  assert.equal(viewport.isLive, true);
  assert.ok(Math.abs(viewport.leftNs(50e9) + viewport.rangeNs * 0.98 - 50e9) < 1);
});

test("a held picture ends at the moment it was held, until one looks further right", () => {
  const viewport = new Viewport(() => {});
  viewport.hold(100e9);
  assert.equal(viewport.momentNs(130e9), 100e9);
  viewport.panBy(5e9, 130e9);
  assert.equal(viewport.momentNs(130e9), 105e9);
});

test("going back to live restores the range from before the picture was held", () => {
  const viewport = new Viewport(() => {});
  const before = viewport.rangeNs;
  viewport.fit(90e9, 90e9 + 4000, 100e9);
  viewport.goLive();

  assert.equal(viewport.rangeNs, before);
});

test("a recording has no now: to go there, or back to where one began, shows all of it", () => {
  const viewport = new Viewport(() => {});
  viewport.restart({ from_ns: 5e9, to_ns: 45e9 });
  const shows = () => [viewport.isLive, viewport.showsAll, viewport.momentNs(45e9)];
  viewport.goLive();
  assert.deepEqual(shows(), [false, true, 45e9]);
  viewport.fit(20e9, 21e9, 45e9);
  assert.equal(viewport.showsAll, false);
  viewport.undo();
  assert.deepEqual(shows(), [false, true, 45e9]);
  viewport.undo();

  assert.deepEqual(shows(), [false, true, 45e9]);
});

test("each change is told once", () => {
  let told = 0;
  const viewport = new Viewport(() => (told += 1));
  viewport.select(3);
  viewport.scrollTo(10);

  assert.equal(told, 2);
});
