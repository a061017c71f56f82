import assert from "node:assert/strict";
import { test } from "node:test";

import { frameOf, minimapScale, readStrip } from "../../static/js/draw/minimap.js";
import { Lane, Lanes } from "../../static/js/model/lanes.js";
import { IDLE, LOOP_LANE, LOST, RUNNING, STATES } from "../../static/js/wire.js";

const AT = { oldestNs: 0, nowNs: 600e9, leftNs: 590e9, rangeNs: 10e9, leftPx: 100, widthPx: 900 };

test("the strip shows the last minutes, ends now, and holds the viewer's stretch however far back", () => {
  const live = minimapScale(AT);
  const far = minimapScale({ ...AT, leftNs: 20e9 });

  assert.equal(live.startNs, 480e9);
  assert.equal(live.endNs, 600e9);
  assert.ok(far.startNs <= 20e9 && far.endNs === 600e9);
});

test("a stall is seen in the strip, however much else there is", () => {
  const lanes = new Lanes();
  const loop = new Lane(1, LOOP_LANE, 1, "shop:app", 0, 0, lanes.pool);
  lanes.add(loop);
  let t = 0;
  for (let i = 0; i < 9000; i += 1) {
    loop.enter(t, RUNNING, 0, 0);
    loop.enter((t += i === 4000 ? 200e6 : 1e5), IDLE, 0, 0);
    t += 6e7;
  }
  const scale = minimapScale({ ...AT, nowNs: t, leftNs: 0 });
  const [row] = readStrip(lanes.all, scale, { nowNs: t, stallNs: 100e6, heightPx: 24 });
  const painted = [];
  const fills = [...STATES, "blocked"];
  row.runs.paint({ set fillStyle(name) { painted.push([name, 0]); }, fillRect() { painted.at(-1)[1] += 1; } }, row, fills);

  assert.deepEqual(painted.find(([name]) => name === "blocked"), ["blocked", 1]);
  assert.equal(row.runs.has(LOST), false);
  loop.enter(t, LOST, 0, 0);
  const later = minimapScale({ ...AT, nowNs: t + 1e9, leftNs: 0 });
  assert.equal(readStrip(lanes.all, later, { nowNs: t + 1e9, stallNs: 100e6, heightPx: 24 })[0].runs.has(LOST), true);
});

test("what is no longer known takes no room, but a young recording has a minute of it", () => {
  assert.equal(minimapScale({ ...AT, rangeNs: 100e9, leftNs: 500e9, oldestNs: 300e9 }).startNs, 300e9);
  assert.equal(minimapScale({ ...AT, nowNs: 5e9, leftNs: 0 }).startNs, -55e9);
});

test("of a recording the strip is all of it, however short or long, and never less than the picture", () => {
  const whole = { startNs: 0, endNs: 3e9 };
  const all = minimapScale({ ...AT, nowNs: 3e9, leftNs: -0.06e9, rangeNs: 3.12e9, whole });
  const part = minimapScale({ ...AT, nowNs: 3e9, leftNs: 1e9, rangeNs: 0.1e9, whole });
  const hour = minimapScale({ ...AT, nowNs: 3600e9, leftNs: 3590e9, whole: { startNs: 0, endNs: 3600e9 } });

  assert.deepEqual([all.startNs, all.endNs], [-0.06e9, 3.06e9]);
  assert.deepEqual([part.startNs, part.endNs], [0, 3e9]);
  assert.deepEqual([hour.startNs, hour.endNs], [0, 3600e9]);
});

test("the frame of a microsecond can be seen, and is where it belongs", () => {
  const frame = frameOf(minimapScale(AT), { startNs: 540e9, endNs: 540e9 + 1000 });

  assert.ok(frame.rightPx - frame.leftPx >= 6);
  assert.ok(Math.abs((frame.leftPx + frame.rightPx) / 2 - 550) < 1);
});
