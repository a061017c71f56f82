// @ts-check

// What a crowded pixel shows: the one rule by which thousands of slices become a few hundred
// rectangles. Pure; the work is bounded by pixels, not by slices.
//
// A slice at least a column wide is itself; a column is the least width that can be seen from afar,
// a pixel or two. Narrower slices share a column:
//   1. any stall in it: the whole column is blocked, however much else is there;
//   2. else its ground is the state that took most of the time, runs aside;
//   3. and if anything ran in it, a green tick rises as high as the share of the column that ran, but
//      never lower than can be seen; on the loop's lane lower for its housekeeping than for a request.

import { Sums } from "../model/sums.js";
import { MERGED } from "../model/thinning.js";
import { BLOCKED, GONE, RUNNING, STATES } from "../wire.js";


/**
 * @typedef {{served: number, own: number}} Ticks least height of a tick, for a request and without
 * @typedef {{columnPx: number, leastPx: number, ticks: Ticks}} Look least: width of a lonely column
 */
/** @type {Ticks} */
export const PLAIN_TICKS = Object.freeze({ served: 0.6, own: 0.6 });
/** True shares, for rows in which no tick fits. @type {Ticks} */
export const TRUE_TICKS = Object.freeze({ served: 0, own: 0 });
/** What division may add to a whole pixel. */
const ROUNDING_PX = 1e-6;
/** @type {Look} */
const PLAIN_LOOK = Object.freeze({ columnPx: 1, leastPx: 1, ticks: PLAIN_TICKS });
/** @type {Ticks} */
export const LOOP_TICKS = Object.freeze({ served: 0.7, own: 0.3 });

/**
 * @typedef {object} Pen
 * @property {(state: number, leftPx: number, rightPx: number, i: number) => void} slice
 * @property {(state: number, leftPx: number, rightPx: number, tick: number) => void} column tick:
 *   height of the run in it, 0 to 1; columns come from left to right
 */

/**
 * @param {import("../model/columns.js").Spans} spans
 * @param {import("../view/scale.js").Scale} scale
 * @param {number} nowNs end of the open span
 * @param {number} stallNs
 * @param {Pen} pen
 * @param {Look} [look]
 */
export function resolve(spans, scale, nowNs, stallNs, pen, look = PLAIN_LOOK) {
  const { count } = spans;
  const { starts, states, whos } = spans.pool;
  const columnNs = scale.nsPerPx * look.columnPx;
  const lastNs = Math.min(scale.endNs, nowNs);
  const column = new Column(scale, stallNs, pen, look);
  let i = spans.firstEndingAfter(scale.startNs);
  // Each span is read once, field by field: of a hundred thousand every look counts.
  let at = i < count ? spans.slot(i) : -1;
  while (i < count) {
    const startNs = starts[at];
    if (startNs > lastNs) break;
    const next = i + 1 < count ? spans.slot(i + 1) : -1;
    const endNs = next < 0 ? nowNs : Math.min(starts[next], nowNs);
    const isMerged = (states[at] & MERGED) !== 0;
    const state = states[at] & ~MERGED;
    const lengthNs = endNs - startNs;
    if (lengthNs >= columnNs) {
      const freePx = column.end(state);
      const leftPx = Math.max(scale.toPx(startNs), freePx, scale.leftPx);
      const rightPx = Math.min(scale.toPx(endNs), scale.rightPx);
      const shown = state === RUNNING && lengthNs >= stallNs ? BLOCKED : state;
      if (state === GONE || rightPx <= leftPx) {
        // Nothing to see.
      } else if (isMerged) {
        // It was crowded once, and looks as it did then: like a column, however wide it is by now.
        pen.column(state, Math.round(leftPx), Math.round(rightPx), tickOf(spans.ranNs(i), lengthNs, look.ticks.own));
      } else {
        pen.slice(shown, leftPx, rightPx, i);
      }
      i += 1;
      at = next;
      continue;
    }
    if (startNs >= column.endNs) {
      // Columns are stretches of time, not of the screen: scrolling moves them and never mixes them.
      const beginNs = Math.floor(Math.max(startNs, scale.startNs) / columnNs) * columnNs;
      column.begin(Math.max(startNs, scale.startNs), beginNs + columnNs);
    }
    const beyond = spans.gather(i, lastNs, Math.min(column.endNs, nowNs), sums);
    if (beyond > i) {
      i = beyond;
      at = spans.slot(i);
      column.lastNs = starts[at];
    } else {
      // It is the last one, or reaches into the next column.
      sums.add(states[at], lengthNs, whos[at]);
      column.lastNs = endNs;
      i += 1;
      at = next;
    }
  }
  column.end(GONE);
}

// Of the column being filled. One for all: only one column is open at a time.
const sums = new Sums();

class Column {
  #scale;
  #leastPx;
  #stallNs;
  #pen;
  #least;
  #leftPx = NaN;
  /** What the lane was in before this column: it has the rest of it. */
  #before = GONE;
  /** Where the slices gathered so far end, and where the column must. */
  lastNs = 0;
  endNs = -Infinity;

  constructor(scale, stallNs, pen, { leastPx, ticks }) {
    this.#scale = scale;
    this.#leastPx = leastPx;
    this.#stallNs = stallNs;
    this.#pen = pen;
    this.#least = ticks;
    sums.clear();
  }

  begin(startNs, endNs) {
    if (!Number.isNaN(this.#leftPx)) this.#before = this.#draw();
    this.#leftPx = Math.floor(this.#scale.toPx(startNs) + ROUNDING_PX);
    this.endNs = endNs;
  }

  /**
   * Draw what is open; a slice of this state follows.
   * @returns {number} the first pixel that is free for it
   */
  end(next) {
    const freePx = this.#rightPx();
    if (!Number.isNaN(this.#leftPx)) this.#draw();
    this.#before = next;
    this.#leftPx = NaN;
    this.endNs = -Infinity;
    return Number.isNaN(freePx) ? -Infinity : freePx;
  }

  #rightPx() {
    return Math.max(Math.ceil(this.#scale.toPx(this.lastNs) - ROUNDING_PX), this.#leftPx + this.#leastPx);
  }

  /** @returns {number} its ground */
  #draw() {
    const ground = this.#groundState();
    const rightPx = this.#rightPx();
    if (sums.longestRunNs >= this.#stallNs) this.#pen.column(BLOCKED, this.#leftPx, rightPx, 0);
    else if (ground !== GONE) this.#pen.column(ground, this.#leftPx, rightPx, this.#tick(ground, rightPx));
    sums.clear();
    return ground;
  }

  #groundState() {
    let ground = GONE;
    for (let s = GONE + 1; s < STATES.length; s += 1) {
      if (s !== RUNNING && sums.ns[s] > (ground === GONE ? 0 : sums.ns[ground])) ground = s;
    }
    if (ground !== GONE) return ground;
    if (sums.first === RUNNING && this.#before !== GONE) return this.#before;
    return sums.first;
  }

  #tick(ground, rightPx) {
    const ranNs = sums.ns[RUNNING];
    if (ground === RUNNING) return 0;
    // At the edge of a life the column is not full: then the share is of what there is.
    let wholeNs = (rightPx - this.#leftPx) * this.#scale.nsPerPx;
    if (this.#before === GONE) wholeNs = sums.ns.reduce((sum, ns) => sum + ns, 0);
    const least = sums.isServed ? this.#least.served : this.#least.own;
    return tickOf(ranNs, wholeNs, least);
  }
}

function tickOf(ranNs, wholeNs, least) {
  return ranNs === 0 ? 0 : Math.min(Math.max(ranNs / wholeNs, least), 1);
}
