// Builders that the tests share: spans from a list, a context that records, a plain scale.

import { Spans } from "../../static/js/model/columns.js";
import { STATES } from "../../static/js/wire.js";
import { Scale } from "../../static/js/view/scale.js";

/** Colours named after the states, so that a failing test reads. */
export const COLORS = [...STATES, "blocked"];

/** @param {...[number, number, number?]} rows start, state, who */
export function spansOf(...rows) {
  const spans = new Spans();
  for (const [start, state, who = 0] of rows) spans.push(start, state, 0, who);
  return spans;
}

/** One nanosecond a pixel, from 0. */
export function unitScale(widthPx, nsPerPx = 1) {
  return new Scale(0, widthPx * nsPerPx, 0, widthPx);
}

/** Keeps every rectangle with its colour. */
export function recordingContext() {
  const rects = [];
  const texts = [];
  return {
    rects,
    texts,
    fillStyle: "",
    fillRect(x, y, w, h) {
      rects.push({ x, y, w, h, color: this.fillStyle });
    },
    fillText(text, x) {
      texts.push({ text, x });
    },
  };
}

/** A pen that keeps what a level of detail decided. */
export function recordingPen() {
  const slices = [];
  const columns = [];
  return {
    slices,
    columns,
    slice: (state, leftPx, rightPx, i) => slices.push({ state, leftPx, rightPx, i }),
    column: (state, leftPx, rightPx, tick) => columns.push({ state, leftPx, tick }),
  };
}

/** Numbers that are the same in every run. */
export function seeded(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

export function frameOf(changes) {
  return {
    seq: 1,
    t_ns: 0,
    missed: 0,
    thinned: 0,
    undrawn: 0,
    loops: [],
    strings: [],
    lanes: [],
    rows: null,
    requests: [],
    stalls: [],
    counts: { requests: 0, finished: 0, open: 0 },
    notices: [],
    ...changes,
  };
}

export function helloOf(changes) {
  return {
    run: "one",
    t_ns: 0,
    stall_threshold_ns: 100e6,
    keep_ns: 60e9,
    resumed: false,
    snapshot: null,
    ...changes,
  };
}
