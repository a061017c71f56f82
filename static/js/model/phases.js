// @ts-check

// What FastAPI was at for a request, as far as the app lets it tell: in order, summed, in words. Pure.

import { NBSP, formatMs } from "../format.js";

/** What each is called on the page; one that a later FastAPI tells has its own name. */
const NAMES = Object.freeze({ background_task: "background" });

/**
 * @typedef {import("../wire.js").Phase} Phase
 * @param {Phase} phase
 */
export function nameOf({ name }) {
  return Object.hasOwn(NAMES, name) ? NAMES[name] : name;
}

/**
 * One entry for each kind of phase, in the order in which they first ended.
 * @param {readonly Phase[]} phases
 */
export function totals(phases) {
  /** @type {Map<string, {name: string, ms: number, count: number}>} */
  const found = new Map();
  for (const phase of phases) {
    const total = found.get(phase.name) ?? { name: nameOf(phase), ms: 0, count: 0 };
    total.ms += (phase.end_ns - phase.start_ns) / 1e6;
    total.count += phase.count;
    found.set(phase.name, total);
  }
  return [...found.values()];
}

/**
 * "dependencies 12.0 ms · endpoint 301 ms · background 1.20 s (3 times)"; empty where nothing is told. Of more
 * than are told one by one it is known only within which time they were.
 * @param {readonly Phase[]} [phases]
 */
export function phasesInWords(phases = []) {
  const words = totals(phases).map(({ name, ms, count }) => {
    return `${name}${NBSP}${formatMs(ms)}${count > 1 ? `${NBSP}(${count}${NBSP}times)` : ""}`;
  });
  return words.join(" · ");
}

/**
 * The whole time that is told of, as pieces that follow each other: a phase, or null for what is between two.
 * @param {readonly Phase[]} phases
 * @returns {{phase: Phase | null, ns: number}[]}
 */
export function pieces(phases) {
  const found = [];
  let ns = phases[0]?.start_ns ?? 0;
  for (const phase of phases) {
    if (phase.start_ns > ns) found.push({ phase: null, ns: phase.start_ns - ns });
    const startNs = Math.max(phase.start_ns, ns);
    if (phase.end_ns > startNs) found.push({ phase, ns: phase.end_ns - startNs });
    ns = Math.max(ns, phase.end_ns);
  }
  return found;
}

/**
 * Which phases a stretch of time lies in: "endpoint", or "dependencies, endpoint".
 * @param {readonly Phase[]} phases
 */
export function phasesWithin(phases, startNs, endNs) {
  const names = phases.filter((phase) => phase.start_ns < endNs && phase.end_ns > startNs).map(nameOf);
  return [...new Set(names)].join(", ");
}
