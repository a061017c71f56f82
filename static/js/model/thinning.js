// @ts-check

// How what is old is made less, so that an hour fits where a few minutes did: of neighbours the longest
// stay, and the closer together and the older, the sooner the others go. Pure.
//
// Spans are thinned in groups of two blocks, of which one is left. What takes most of a group's time, runs
// aside, is its ground (idle, a wait); the longest of the others stay exactly as they were, stalls and losses
// always; what lies between them is merged into spans that know how much of them ran.

import { BLOCK } from "./pool.js";
import { GONE, IDLE, LOST, RUNNING, STATES } from "../wire.js";

/** Set in a span's state: it is several. Its `info` then is how many, and its `who` how much of it ran. */
export const MERGED = 0x80;
/** Spans that are thinned together. */
export const GROUP = 2 * BLOCK;

/** Room for one group: filled, thinned in place, read again. */
export class Group {
  starts = new Float64Array(GROUP);
  states = new Uint8Array(GROUP);
  infos = new Uint32Array(GROUP);
  whos = new Uint32Array(GROUP);
  #lengths = new Float64Array(GROUP);
  /** 1: a piece begins with this span. */
  #cuts = new Uint8Array(GROUP);
  #pieces = 0;
  #sums = new Float64Array(STATES.length);
  #order = Array.from({ length: GROUP }, (_, k) => k);
  #byLength = (one, other) => this.#lengths[other] - this.#lengths[one] || one - other;

  set(k, startNs, state, info, who) {
    this.starts[k] = startNs;
    this.states[k] = state;
    this.infos[k] = info;
    this.whos[k] = who;
  }

  /**
   * @param {number} endNs of the last span
   * @param {number} stallNs a run of this length stays
   * @param {number} ranUnitNs what a merged span's running time is counted in
   * @returns {boolean} false: too many must stay; else the first block of it is what is left
   */
  thin(endNs, stallNs, ranUnitNs) {
    for (let k = 0; k < GROUP; k += 1) {
      this.#lengths[k] = (k + 1 < GROUP ? this.starts[k + 1] : endNs) - this.starts[k];
    }
    this.#sumUp(0, GROUP, ranUnitNs);
    if (!this.#cut(this.#ground(), stallNs)) return false;
    let into = 0;
    for (let from = 0; from < GROUP; ) {
      let to = from + 1;
      while (to < GROUP && !this.#cuts[to]) to += 1;
      if (to === from + 1) this.#move(into, from);
      else this.#merge(into, from, to, ranUnitNs);
      into += 1;
      from = to;
    }
    return true;
  }

  /** Into as many pieces as a block has room for; a piece of one span is that span. */
  #cut(ground, stallNs) {
    this.#cuts.fill(0);
    this.#cuts[0] = 1;
    this.#pieces = 1;
    for (let k = 0; k < GROUP; k += 1) {
      const state = this.states[k];
      if (state === GONE || state === LOST || (state === RUNNING && this.#lengths[k] >= stallNs)) this.#cutOut(k);
    }
    if (this.#pieces > BLOCK) return false;
    this.#order.sort(this.#byLength);
    for (const k of this.#order) {
      if (this.#pieces + 2 > BLOCK) break;
      if (!(this.states[k] & MERGED) && this.states[k] !== ground) this.#cutOut(k);
    }
    for (const k of this.#order) {
      if (this.#pieces === BLOCK) break;
      this.#cutAt(k);
    }
    return true;
  }

  #cutOut(k) {
    this.#cutAt(k);
    this.#cutAt(k + 1);
  }

  #cutAt(k) {
    if (this.#cuts[k] || k === GROUP) return;
    this.#cuts[k] = 1;
    this.#pieces += 1;
  }

  #move(into, from) {
    this.set(into, this.starts[from], this.states[from], this.infos[from], this.whos[from]);
  }

  /** Several become the span at `into`, which is never after them. */
  #merge(into, from, to, ranUnitNs) {
    this.#sumUp(from, to, ranUnitNs);
    let slices = 0;
    for (let k = from; k < to; k += 1) slices += this.states[k] & MERGED ? this.infos[k] : 1;
    const ran = Math.round(this.#sums[RUNNING] / ranUnitNs);
    this.set(into, this.starts[from], this.#ground() | MERGED, slices, ran);
  }

  #sumUp(from, to, ranUnitNs) {
    this.#sums.fill(0);
    for (let k = from; k < to; k += 1) {
      const ranNs = this.states[k] & MERGED ? this.whos[k] * ranUnitNs : 0;
      this.#sums[this.states[k] & ~MERGED] += this.#lengths[k] - ranNs;
      this.#sums[RUNNING] += ranNs;
    }
  }

  /** Nothing but runs: idle, for no time at all. */
  #ground() {
    let ground = IDLE;
    for (let state = GONE + 1; state < STATES.length; state += 1) {
      if (state !== RUNNING && state !== LOST && this.#sums[state] > this.#sums[ground]) ground = state;
    }
    return ground;
  }
}

/**
 * @typedef {(startNs: number, nextNs: number, endNs?: number) => boolean} IsDense from one beginning to the
 *   next; the age counts from the end
 */

/** Of an hour that is 50 ms. */
const FINEST = 2 ** -16;

/**
 * Whether two moments lie close for their age, by ever coarser measures: first of what is older than was
 * promised, but never so much that nothing of it is left; then of all.
 * @param {number} promisedNs
 * @param {number} nowNs
 * @param {number} coarsest share of its age by which what is older than promised may be thinned
 * @returns {Generator<IsDense>}
 */
export function* measures(promisedNs, nowNs, coarsest) {
  /** @type {(youngestNs: number, share: number) => IsDense} */
  const isDense = (youngestNs, share) => (startNs, nextNs, endNs = nextNs) => {
    return endNs <= youngestNs && nextNs - startNs < (youngestNs - endNs) * share;
  };
  for (let share = FINEST; share <= coarsest; share *= 2) yield isDense(promisedNs, share);
  for (let share = FINEST; share <= 1; share *= 2) yield isDense(nowNs, share);
}

/**
 * Which of the lanes that ended go, so that at least so many do: of two neighbours that began close together
 * for their age the lighter one.
 * @param {readonly import("./lanes.js").Lane[]} lanes that ended, in the order in which they began
 * @param {object} how
 * @param {number} how.wanted
 * @param {Iterable<IsDense>} how.measures
 * @param {(lane: import("./lanes.js").Lane) => number} how.weightOf
 * @param {(lane: import("./lanes.js").Lane) => number} how.sizeOf how many go with it, itself included
 */
export function chooseDoomed(lanes, { wanted, measures: ever, weightOf, sizeOf }) {
  /** @type {Set<import("./lanes.js").Lane>} */
  const doomed = new Set();
  let gone = 0;
  for (const isDense of ever) {
    /** @type {import("./lanes.js").Lane | null} */
    let before = null;
    for (const lane of lanes) {
      if (gone >= wanted) return doomed;
      if (doomed.has(lane)) continue;
      if (!before || !isDense(before.startNs, lane.startNs, Math.max(before.endNs, lane.endNs))) {
        before = lane;
        continue;
      }
      const lighter = weightOf(lane) < weightOf(before) ? lane : before;
      doomed.add(lighter);
      gone += sizeOf(lighter);
      before = null;
    }
  }
  return doomed;
}
