// @ts-check

// Why a lane does not run at a moment, in plain words: who has the loop instead, how many went first,
// what it waits for. Read from the lanes alone, so it is as true of a minute ago as of now. Pure.

import { countOf, formatDuration, formatLane } from "../format.js";
import * as wire from "../wire.js";

/** A wait through more steps than this is told as "thousands": the pointer must not stutter. */
const MAX_STEPS = 4000;

/**
 * @param {import("./history.js").History} history
 * @param {import("./lanes.js").Lane} lane
 * @param {number} i index of its span
 * @param {number} nowNs where open spans end
 * @returns {string} one or two sentences, without a full stop at the end; empty when there is no why
 */
export function whyNotRunning(history, lane, i, nowNs) {
  const startNs = lane.spans.startNs(i);
  const endNs = Math.min(lane.spans.endNs(i, nowNs), nowNs);
  switch (lane.spans.state(i)) {
    case wire.READY:
      return whoWentFirst(history, lane, startNs, endNs, nowNs) || "The loop was about to take it";
    case wire.DUE:
    case wire.OUTSIDE:
      return whoWentFirst(history, lane, startNs, endNs, nowNs) || "The loop was about to look";
    case wire.WAITING:
      return "Meanwhile the loop is free for others";
    case wire.THREAD_QUEUE:
      return `No thread is free: ${countOf(threadsAtWork(history, lane.loop, startNs), "thread")} at work`;
    case wire.THREAD:
    case wire.PROCESS:
      return "Meanwhile the loop is free for others";
    default:
      return "";
  }
}

/**
 * The steps that the loop took instead, between two moments.
 * @returns {string}
 */
function whoWentFirst(history, lane, startNs, endNs, nowNs) {
  const loop = history.lanes.loopLane(lane.loop);
  if (!loop) return "";
  const { spans } = loop;
  let steps = 0;
  let longest = -1;
  let longestNs = -1;
  for (let k = spans.firstEndingAfter(startNs); k < spans.count && spans.startNs(k) < endNs; k += 1) {
    if (spans.state(k) !== wire.RUNNING || (lane.request && spans.who(k) === lane.request)) continue;
    const lengthNs = Math.min(spans.endNs(k, nowNs), nowNs) - spans.startNs(k);
    if (lengthNs > longestNs) [longest, longestNs] = [k, lengthNs];
    steps += 1;
    if (steps >= MAX_STEPS) break;
  }
  if (longest < 0) return "";
  const name = nameOfRun(history, spans, longest);
  const length = formatDuration(longestNs);
  if (steps === 1) return `The loop ran ${name} instead, for ${length}`;
  const many = steps >= MAX_STEPS ? `more than ${MAX_STEPS} steps` : `${steps} other steps`;
  return `${many} went first, the longest ${name}, ${length}`;
}

function nameOfRun(history, spans, k) {
  const { what, place } = wire.readInfo(history.text(spans.info(k)));
  const who = spans.who(k);
  if (!who) return place || what || "a callback";
  const label = history.lanes.ofRequest(who)?.label ?? what;
  return place ? `${formatLane(who, label)} at ${place}` : formatLane(who, label);
}

function threadsAtWork(history, loop, ns) {
  return history.lanes.all.filter((lane) => {
    if (lane.kind !== wire.THREAD_LANE || lane.loop !== loop || !lane.isAliveAt(ns)) return false;
    const i = lane.spans.indexAt(ns);
    return i >= 0 && lane.spans.state(i) === wire.THREAD;
  }).length;
}
