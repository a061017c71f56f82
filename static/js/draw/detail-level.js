// @ts-check

// What a crowded pixel shows: the one rule by which thousands of slices become a few hundred
// rectangles. Pure; the work is bounded by pixels, not by slices.
//
// A slice at least a pixel wide is itself. Narrower ones share their pixel's column:
//   1. any stall in it: the whole column is blocked, however much else is there;
//   2. else the state that took most of the time fills the column;
//   3. and if anything ran in it, a green tick rises as high as the share of time that it ran,
//      at least HALF: that the loop was there must be seen, how long may be read.

import { BLOCK } from "../model/columns.js";
import { BLOCKED, GONE, RUNNING, STATES } from "../wire.js";

const WIDE_PX = 1;
const HALF = 0.5;

/**
 * @typedef {object} Pen
 * @property {(state: number, leftPx: number, rightPx: number, i: number) => void} slice
 * @property {(state: number, leftPx: number, runShare: number) => void} column one pixel wide;
 *   runShare is 0, or the height of the tick
 */

// One bucket, reused: a column's sums live only while it is filled.
const bucketNs = new Float64Array(STATES.length);

/**
 * @param {import("../model/columns.js").Spans} spans
 * @param {import("../view/scale.js").Scale} scale
 * @param {number} nowNs end of the open span
 * @param {number} stallNs
 * @param {Pen} pen
 */
export function resolve(spans, scale, nowNs, stallNs, pen) {
  let columnPx = -Infinity;
  let columnEndNs = -Infinity;
  let isBlocked = false;
  let first = GONE;
  let i = spans.firstEndingAfter(scale.startNs);

  const flush = () => {
    if (columnPx === -Infinity) return;
    if (isBlocked) pen.column(BLOCKED, columnPx, 0);
    else drawColumn(columnPx, first, scale.nsPerPx, pen);
    bucketNs.fill(0);
    isBlocked = false;
    first = GONE;
  };

  while (i < spans.count) {
    const startNs = spans.startNs(i);
    if (startNs > scale.endNs || startNs > nowNs) break;
    const state = spans.state(i);
    const endNs = Math.min(spans.endNs(i, nowNs), nowNs);
    const lengthNs = endNs - startNs;
    const stalls = state === RUNNING && lengthNs >= stallNs;
    if (lengthNs >= WIDE_PX * scale.nsPerPx) {
      flush();
      const leftPx = Math.max(scale.toPx(startNs), columnPx + 1, scale.leftPx);
      columnPx = -Infinity;
      columnEndNs = -Infinity;
      const rightPx = Math.min(scale.toPx(endNs), scale.rightPx);
      if (state !== GONE && rightPx > leftPx) {
        pen.slice(stalls ? BLOCKED : state, leftPx, rightPx, i);
      }
      i += 1;
      continue;
    }
    if (startNs >= columnEndNs) {
      flush();
      columnPx = Math.max(Math.floor(scale.toPx(startNs)), Math.floor(scale.leftPx));
      columnEndNs = scale.toNs(columnPx + 1);
    }
    if (first === GONE) first = state;
    if (spans.isWholeBlock(i) && spans.startNs(i + BLOCK) <= Math.min(columnEndNs, nowNs)) {
      for (let s = 0; s < STATES.length; s += 1) bucketNs[s] += spans.blockSumNs(i, s);
      isBlocked ||= spans.blockLongestRunNs(i) >= stallNs;
      i += BLOCK;
      continue;
    }
    bucketNs[state] += lengthNs;
    isBlocked ||= stalls;
    i += 1;
  }
  flush();
}

/** Rules 2 and 3. */
function drawColumn(columnPx, first, nsPerPx, pen) {
  let longest = first;
  for (let s = GONE + 1; s < STATES.length; s += 1) {
    if (bucketNs[s] > bucketNs[longest] || longest === GONE) longest = s;
  }
  if (longest === GONE || (first === GONE && bucketNs[longest] === 0)) return;
  const ranNs = bucketNs[RUNNING];
  const tick = ranNs > 0 && longest !== RUNNING ? Math.min(Math.max(ranNs / nsPerPx, HALF), 1) : 0;
  pen.column(longest, columnPx, tick);
}
