// @ts-check

// Who made a task go on: the wake before a slice, and what a wait waits for. Pure; the chain is followed
// by asking again at the place that was found.

import { READY, WAITING, readInfo } from "../wire.js";

/** Between a wake and its slice lie a few spans, never more. */
const LOOK_BACK = 8;

/** A wake by none of the tasks, in words. */
const KIND_WORDS = Object.freeze({
  task: "a task",
  timer: "a timer",
  socket: "a socket",
  thread: "a thread",
  signal: "a signal",
  process: "a process",
  callback: "a callback",
});

/**
 * @typedef {object} Wake
 * @property {number} ns when
 * @property {number} lane of the task that did it, or that is waited for; 0: none of them
 * @property {string} words who, when it is not told by the lane: "a timer"
 * @property {boolean} isWait it has not happened yet
 */

/**
 * What made this slice possible, or what it waits for.
 * @param {import("./lanes.js").Lane} lane
 * @param {number} i
 * @param {(index: number) => string} text
 * @param {number} nowNs
 * @returns {Wake | null}
 */
export function wakeOf(lane, i, text, nowNs) {
  const { spans } = lane;
  if (i < 0 || i >= spans.count) return null;
  if (spans.state(i) === WAITING && spans.who(i)) {
    return { ns: Math.min(spans.endNs(i, nowNs), nowNs), lane: spans.who(i), words: "", isWait: true };
  }
  for (let k = i; k >= Math.max(i - LOOK_BACK, 0); k -= 1) {
    if (spans.state(k) !== READY) continue;
    const { what, place } = readInfo(text(spans.info(k)));
    const words = `${KIND_WORDS[what] ?? what}${place ? ` (${place})` : ""}`;
    return words || spans.who(k) ? { ns: spans.startNs(k), lane: spans.who(k), words, isWait: false } : null;
  }
  return null;
}
