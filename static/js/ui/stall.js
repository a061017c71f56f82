// @ts-check

// The stall that is told of, in full: the whole stack with other people's code folded away, how the samples split,
// and whom it held up. Asks the dashboard for it when there is something new. The code itself is in the
// code pane.

import { fileName, formatMs, formatPercent } from "../format.js";
import { isOn } from "../wire.js";
import { make, part } from "./parts.js";

/** A stall's line may move; more than this is more than anyone reads. */
const ASK_EVERY_MS = 500;

/**
 * Neighbouring lines of other people's code become one fold.
 * @template {{user: boolean}} L
 * @param {readonly L[]} stack innermost first
 * @returns {{user: boolean, lines: L[]}[]}
 */
export function foldStack(stack) {
  /** @type {{user: boolean, lines: L[]}[]} */
  const folds = [];
  for (const line of stack) {
    const last = folds.at(-1);
    if (last && last.user === line.user) last.lines.push(line);
    else folds.push({ user: line.user, lines: [line] });
  }
  return folds;
}

/**
 * The packages of some lines: "starlette, fastapi".
 * @param {readonly {file: string}[]} lines
 */
export function packagesOf(lines) {
  return [...new Set(lines.map(({ file }) => packageOf(file)))].join(", ");
}

/** The folder below the one that holds packages, else the file's own name. */
function packageOf(file) {
  const parts = file.split(/[\\/]/);
  const at = parts.findLastIndex((each) => /^(site|dist)-packages$|^python3\.\d+$/.test(each));
  const name = at >= 0 ? parts[at + 1] : undefined;
  return (name ?? fileName(file)).replace(/\.py$/, "");
}

export class StallView {
  #box;
  #signal;
  #request;
  #key = "";
  #askedMs = -Infinity;
  #asking = false;

  /**
   * @param {ParentNode} root
   * @param {(url: string, signal: AbortSignal) => Promise<any>} ask
   * @param {AbortSignal} signal
   */
  constructor(root, ask, signal) {
    this.#box = part(root, "stall");
    this.#signal = signal;
    this.#request = ask;
  }

  /**
   * @param {import("../wire.js").Stall | null} stall
   * @param {number} nowMs
   */
  show(stall, nowMs) {
    this.#box.hidden = !stall;
    const culprit = stall?.culprit;
    const key = stall ? `${stall.id} ${isOn(stall)} ${culprit?.file}:${culprit?.line} ${stall.starved}` : "";
    if (!stall || key === this.#key || this.#asking || nowMs - this.#askedMs < ASK_EVERY_MS) return;
    this.#key = key;
    this.#askedMs = nowMs;
    this.#ask(stall.id);
  }

  async #ask(id) {
    this.#asking = true;
    try {
      const stall = await this.#request(`/api/stalls/${id}`, this.#signal);
      if (stall) this.#draw(stall);
      else this.#box.replaceChildren();
    } catch {
      // The page is leaving, or the connection is lost, which the lamp says.
    } finally {
      this.#asking = false;
    }
  }

  #draw(stall) {
    const wasOpen = this.#box.querySelector("details")?.open ?? false;
    const { stack, samples, held_up: heldUp } = stall;
    this.#box.replaceChildren();
    if (samples.length > 1 || (samples.length && stall.starved)) this.#box.append(splitOf(stall));
    if (!stack.length && !heldUp.length) return;
    const details = document.createElement("details");
    details.open = wasOpen;
    details.append(make("summary", "", "The whole stack, and who had to wait"));
    details.append(stackOf(stack));
    if (heldUp.length) details.append(make("p", "held-count", heldInWords(stall)), heldOf(heldUp));
    this.#box.append(details);
  }
}

/** Where it was seen; not blamed for what the machine did, that is all it is. */
function splitOf({ samples, starved }) {
  const words = samples.slice(0, 4).map(({ share, file, line }) => `${formatPercent(share)} ${fileName(file)}:${line}`);
  return make("p", "stall-split", `${starved ? "Where it was: " : ""}${words.join("  ·  ")}`);
}

/** @param {readonly {file: string, line: number, function: string, user: boolean}[]} stack */
function stackOf(stack) {
  const list = make("ol", "stack");
  for (const { user, lines } of foldStack(stack)) {
    if (user) lines.forEach((line) => list.append(lineOf(line)));
    else {
      const fold = document.createElement("details");
      const inner = make("ol", "stack");
      inner.append(...lines.map(lineOf));
      fold.append(make("summary", "", `${lines.length} of ${packagesOf(lines)}`), inner);
      const item = make("li", "stack-fold");
      item.append(fold);
      list.append(item);
    }
  }
  return list;
}

function lineOf({ file, line, function: name }) {
  const item = make("li", "", `${name}  ${fileName(file)}:${line}`);
  item.title = `${file}:${line}`;
  return item;
}

/** How many are named, of how many. */
export function heldInWords({ held_up: heldUp, victims }) {
  const all = victims.count + (victims.others?.count ?? 0);
  const named = heldUp.length < all ? `${heldUp.length} of ${all}` : `${heldUp.length}`;
  return `${named} had to wait, the longest first`;
}

/** @param {{kind: string, id: number, label: string}} held */
export function heldName({ kind, id, label }) {
  // Before its first step a request has no number yet.
  return kind === "request" && id > 0 ? `#${id} ${label}` : label;
}

function heldOf(heldUp) {
  const list = make("ul", "held-up");
  // It scrolls: the keyboard comes there as well.
  list.tabIndex = 0;
  list.dataset.scrolls = "";
  for (const held of heldUp) list.append(make("li", "", heldName(held), make("span", "", formatMs(held.delay_ms))));
  return list;
}
