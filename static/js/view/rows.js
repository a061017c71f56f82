// @ts-check

// Where each row stands, and how tall it is. When not all can be tall, what lives and what has just
// ended keep their height and what is over makes room; culprit, pins and selection are always legible.
// Pure.

import { formatFamily } from "../format.js";
import { LOOP_LANE } from "../wire.js";
import { EVERYTHING, orderLanes } from "./order.js";

/**
 * @typedef {import("../model/lanes.js").Lane} Lane
 * @typedef {{lane: Lane, count: number}} Bunch low neighbours of one name, in sight or not
 * @typedef {{lane: Lane, topPx: number, heightPx: number, pitchPx: number, depth: number,
 *   bunch: Bunch | null}} Row
 *   pitch: from this row's top to the next row's, so that rows without gaps can be hit
 * @typedef {object} Sizes from tokens.css
 * @property {number} axisPx
 * @property {number} loopPx
 * @property {number} pitchPx the tallest row, gap included
 * @property {number} threadPx
 * @property {number} columnPx the least width of a lonely slice
 * @property {number} textPx how tall names and words are
 * @typedef {object} View
 * @property {number} heightPx @property {number} scrollPx
 * @property {boolean} folds
 * @property {number} nowNs the end of the picture
 * @property {(lane: Lane) => boolean} isTall must this one stay legible in any crowd?
 * @property {import("./order.js").Wanted} [wanted]
 * @typedef {object} RowPlan
 * @property {Row[]} pinned loop lanes and pins
 * @property {Row[]} rows the others that are in sight
 * @property {number} topPx where scrolled rows begin
 * @property {number} contentPx height of all scrolled rows
 * @property {number} scrollPx as far as really scrolled
 * @property {number} overflowPx as far as it could be scrolled
 * @property {number} hiddenTasks
 * @property {number} filtered
 * @property {{text: string, topPx: number, heightPx: number}[]} headings of sections
 * @property {Lane[]} order all lanes that have a row, in sight or not
 * @property {(lane: Lane) => {topPx: number, bottomPx: number} | null} placeOf a scrolled row, from
 *   where they begin
 */

/** Two hundred rows then fit a laptop; lower ones would only be a blur. Beyond, rows scroll. */
export const MIN_PITCH_PX = 2.5;
/** A row lower than so many heights of its text has no room for a name. */
const NAME = 1.15;
/** A lane that leaves on the left folds up over this distance, so that rows never jump. */
const FOLD_PX = 36;
/** What ended stays tall for this distance, and shrinks over as much again. */
const FRESH_PX = 24;
const GAP_PX = 10;
const HEADING_PX = 22;
/** Tall rows and threads may take this much of the room, or what others leave, before they shrink like them. */
const TALL_SHARE = 0.5;
const MINOR_SHARE = 0.25;
const FIXED_SHARE = 0.4;
/** What lives has this much of the room even if what is over must then scroll. */
const ALIVE_SHARE = 0.5;

/**
 * @param {readonly Lane[]} lanes in the order in which they began
 * @param {import("./scale.js").Scale} scale
 * @param {View} view
 * @param {Sizes} sizes
 * @returns {RowPlan}
 */
export function planRows(lanes, scale, view, sizes) {
  const { fixed, entries, hiddenTasks, filtered } = orderLanes(lanes, scale, view.wanted ?? EVERYTHING);
  const pinned = pin(fixed, view, sizes);
  const topPx = pinned.length ? bottomOf(pinned) : sizes.axisPx;
  /** @type {RowPlan} */
  const plan = { pinned, rows: [], topPx, contentPx: 0, scrollPx: 0, overflowPx: 0, hiddenTasks, filtered, headings: [], order: [], placeOf: () => null };
  plan.order = [...fixed, ...entries.map(({ lane }) => lane)];

  const airs = entries.map((entry, i) => airBefore(entry, entries[i - 1]));
  const minorCount = entries.filter(({ isMinor }) => isMinor).length;
  const roomPx = view.heightPx - topPx - GAP_PX / 2 - airs.reduce((sum, airPx) => sum + airPx, 0);
  const majors = entries.filter(({ isMinor }) => !isMinor).map(({ lane }) => lane);
  const wishPx = majors.reduce((sum, lane) => sum + shareOf(lane, scale, view), 0) * sizes.pitchPx;
  const minorPx = pitchFor(Math.max(roomPx * MINOR_SHARE, roomPx - wishPx), minorCount, sizes.threadPx);
  const pitches = pitchesFor(majors, roomPx - minorCount * minorPx, scale, view, sizes);

  const tops = new Float64Array(entries.length + 1);
  let yPx = 0;
  let major = 0;
  entries.forEach((entry, i) => {
    tops[i] = yPx + airs[i];
    yPx = tops[i] + (entry.isMinor ? minorPx : pitches[major++]);
  });
  tops[entries.length] = yPx;
  plan.contentPx = yPx;
  plan.placeOf = (lane) => {
    const i = entries.findIndex((entry) => entry.lane === lane);
    return i < 0 ? null : { topPx: tops[i], bottomPx: tops[i + 1] - (airs[i + 1] ?? 0) };
  };
  plan.overflowPx = Math.max(0, plan.contentPx - (view.heightPx - topPx));
  plan.scrollPx = Math.min(Math.max(view.scrollPx, 0), plan.overflowPx);
  const bunches = new Bunches();
  entries.forEach(({ lane, section, heading, depth }, i) => {
    const pitchPx = tops[i + 1] - (airs[i + 1] ?? 0) - tops[i];
    const atPx = topPx + tops[i] - plan.scrollPx;
    const bunch = bunches.take(lane, section, depth, pitchPx < NAME * sizes.textPx);
    if (heading && atPx > topPx) plan.headings.push({ text: heading, topPx: atPx - airs[i], heightPx: airs[i] });
    if (atPx + pitchPx <= topPx || atPx >= view.heightPx) return;
    // Whole pixels, or every edge would be a smear.
    const rowTopPx = Math.round(atPx);
    const bottomPx = Math.round(atPx + pitchPx - gapOf(pitchPx));
    plan.rows.push({ lane, topPx: rowTopPx, heightPx: bottomPx - rowTopPx, pitchPx, depth, bunch });
  });
  return plan;
}

