// @ts-check

// The moments at which something changes on a loop: what one step forwards or backwards means.
// Pure readings of the lanes.

import { LOOP_LANE, REQUEST_LANE, RUNNING } from "../wire.js";
import { isOnLoop } from "./moment.js";

/**
 * @typedef {import("./lanes.js").Lane} Lane
 * @typedef {{lane: Lane, i: number, ns: number}} Change a lane enters its span i at ns
 */

/**
 * The first change after this time, or null.
 * @param {readonly Lane[]} lanes
 * @param {(lane: Lane) => boolean} counts
 * @param {number} ns
 * @returns {number | null}
 */
export function nextChangeNs(lanes, counts, ns) {
  let best = Infinity;
  for (const lane of lanes) {
    // Lanes stand in the order in which they began.
    if (lane.startNs >= best) break;
    if (lane.endNs <= ns || !counts(lane)) continue;
    const { spans } = lane;
    for (let i = spans.indexAt(ns) + 1; i < spans.count && spans.startNs(i) < best; i += 1) {
      if (!isTold(lane, i)) continue;
      best = spans.startNs(i);
      break;
    }
  }
  return best === Infinity ? null : best;
}

/**
 * The last change before this time, or null.
 * @param {readonly Lane[]} lanes
 * @param {(lane: Lane) => boolean} counts
 * @param {number} ns
 * @returns {number | null}
 */
export function previousChangeNs(lanes, counts, ns) {
  let best = -Infinity;
  for (const lane of lanes) {
    if (lane.startNs >= ns) break;
    if (lane.endNs <= best || !counts(lane)) continue;
    const { spans } = lane;
    for (let i = spans.indexAt(ns); i >= 0 && spans.startNs(i) > best; i -= 1) {
      if (spans.startNs(i) >= ns || !isTold(lane, i)) continue;
      best = spans.startNs(i);
      break;
    }
  }
  return best === -Infinity ? null : best;
}

/**
 * What changed at this time or last before it: the task's part of it, if it has one.
 * @param {readonly Lane[]} lanes
 * @param {number} loop
 * @param {number} ns
 * @returns {Change | null}
 */
export function changeAt(lanes, loop, ns) {
  /** @type {Change | null} */
  let last = null;
  for (const lane of lanes) {
    if (lane.startNs > ns) break;
    if (lane.loop !== loop || !(isOnLoop(lane) || lane.kind === LOOP_LANE)) continue;
    if (last && lane.endNs < last.ns) continue;
    let i = lane.spans.indexAt(ns);
    while (i >= 0 && !isTold(lane, i)) i -= 1;
    if (i < 0) continue;
    const startNs = lane.spans.startNs(i);
    const isBetter = !last || startNs > last.ns || (startNs === last.ns && rank(lane, i) > rank(last.lane, last.i));
    if (isBetter) last = { lane, i, ns: startNs };
  }
  return last;
}

/** Lanes that belong to the story of one loop. */
export function ofLoop(loop) {
  return (lane) => lane.loop === loop && (isOnLoop(lane) || lane.kind === LOOP_LANE);
}

/** Only the requests': what one means by a step while the app's own tasks are hidden. */
export function ofRequests(loop) {
  return (lane) => lane.loop === loop && lane.kind === REQUEST_LANE;
}

/** The loop lane repeats what its tasks tell, but for callbacks that belong to nobody. */
function isTold(lane, i) {
  return lane.kind !== LOOP_LANE || (lane.spans.state(i) === RUNNING && !lane.spans.who(i));
}

/** Of changes at one time: a request that begins to run, a request, a task that does, a task, the loop. */
function rank(lane, i) {
  if (lane.kind === LOOP_LANE) return 0;
  return (lane.request ? 3 : 1) + (lane.spans.state(i) === RUNNING ? 1 : 0);
}
