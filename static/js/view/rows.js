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
 * @typedef {object} RowPlan
 * @property {Row[]} pinned loop lanes
 * @property {Row[]} rows the others that are in sight
 * @property {number} topPx where scrolled rows begin
 * @property {number} contentPx height of all scrolled rows
 * @property {number} scrollPx as far as really scrolled
 * @property {number} hiddenTasks
 */

/** Below this a row could not be told from its neighbour. */
export const MIN_PITCH_PX = 5;
/** A lane that leaves on the left folds up over this distance, so that rows never jump. */
const FOLD_PX = 36;
const GAP_PX = 10;

/**
 * @param {readonly Lane[]} lanes in the order in which they began
 * @param {import("./scale.js").Scale} scale
 * @param {{heightPx: number, scrollPx: number, showsTasks: boolean, folds: boolean}} view
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
  const plan = { pinned: [], rows: [], topPx: 0, contentPx: 0, scrollPx: 0, hiddenTasks: 0 };
  plan.hiddenTasks = view.showsTasks ? 0 : tasks.length;
  const topPx = pinLoops(plan, pinned, sizes);
  const shownTasks = view.showsTasks ? tasks : [];

  const small = [...threads, ...shownTasks];
  const smallPx = small.length ? small.length * sizes.threadPx + GAP_PX : 0;
  const weights = requests.map((lane) => (view.folds ? foldOf(lane, scale) : 1));
  const weightSum = weights.reduce((sum, weight) => sum + weight, 0);
  const roomPx = view.heightPx - topPx - smallPx - GAP_PX / 2;
  const pitchPx = Math.max(MIN_PITCH_PX, Math.min(sizes.pitchPx, roomPx / Math.max(weightSum, 1)));

  plan.contentPx = weightSum * pitchPx + smallPx;
  const overflowPx = Math.max(0, plan.contentPx - (view.heightPx - topPx));
  plan.scrollPx = Math.min(Math.max(view.scrollPx, 0), overflowPx);
  let yPx = topPx - plan.scrollPx;
  const put = (lane, rowPx) => {
    if (yPx + rowPx > topPx && yPx < view.heightPx) {
      const heightPx = Math.max(rowPx - gapOf(rowPx), Math.min(rowPx, 1));
      plan.rows.push({ lane, topPx: yPx, heightPx, pitchPx: rowPx });
    }
    yPx += rowPx;
  };
  requests.forEach((lane, i) => put(lane, pitchPx * weights[i]));
  if (requests.length) yPx += GAP_PX;
  for (const lane of small) put(lane, sizes.threadPx);
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

function foldOf(lane, scale) {
  if (lane.endNs === Infinity) return 1;
  const leftoverPx = scale.toPx(lane.endNs) - scale.leftPx;
  return Math.min(Math.max(leftoverPx / FOLD_PX, 0), 1);
}

function gapOf(pitchPx) {
  if (pitchPx >= 18) return Math.round(pitchPx * 0.22);
  return pitchPx >= 8 ? 2 : 1;
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