/** @returns {Row | null} the row at this height */
export function rowAt(plan, yPx) {
  const pool = yPx < plan.topPx ? plan.pinned : plan.rows;
  return pool.find((row) => yPx >= row.topPx && yPx < row.topPx + row.pitchPx) ?? null;
}

/** @returns {number} */
function airBefore(entry, before) {
  if (entry.section === before?.section) return 0;
  if (entry.heading) return HEADING_PX;
  return before ? GAP_PX : 0;
}

/** Loops, then pins: always in sight, but never all that is. */
function pin(lanes, view, sizes) {
  const loops = lanes.filter(({ kind }) => kind === LOOP_LANE).length;
  const others = lanes.length - loops;
  const wishPx = loops * (sizes.loopPx + GAP_PX) + others * sizes.pitchPx;
  const squeeze = Math.min(1, ((view.heightPx - sizes.axisPx) * FIXED_SHARE) / Math.max(wishPx, 1));
  const factor = loops > 1 || others ? squeeze : 1;
  let yPx = sizes.axisPx;
  return lanes.map((lane) => {
    const isLoop = lane.kind === LOOP_LANE;
    const pitchPx = (isLoop ? sizes.loopPx + GAP_PX : sizes.pitchPx) * factor;
    const gapPx = isLoop ? GAP_PX * factor : gapOf(pitchPx);
    const topPx = Math.round(yPx);
    yPx += pitchPx;
    const heightPx = Math.max(Math.round(yPx - gapPx) - topPx, 2);
    return { lane, topPx, heightPx, pitchPx, depth: 0, bunch: null };
  });
}

/**
 * Three ranks: what must be legible; what lives, by how fresh it is; the rest. Each rank takes what it
 * needs of the room and leaves the least pitch to those behind it.
 */
function pitchesFor(lanes, roomPx, scale, view, sizes) {
  const folds = lanes.map((lane) => shareOf(lane, scale, view));
  const tall = lanes.map((lane) => view.isTall(lane));
  const tallPx = folds.reduce((sum, fold, i) => sum + (tall[i] ? fold : 0), 0) * sizes.pitchPx;
  if (tallPx > roomPx * TALL_SHARE) tall.fill(false);
  const lowRoomPx = roomPx - (tall.includes(true) ? tallPx : 0);
  const fresh = lanes.map((lane) => freshnessOf(lane, scale, view.nowNs));
  let alive = 0;
  let over = 0;
  folds.forEach((fold, i) => {
    if (tall[i]) return;
    alive += fold * fresh[i];
    over += fold * (1 - fresh[i]);
  });
  const alivePx = Math.max(
    pitchFor(lowRoomPx - over * MIN_PITCH_PX, alive, sizes.pitchPx),
    pitchFor(lowRoomPx * ALIVE_SHARE, alive, sizes.pitchPx),
  );
  const overPx = Math.min(pitchFor(lowRoomPx - alive * alivePx, over, sizes.pitchPx), alivePx);
  return folds.map((fold, i) => {
    if (tall[i]) return fold * sizes.pitchPx;
    return fold * (overPx + (alivePx - overPx) * fresh[i]);
  });
}

function pitchFor(roomPx, count, tallestPx) {
  return Math.max(MIN_PITCH_PX, Math.min(tallestPx, roomPx / Math.max(count, 1e-9)));
}

/** 1: alive at the right edge, or just over; 0: long over. In between it shrinks without a jump. */
function freshnessOf(lane, scale, nowNs) {
  if (lane.endNs === Infinity) return 1;
  const agoPx = (Math.min(nowNs, scale.endNs) - lane.endNs) / scale.nsPerPx;
  return Math.min(Math.max(2 - agoPx / FRESH_PX, 0), 1);
}

/** How much of a row's height a lane has: 1, but that one which leaves on the left folds up. */
function shareOf(lane, scale, view) {
  if (!view.folds || lane.endNs === Infinity) return 1;
  const leftoverPx = scale.toPx(lane.endNs) - scale.leftPx;
  return Math.min(Math.max(leftoverPx / FOLD_PX, 0), 1);
}

/** Low neighbours of one name are counted together, wherever they are scrolled to. */
class Bunches {
  /** @type {Bunch | null} */
  #open = null;
  #key = "";

  take(lane, section, depth, isLow) {
    if (!isLow) {
      this.#open = null;
      return null;
    }
    // Threads are numbered: their names differ, and yet they are one pool.
    const name = lane.request || depth ? lane.label : formatFamily(lane.label);
    const key = `${section} ${depth} ${lane.kind} ${name}`;
    if (!this.#open || key !== this.#key) this.#open = { lane, count: 0 };
    this.#key = key;
    this.#open.count += 1;
    return this.#open;
  }
}

function bottomOf(rows) {
  const last = rows[rows.length - 1];
  return last.topPx + last.pitchPx;
}

function gapOf(pitchPx) {
  if (pitchPx >= 18) return Math.round(pitchPx * 0.22);
  if (pitchPx >= 8) return 2;
  return pitchPx >= 3 ? 1 : 0;
}
