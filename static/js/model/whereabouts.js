// @ts-check

// At which line of code a lane is at a moment. Known exactly where it waits, and where a long run was
// sampled; of a short run, between which two waits it was. Pure.

import * as wire from "../wire.js";

/**
 * @typedef {object} Whereabouts
 * @property {string} place "app.py:31 in slow", or empty when no line is known
 * @property {string} verb what it does there
 */

/** Waits of a handler lie close together; further away it is another part of the story. */
const LOOK_AROUND = 24;

const VERBS = Object.freeze({
  [wire.RUNNING]: "runs on from here",
  [wire.READY]: "goes on here when it is its turn",
  [wire.DUE]: "awaits here, and is due",
  [wire.WAITING]: "awaits here",
  [wire.THREAD_QUEUE]: "wants a worker thread here",
  [wire.THREAD]: "is in a worker thread, called here",
  [wire.PROCESS]: "is in another process, called here",
  [wire.GONE]: "was here last",
});

/**
 * @param {import("./lanes.js").Lane} lane
 * @param {(index: number) => string} text
 * @param {number} ns
 * @returns {Whereabouts}
 */
export function whereabouts(lane, text, ns) {
  const { spans } = lane;
  const i = spans.indexAt(ns);
  if (i < 0) return { place: "", verb: "" };
  // Of a ready span it is the callback that passed the wake on, and no line.
  const placeOf = (k) => (spans.state(k) === wire.READY ? "" : wire.readInfo(text(spans.info(k))).place);
  const state = spans.state(i);
  const here = placeOf(i);
  if (here) return { place: here, verb: state === wire.RUNNING ? "runs here" : VERBS[state] ?? "" };
  for (let k = i - 1; k >= Math.max(i - LOOK_AROUND, 0); k -= 1) {
    const place = placeOf(k);
    if (place) return { place, verb: VERBS[state] ?? "" };
  }
  if (state !== wire.RUNNING && state !== wire.READY) return { place: "", verb: "" };
  for (let k = i + 1; k < Math.min(i + LOOK_AROUND, spans.count); k += 1) {
    const place = placeOf(k);
    if (place) return { place, verb: "runs up to here" };
  }
  return { place: "", verb: "" };
}

/**
 * "app.py:31 in slow" in its parts.
 * @param {string} place
 */
export function readPlace(place) {
  const found = /^(.*):(\d+) in (.*)$/.exec(place);
  return found ? { file: found[1], line: Number(found[2]), function: found[3] } : null;
}
