import assert from "node:assert/strict";
import { test } from "node:test";

import { PLAIN_TICKS } from "../../static/js/draw/detail-level.js";
import { drawLabel, drawSlices } from "../../static/js/draw/slices.js";
import { GONE, IDLE, READY, RUNNING, WAITING } from "../../static/js/wire.js";
import { COLORS, recordingContext, spansOf, unitScale } from "./support.js";

const ROW = { topPx: 10, heightPx: 20, pitchPx: 26 };
const AT = { nowNs: 100, stallNs: 50, columnPx: 2, showsIdle: false, ticks: PLAIN_TICKS };

test("each state is painted in its own colour over its own stretch", () => {
  const ctx = recordingContext();
  drawSlices(ctx, spansOf([0, RUNNING], [30, WAITING]), unitScale(100), ROW, COLORS, AT);

  assert.deepEqual(ctx.rects, [
    { x: 0, y: 10, w: 30, h: 20, color: "running" },
    { x: 30, y: 10, w: 70, h: 20, color: "waiting" },
  ]);
});

test("a slice thinner than a pixel is drawn wide enough to be seen", () => {
  const ctx = recordingContext();
  drawSlices(ctx, spansOf([5, RUNNING], [5.01, 0]), unitScale(100), ROW, COLORS, AT);

  assert.deepEqual(ctx.rects, [{ x: 5, y: 10, w: 2, h: 20, color: "running" }]);
});

test("equal columns side by side become one rectangle", () => {
  const ctx = recordingContext();
  const rows = Array.from({ length: 40 }, (_, i) => [10 + i / 2, i % 2 ? READY : WAITING]);
  drawSlices(ctx, spansOf(...rows, [30, GONE]), unitScale(100), ROW, COLORS, AT);

  assert.equal(ctx.rects.length, 1);
  assert.deepEqual([ctx.rects[0].x, ctx.rects[0].w], [10, 20]);
});

test("a row too low for a tick shows what had the larger part", () => {
  const colors = [0.9, 0.1].map((ran) => {
    const ctx = recordingContext();
    const spans = spansOf([12, WAITING], [14 - 2 * ran, RUNNING], [14, GONE]);
    drawSlices(ctx, spans, unitScale(100), { topPx: 0, heightPx: 3, pitchPx: 4 }, COLORS, AT);
    return ctx.rects.map(({ color }) => color);
  });

  assert.deepEqual(colors, [["running"], ["waiting"]]);
});

test("a run as long as the threshold is painted blocked and told as a stall", () => {
  const ctx = recordingContext();
  const found = { wide: [], stalls: [] };
  drawSlices(ctx, spansOf([20, RUNNING]), unitScale(100), ROW, COLORS, AT, found);

  assert.equal(ctx.rects[0].color, "blocked");
  assert.deepEqual(found.stalls, [{ leftPx: 20, rightPx: 100 }]);
});

test("idle is painted on the loop's lane only", () => {
  const spans = spansOf([0, IDLE]);
  const [thread, loop] = [false, true].map((showsIdle) => {
    const ctx = recordingContext();
    drawSlices(ctx, spans, unitScale(100), ROW, COLORS, { ...AT, showsIdle });
    return ctx.rects.length;
  });

  assert.deepEqual([thread, loop], [0, 1]);
});

test("the longest text that fits is drawn, and nothing when none does", () => {
  const ctx = recordingContext();
  const type = { measure: (text) => text.length * 10, textPx: 13 };
  const slice = { state: RUNNING, leftPx: 0, rightPx: 90, i: 0 };
  drawLabel(ctx, slice, ROW, ["too long for it", "fits", "it"], type);
  drawLabel(ctx, { ...slice, rightPx: 20 }, ROW, ["fits", "it"], type);
  drawLabel(ctx, slice, { ...ROW, pitchPx: 9 }, ["it"], type);
  drawLabel(ctx, slice, ROW, ["it"], { ...type, textPx: ROW.pitchPx });

  assert.deepEqual(ctx.texts.map(({ text }) => text), ["fits"]);
});
