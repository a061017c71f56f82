// @ts-check

// Durations, counts and shares as text. Pure.

const NS_PER_MS = 1e6;
/** A number and its unit stay on one line. */
export const NBSP = "\u00a0";
const COUNT = new Intl.NumberFormat("en");

/**
 * Three digits are as many as anyone reads from the back row.
 * @param {number} ns
 */
export function formatDuration(ns) {
  if (ns < 0) return `-${formatDuration(-ns)}`;
  if (ns < 1e3) return `${Math.round(ns)}${NBSP}ns`;
  if (ns < 999.5e3) return `${threeDigits(ns / 1e3)}${NBSP}µs`;
  if (ns < 999.5e6) return `${threeDigits(ns / 1e6)}${NBSP}ms`;
  if (ns < 59.95e9) return `${twoDecimals(ns / 1e9)}${NBSP}s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${NBSP}min${NBSP}${seconds % 60}${NBSP}s`;
  return `${Math.floor(seconds / 3600)}${NBSP}h${NBSP}${Math.floor((seconds % 3600) / 60)}${NBSP}min`;
}

/**
 * Somebody else's sentence, in which a number and its unit stay on one line, too: "held for 2.00 s".
 * @param {string} text
 */
export function keepUnits(text) {
  return text.replace(/(\d) (?=(?:ns|µs|ms|s|min|h|kB|MB|GB|%)(?![\w]))/g, `$1${NBSP}`);
}

/**
 * What a task or thread is called but for its number, if it is one of many: "worker (work)" of "worker 7 (work)".
 * @param {string} label
 */
export function formatFamily(label) {
  return label.replace(/[\s_-]*\d+(?= \(|$)/, "");
}

/**
 * "10 s" and not "10.0 s": of a number that was chosen, rather than measured.
 * @param {number} ns
 */
export function formatRound(ns) {
  return formatDuration(ns).replace(/\.(\d*?)0+(?=\D)/, (_, digits) => (digits ? `.${digits}` : ""));
}

/** @param {number} ms */
export function formatMs(ms) {
  return formatDuration(ms * NS_PER_MS);
}

/**
 * A column of these lines up: whole milliseconds, with one decimal below ten.
 * @param {number} ms
 */
export function formatTotalMs(ms) {
  return ms < 9.95 ? ms.toFixed(1) : COUNT.format(Math.round(ms));
}

/** @param {number} count */
export function formatCount(count) {
  return COUNT.format(count);
}

/**
 * @param {number} count
 * @param {string} one the noun for exactly one
 * @param {string} [many]
 */
export function countOf(count, one, many = `${one}s`) {
  return `${COUNT.format(count)} ${count === 1 ? one : many}`;
}

/**
 * @param {number} share 0–1
 * @param {number} [decimals]
 */
export function formatPercent(share, decimals = 0) {
  return `${(share * 100).toFixed(decimals)}${NBSP}%`;
}

/**
 * The file's own name: paths are long, and the folder is in the tooltip.
 * @param {import("./wire.js").Culprit | null} culprit
 */
export function formatPlace(culprit) {
  if (!culprit) return "";
  // A builtin that the loop itself calls has a name only.
  return culprit.file ? `${fileName(culprit.file)}:${culprit.line}` : culprit.function;
}

/** @param {string} path */
export function fileName(path) {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

/**
 * "#212 /slow": GET is what nearly all are, so only other methods are said.
 * @param {number} request 0 when it is not a request
 * @param {string} label
 */
export function formatLane(request, label) {
  const short = label.startsWith("GET ") ? label.slice(4) : label;
  return request ? `#${request} ${short}` : short;
}

function threeDigits(value) {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function twoDecimals(value) {
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
