// @ts-check

// Which stall of the loop in sight is told of: the one that is on, else of the last ones in a row the one that
// did the most harm; and how long ago that was, and where. Pure.

import { CLOCKWORK, isOn } from "../wire.js";

/** Stalls in a row are no further apart than this: a press, and what came of it. */
const ROW_NS = 2e9;

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
 * @param {number} [loop] the one in sight, or 0 for all
 * @returns {Stall | null} of another loop only if there was none on this one; of a recording the worst
 */
export function stallToTell(history, chosen = 0, loop = 0) {
  const all = [...history.stalls.values()].sort((one, other) => one.start_ns - other.start_ns);
  const place = placeOf(history.loops ?? [], loop);
  const here = all.filter((stall) => place.has(stall.loop));
  const stalls = here.length ? here : all;
  const last = stalls.at(-1);
  if (!last || isOn(last)) return last ?? null;
  const picked = history.stalls.get(chosen);
  if (picked) return picked;
  const told = history.hello?.recording ? stalls : lastInRow(stalls);
  return told.sort(byHarm)[0];
}

/**
 * The stalls in a row with one of them, in order of time.
 * @param {import("./history.js").History} history
 * @param {Stall} stall
 */
export function rowOf({ stalls }, stall) {
  const here = [...stalls.values()].filter(({ loop }) => loop === stall.loop);
  here.sort((one, other) => one.start_ns - other.start_ns);
  const news = newsOf(here);
  return rowAround(news.includes(stall) ? news : here, stall);
}

/**
 * Does a stall that is on still lack its line? What waits for a processor has none.
 * @param {Stall | null | undefined} stall
 */
export function isSought(stall) {
  return Boolean(stall && isOn(stall) && !stall.culprit && !stall.starved);
}

/**
 * A server that imports and starts its app before it serves anybody does no wrong.
 * @param {Stall | null | undefined} stall
 */
export function isStartUp(stall) {
  return Boolean(stall?.start_up && !stall.victims.count && !stall.victims.others?.count);
}

/**
 * The stall that is under way on a loop.
 * @param {import("./history.js").History} history
 * @param {number} loop
 */
export function stallOn({ stalls }, loop) {
  return [...stalls.values()].find((stall) => stall.loop === loop && isOn(stall)) ?? null;
}

/**
 * "27 s ago, on worker 2, pid 7": of what is not now, and not on the loop in sight.
 * @param {import("./history.js").History} history
 * @param {number} loop the one in sight
 * @param {{loop: number, endNs: number}} subject endNs: Infinity for what goes on, or has no time of its own
 */
export function whenInWords(history, loop, { loop: ofLoop, endNs }) {
  // The clock of a recording stands still; and what goes on has no end yet.
  const agoNs = history.hello?.recording ? 0 : Math.max(history.tNs - endNs, 0);
  const minutes = Math.floor(agoNs / 60e9);
  const ago = minutes ? `${minutes} min ago` : agoNs >= 5e9 ? `${Math.floor(agoNs / 1e9)} s ago` : "";
  const other = loop > 0 && ofLoop !== loop ? history.loops.find(({ id }) => id === ofLoop) : null;
  const where = other ? `on ${other.title || "process"} ${other.worker}, pid ${other.pid}` : "";
  const words = [ago, where].filter(Boolean).join(", ");
  return words && `${words[0].toUpperCase()}${words.slice(1)}.`;
}

/** A loop, and those that had its place before it: a worker that was restarted. */
function placeOf(loops, loop) {
  const place = new Set(loop > 0 ? [loop] : []);
  for (const id of place) {
    const before = loops.find((each) => each.id === id)?.replaces;
    if (before) place.add(before);
  }
  return place;
}

/** The last ones in a row. */
function lastInRow(stalls) {
  const news = newsOf(stalls);
  const row = news.length ? news : stalls;
  return rowAround(row, row[row.length - 1]);
}

/** That a server starts, or that the machine is busy, is no news if nobody waited. */
function newsOf(stalls) {
  return stalls.filter((stall) => {
    return stall.victims.count + othersOf(stall) > 0 || !(stall.starved || CLOCKWORK.has(stall.label));
  });
}

function rowAround(stalls, stall) {
  const isNear = (i) => i > 0 && i < stalls.length && stalls[i].start_ns - endOf(stalls[i - 1]) <= ROW_NS;
  let from = stalls.indexOf(stall);
  let to = from + 1;
  while (isNear(from)) from -= 1;
  while (isNear(to)) to += 1;
  return stalls.slice(from, to);
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

/** @param {Stall} stall */
export function endOf({ start_ns: startNs, duration_ms: durationMs }) {
  return startNs + durationMs * 1e6;
}
