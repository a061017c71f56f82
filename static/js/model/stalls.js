// @ts-check

// Which stall is told of: the one that is on, else the one that did the most harm lately. Pure.

import { CLOCKWORK, isOn } from "../wire.js";

/** So long before the last one ended a stall still counts as of now: a press, and what came of it. */
const RECENT_NS = 60e9;

/** @typedef {import("../wire.js").Stall} Stall */

/**
 * All that are known, the most harmful first: by how long requests, then tasks and timers, were kept
 * waiting together, then by length. A server that starts while nobody waits harms nobody.
 * @param {import("./history.js").History} history
 * @returns {Stall[]}
 */
export function worstFirst({ stalls }) {
  return [...stalls.values()].sort(byHarm);
}

/**
 * @param {import("./history.js").History} history
 * @param {number} [chosen] id of the one that the viewer wants to see
 * @returns {Stall | null} of a recording all are recent
 */
export function stallToTell(history, chosen = 0) {
  const last = history.lastStall;
  if (!last || isOn(last)) return last;
  const picked = history.stalls.get(chosen);
  if (picked) return picked;
  const sinceNs = history.hello?.recording ? -Infinity : endOf(last) - RECENT_NS;
  return worstFirst(history).find((stall) => endOf(stall) >= sinceNs) ?? last;
}

function byHarm(one, other) {
  return (
    other.victims.delay_ms - one.victims.delay_ms ||
    othersOf(other) - othersOf(one) ||
    Number(CLOCKWORK.has(one.label)) - Number(CLOCKWORK.has(other.label)) ||
    other.duration_ms - one.duration_ms ||
    other.start_ns - one.start_ns
  );
}

function othersOf({ victims }) {
  return victims.others?.delay_ms ?? 0;
}

function endOf({ start_ns: startNs, duration_ms: durationMs }) {
  return startNs + durationMs * 1e6;
}
