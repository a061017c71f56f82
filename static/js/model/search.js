// @ts-check

// Find the next slice that has the words: in its lane's name, in what it runs or waits for, or where.
// Slices are ordered by time, then by lane. Pure.

import { GONE } from "../wire.js";

/**
 * @param {readonly import("./lanes.js").Lane[]} lanes
 * @param {readonly string[]} strings
 * @param {string} words
 * @param {{lane: number, startNs: number}} from the slice to go on from
 * @param {number} step 1: the next; -1: the one before
 * @returns {{lane: number, startNs: number} | null}
 */
export function nextMatch(lanes, strings, words, from, step) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return null;
  const has = (text) => wanted.every((word) => text.toLowerCase().includes(word));
  const matches = strings.map(has);
  /** @type {{lane: number, startNs: number} | null} */
  let best = null;
  for (const lane of lanes) {
    const isNamed = has(`${lane.request ? `#${lane.request} ` : ""}${lane.label}`);
    // Of a lane with that name each life is one find, not each of its slices.
    const { spans } = lane;
    for (let i = 0; i < spans.count; i += 1) {
      const isFound = isNamed ? i === 0 : spans.state(i) !== GONE && matches[spans.info(i)];
      if (!isFound) continue;
      const found = { lane: lane.id, startNs: spans.startNs(i) };
      if (order(found, from) * step <= 0) continue;
      if (best === null || order(found, best) * step < 0) best = found;
      if (isNamed) break;
    }
  }
  return best;
}

function order(one, other) {
  return one.startNs - other.startNs || one.lane - other.lane;
}
