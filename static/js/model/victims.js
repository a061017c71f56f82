// @ts-check

// When a lane stood still because of a stall: it was ready, due or at the door while one step of
// another held the loop. Pure.

import { DUE, OUTSIDE, READY, isOn } from "../wire.js";

const HELD_UP = new Set([READY, DUE, OUTSIDE]);

/**
 * @typedef {{startNs: number, endNs: number, lanes: ReadonlySet<number>}} Hold a stall and its victims
 * @typedef {{state: number, startNs: number, endNs: number}} Stretch
 */

/**
 * The stalls in sight that have victims, by loop.
 * @param {import("./history.js").History} history
 * @param {{startNs: number, endNs: number}} sight
 * @param {number} nowNs an open stall lasts until then
 * @returns {Map<number, Hold[]>}
 */
export function holdsByLoop({ stalls, victims, stallNs }, sight, nowNs) {
  const byLoop = new Map();
  for (const stall of stalls.values()) {
    const lanes = victims.get(stall.id);
    const startNs = stall.start_ns;
    const endNs = isOn(stall) ? nowNs : startNs + stall.duration_ms * 1e6;
    // What is shorter than the threshold is now is not drawn as a stall either.
    if (!lanes?.size || startNs >= Math.min(sight.endNs, nowNs) || endNs <= sight.startNs || endNs - startNs < stallNs) {
      continue;
    }
    if (!byLoop.has(stall.loop)) byLoop.set(stall.loop, []);
    byLoop.get(stall.loop).push({ startNs, endNs, lanes });
  }
  return byLoop;
}

/**
 * @param {import("./lanes.js").Lane} lane
 * @param {readonly Hold[]} holds of its loop
 * @param {number} nowNs
 * @returns {Stretch[]} where it was held up, and in which state
 */
export function heldStretches(lane, holds, nowNs) {
  const found = [];
  for (const hold of holds) {
    if (!hold.lanes.has(lane.id)) continue;
    const { spans } = lane;
    for (let i = spans.firstEndingAfter(hold.startNs); i < spans.count && spans.startNs(i) < hold.endNs; i += 1) {
      if (!HELD_UP.has(spans.state(i))) continue;
      const startNs = Math.max(spans.startNs(i), hold.startNs);
      const endNs = Math.min(spans.endNs(i, nowNs), hold.endNs, nowNs);
      if (endNs > startNs) found.push({ state: spans.state(i), startNs, endNs });
    }
  }
  return found;
}
