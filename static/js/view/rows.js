// @ts-check

// Which lanes get a row, where, and how tall: the loop on top and pinned, then requests in the order
// in which they began, then threads and processes, then tasks of no request. Pure.

import { GONE, IDLE, LOOP_LANE, PROCESS_LANE, REQUEST_LANE, TASK_LANE, THREAD_LANE } from "../wire.js";

/**
 * @typedef {import("../model/lanes.js").Lane} Lane
 * @typedef {{lane: Lane, topPx: number, heightPx: number, pitchPx: number}} Row
 *   pitch: from this row's top to the next row's, so that rows without gaps can be hit
 * @typedef {object} Sizes from tokens.css
 * @property {number} axisPx
 * @property {number} loopPx
 * @property {number} pitchPx the tallest row, gap included
 * @property {number} threadPx
 * @property {number} columnPx the least width of a lonely slice
 * @typedef {object} View
 * @property {number} heightPx @property {number} scrollPx
 * @property {boolean} showsTasks @property {boolean} folds
 * @property {(lane: Lane) => boolean} isTall must this one stay legible in any crowd?
 * @typedef {object} RowPlan
 * @property {Row[]} pinned loop lanes
 * @property {Row[]} rows the others that are in sight
 * @property {number} topPx where scrolled rows begin
 * @property {number} contentPx height of all scrolled rows
 * @property {number} scrollPx as far as really scrolled
 * @property {number} overflowPx as far as it could be scrolled
 * @property {number} hiddenTasks
 */

/** Two hundred rows then fit a laptop; lower ones would only be a blur. Beyond, rows scroll. */
export const MIN_PITCH_PX = 2.5;
/** A lane that leaves on the left folds up over this distance, so that rows never jump. */
const FOLD_PX = 36;
const GAP_PX = 10;
/** Tall rows and threads may take this much of the room before they shrink like the others. */
const TALL_SHARE = 0.5;
const THREAD_SHARE = 0.25;

/**
 * @param {readonly Lane[]} lanes in the order in which they began
 * @param {import("./scale.js").Scale} scale
 * @param {View} view
 * @param {Sizes} sizes
 * @returns {RowPlan}
 */
export function planRows(lanes, scale, view, sizes) {
  const pinned = [];
  const requests = [];
  const threads = [];
  const tasks = [];
  for (const lane of lanes) {
    if (lane.startNs > scale.endNs || lane.endNs < scale.startNs) continue;
    if (lane.kind === LOOP_LANE) pinned.push(lane);
    else if (lane.kind === REQUEST_LANE) requests.push(lane);
    else if (lane.kind === TASK_LANE) tasks.push(lane);
    else if (lane.kind === THREAD_LANE || lane.kind === PROCESS_LANE) {
      if (isBusy(lane, scale)) threads.push(lane);
    }
  }
  const plan = { pinned: [], rows: [], topPx: 0, contentPx: 0, scrollPx: 0, overflowPx: 0, hiddenTasks: 0 };
  plan.hiddenTasks = view.showsTasks ? 0 : tasks.length;
  const topPx = pinLoops(plan, pinned, sizes);
  const shownTasks = view.showsTasks ? tasks : [];

  const small = [...threads, ...shownTasks];
  const roomPx = view.heightPx - topPx - GAP_PX / 2;
  const smallPitchPx = pitchFor(roomPx * THREAD_SHARE, small.length, sizes.threadPx);
  const smallPx = small.length ? small.length * smallPitchPx + GAP_PX : 0;
  const folds = requests.map((lane) => (view.folds ? foldOf(lane, scale) : 1));
  const pitches = pitchesFor(requests, folds, roomPx - smallPx, view, sizes);

  plan.contentPx = pitches.reduce((sum, pitchPx) => sum + pitchPx, smallPx);
  plan.overflowPx = Math.max(0, plan.contentPx - (view.heightPx - topPx));
  plan.scrollPx = Math.min(Math.max(view.scrollPx, 0), plan.overflowPx);
  let yPx = topPx - plan.scrollPx;
  const put = (lane, rowPx) => {
    if (yPx + rowPx > topPx && yPx < view.heightPx) {
      // Whole pixels, or every edge would be a smear.
      const rowTopPx = Math.round(yPx);
      const bottomPx = Math.round(yPx + rowPx - gapOf(rowPx));
      plan.rows.push({ lane, topPx: rowTopPx, heightPx: bottomPx - rowTopPx, pitchPx: rowPx });
    }
    yPx += rowPx;
  };
  requests.forEach((lane, i) => put(lane, pitches[i]));
  if (requests.length) yPx += GAP_PX;
  for (const lane of small) put(lane, smallPitchPx);
  return plan;
}

/** @returns {Row | null} the row at this height */
export function rowAt(plan, yPx) {
  const pool = yPx < plan.topPx ? plan.pinned : plan.rows;
  return pool.find((row) => yPx >= row.topPx && yPx < row.topPx + row.pitchPx) ?? null;
}

function pinLoops(plan, loops, sizes) {
  let yPx = sizes.axisPx;
  for (const lane of loops) {
    plan.pinned.push({ lane, topPx: yPx, heightPx: sizes.loopPx, pitchPx: sizes.loopPx + GAP_PX });
    yPx += sizes.loopPx + GAP_PX;
  }
  plan.topPx = yPx;
  return yPx;
}

/** Equal rows, but for the tall ones: a culprit among a hundred victims keeps its name. */
function pitchesFor(requests, folds, roomPx, view, sizes) {
  const tall = requests.map((lane) => view.isTall(lane));
  const sumOf = (wanted) => folds.reduce((sum, fold, i) => sum + (tall[i] === wanted ? fold : 0), 0);
  const tallPx = sumOf(true) * sizes.pitchPx;
  if (tallPx > roomPx * TALL_SHARE) tall.fill(false);
  const lowRoomPx = roomPx - (tall.includes(true) ? tallPx : 0);
  const pitchPx = pitchFor(lowRoomPx, sumOf(false), sizes.pitchPx);
  return folds.map((fold, i) => fold * (tall[i] ? sizes.pitchPx : pitchPx));
}

function pitchFor(roomPx, count, tallestPx) {
  return Math.max(MIN_PITCH_PX, Math.min(tallestPx, roomPx / Math.max(count, 1)));
}

function foldOf(lane, scale) {
  if (lane.endNs === Infinity) return 1;
  const leftoverPx = scale.toPx(lane.endNs) - scale.leftPx;
  return Math.min(Math.max(leftoverPx / FOLD_PX, 0), 1);
}

function gapOf(pitchPx) {
  if (pitchPx >= 18) return Math.round(pitchPx * 0.22);
  if (pitchPx >= 8) return 2;
  return pitchPx >= 4 ? 1 : 0;
}

/** Does this thread do anything in sight? A pool's idle threads are no news. */
function isBusy(lane, scale) {
  const { spans } = lane;
  for (let i = spans.firstEndingAfter(scale.startNs); i < spans.count; i += 1) {
    if (spans.startNs(i) > scale.endNs) return false;
    if (spans.state(i) !== IDLE && spans.state(i) !== GONE) return true;
  }
  return false;
}
