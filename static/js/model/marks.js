// @ts-check

// What the program itself marked (`dashboard.mark("…")`), in order of time. Bounded; its text is other
// people's.

/** More than anybody sets, or could tell apart. */
const MAX_MARKS = 1000;
const MAX_TEXT = 32;

/**
 * @typedef {{ns: number, loop: number, text: string, label: string, where: string}} Mark
 */

export class Marks {
  /** @type {Mark[]} */
  all = [];

  /** @param {import("../wire.js").Incident} incident */
  add({ kind, start_ns: ns, loop, text, label, where }) {
    if (kind !== "mark") return;
    const { all } = this;
    let at = all.length;
    // Those of several loops may come a little out of order.
    while (at > 0 && all[at - 1].ns > ns) at -= 1;
    all.splice(at, 0, { ns, loop, text, label, where });
    if (all.length > MAX_MARKS) all.shift();
  }

  /**
   * @param {number} startNs
   * @param {number} endNs
   */
  within(startNs, endNs) {
    return this.all.filter(({ ns }) => ns >= startNs && ns <= endNs);
  }

  /**
   * The nearest to a moment, not further away than this.
   * @param {number} ns
   * @param {number} reachNs
   * @returns {Mark | null}
   */
  near(ns, reachNs) {
    const found = this.within(ns - reachNs, ns + reachNs);
    return found.sort((one, other) => Math.abs(one.ns - ns) - Math.abs(other.ns - ns))[0] ?? null;
  }
}

/**
 * Its text, short enough to stand beside a line.
 * @param {Mark} mark
 */
export function shortText({ text }) {
  const signs = [...text];
  return signs.length > MAX_TEXT ? `${signs.slice(0, MAX_TEXT).join("")}…` : text;
}
