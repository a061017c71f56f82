// @ts-check

// A link to exactly this view: range, moment, pins, filter, mode as the address's fragment. Pure text in
// both directions; what does not make sense is left out, as links are typed and cut off by people.

import { GROUPINGS } from "./choice.js";
import { MAX_RANGE_NS, MIN_RANGE_NS } from "./scale.js";

/**
 * @typedef {object} View
 * @property {string} run times and numbers mean something in this run of the dashboard only
 * @property {{startNs: number, rangeNs: number, atNs: number | null} | null} held null: live
 * @property {number} rangeNs
 * @property {string} filter
 * @property {string} grouping
 * @property {number[]} pins
 * @property {number[]} unfolded
 * @property {boolean} showsTasks
 */

/** What an address without a fragment says. */
const FIRST_RANGE_NS = 10e9;

/**
 * @param {View} view
 * @returns {string} without the #; empty for the view at first
 */
export function writeAddress(view) {
  const fields = new URLSearchParams();
  if (view.held) {
    fields.set("from", String(Math.round(view.held.startNs)));
    fields.set("to", String(Math.round(view.held.startNs + view.held.rangeNs)));
    if (view.held.atNs !== null) fields.set("at", String(Math.round(view.held.atNs)));
  } else if (Math.round(view.rangeNs) !== FIRST_RANGE_NS) {
    fields.set("last", String(Math.round(view.rangeNs)));
  }
  if (view.filter) fields.set("find", view.filter);
  if (view.grouping !== GROUPINGS[0]) fields.set("group", view.grouping);
  if (view.pins.length) fields.set("pin", view.pins.join("."));
  if (view.unfolded.length) fields.set("open", view.unfolded.join("."));
  if (view.showsTasks) fields.set("tasks", "1");
  if (["from", "pin", "open"].some((name) => fields.has(name))) fields.set("run", view.run);
  return fields.toString();
}

/**
 * @param {string} fragment with or without the #
 * @param {string} run the run that is on: of another run, times and numbers are left out
 * @returns {View}
 */
export function readAddress(fragment, run) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const isSameRun = fields.get("run") === run;
  const startNs = time(fields.get("from"));
  const endNs = time(fields.get("to"));
  const isRange = isSameRun && endNs - startNs >= MIN_RANGE_NS && endNs - startNs <= MAX_RANGE_NS;
  const atNs = time(fields.get("at"));
  const rangeNs = time(fields.get("last"));
  const grouping = fields.get("group") ?? "";
  return {
    run,
    held: isRange ? { startNs, rangeNs: endNs - startNs, atNs: Number.isNaN(atNs) ? null : atNs } : null,
    rangeNs: rangeNs >= MIN_RANGE_NS && rangeNs <= MAX_RANGE_NS ? rangeNs : FIRST_RANGE_NS,
    filter: fields.get("find") ?? "",
    grouping: GROUPINGS.includes(grouping) ? grouping : GROUPINGS[0],
    pins: isSameRun ? numbers(fields.get("pin")) : [],
    unfolded: isSameRun ? numbers(fields.get("open")) : [],
    showsTasks: fields.get("tasks") === "1",
  };
}

function time(text) {
  return text !== null && /^-?\d{1,16}$/.test(text) ? Number(text) : NaN;
}

function numbers(text) {
  return (text ?? "").split(".").filter((part) => /^\d{1,9}$/.test(part)).map(Number);
}

/**
 * What stands before the fragment: whoever opens it finds the page in the same mode.
 * @param {string} search as it is; what is not a mode stays
 * @param {Record<string, string | undefined>} modes undefined: off; empty: on
 */
export function writeModes(search, modes) {
  const fields = new URLSearchParams(search);
  for (const [name, value] of Object.entries(modes)) {
    if (value === undefined) fields.delete(name);
    else fields.set(name, value);
  }
  const text = fields.toString().replace(/=(?=&|$)/g, "");
  return text && `?${text}`;
}
