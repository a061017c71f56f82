// @ts-check

// What happened in a marked stretch of time: time per state of the loops and of the requests, and
// which runs took the loop longest. Pure; whole blocks of spans are taken by their sums.

import { Sums } from "./sums.js";
import { GONE, LOOP_LANE, RUNNING, STATES, isRequestKind } from "../wire.js";

export const MAX_CULPRITS = 4;
/** One for all lanes: they are summed up one after the other. */
const sums = new Sums();

/**
 * @typedef {{info: number, who: number, count: number, ns: number, longestNs: number, lane: number,
 *   longestStartNs: number}} Culprit
 *   runs of one name: how many, together, and the longest of them
 * @typedef {object} Totals
 * @property {number} lengthNs
 * @property {number} loops
 * @property {number} requests
 * @property {Float64Array} loopNs per state, over all loops
 * @property {Float64Array} requestNs per state, over all requests
 * @property {number} blockedNs of the loops' running time what ran longer than the threshold
 * @property {Culprit[]} culprits worst first
 */

/**
 * @param {readonly import("./lanes.js").Lane[]} lanes
 * @param {{startNs: number, endNs: number}} area
 * @param {number} nowNs where open spans end
 * @param {number} stallNs
 * @returns {Totals}
 */
export function totalsOf(lanes, area, nowNs, stallNs) {
  const endNs = Math.min(area.endNs, nowNs);
  const totals = {
    lengthNs: Math.max(endNs - area.startNs, 0),
    loops: 0,
    requests: 0,
    loopNs: new Float64Array(STATES.length),
    requestNs: new Float64Array(STATES.length),
    blockedNs: 0,
    /** @type {any[]} */
    culprits: [],
  };
  const runs = new Map();
  for (const lane of lanes) {
    if (lane.startNs >= endNs || lane.endNs <= area.startNs) continue;
    if (lane.kind === LOOP_LANE) {
      totals.loops += 1;
      sumStates(lane.spans, area.startNs, endNs, nowNs, totals.loopNs);
      totals.blockedNs += gatherRuns(lane, area.startNs, endNs, nowNs, stallNs, runs);
    } else if (isRequestKind(lane.kind)) {
      totals.requests += 1;
      sumStates(lane.spans, area.startNs, endNs, nowNs, totals.requestNs);
    }
  }
  totals.culprits = [...runs.values()].sort((one, other) => other.ns - one.ns).slice(0, MAX_CULPRITS);
  return totals;
}

/**
 * Add the time in each state between two moments.
 * @param {import("./columns.js").Spans} spans
 * @param {number} startNs
 * @param {number} endNs
 * @param {number} nowNs
 * @param {Float64Array} into one per state
 */
export function sumStates(spans, startNs, endNs, nowNs, into) {
  let i = spans.firstEndingAfter(startNs);
  while (i < spans.count && spans.startNs(i) < endNs) {
    if (spans.startNs(i) >= startNs) {
      sums.clear();
      i = spans.gather(i, endNs, endNs, sums);
      for (let state = GONE + 1; state < STATES.length; state += 1) into[state] += sums.ns[state];
      if (spans.startNs(i) >= endNs) return;
    }
    const lengthNs = Math.min(spans.endNs(i, nowNs), endNs) - Math.max(spans.startNs(i), startNs);
    if (spans.state(i) !== GONE && lengthNs > 0) {
      // Of a merged span's part, its share: more is not known of it.
      const ranNs = spans.ranNs(i) * (lengthNs / (spans.endNs(i, nowNs) - spans.startNs(i)));
      into[spans.state(i)] += lengthNs - ranNs;
      into[RUNNING] += ranNs;
    }
    i += 1;
  }
}

/** @returns {number} how much of it was blocked */
function gatherRuns(lane, startNs, endNs, nowNs, stallNs, runs) {
  const { spans } = lane;
  let blockedNs = 0;
  for (let i = spans.firstEndingAfter(startNs); i < spans.count && spans.startNs(i) < endNs; i += 1) {
    if (spans.state(i) !== RUNNING) continue;
    const wholeNs = spans.endNs(i, nowNs) - spans.startNs(i);
    const lengthNs = Math.min(spans.endNs(i, nowNs), endNs) - Math.max(spans.startNs(i), startNs);
    if (lengthNs <= 0) continue;
    if (wholeNs >= stallNs) blockedNs += lengthNs;
    const info = spans.info(i);
    let run = runs.get(info);
    if (!run) {
      run = { info, who: 0, count: 0, ns: 0, longestNs: -1, lane: lane.id, longestStartNs: 0 };
      runs.set(info, run);
    }
    run.count += 1;
    run.ns += lengthNs;
    if (lengthNs > run.longestNs) {
      Object.assign(run, { longestNs: lengthNs, who: spans.who(i), lane: lane.id, longestStartNs: spans.startNs(i) });
    }
  }
  return blockedNs;
}
