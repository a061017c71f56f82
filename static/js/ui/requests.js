// @ts-check

// The table of finished requests, newest first: the last MAX_ROWS of them. New rows go on top; while
// the pointer or the focus is in the table, it holds still.

import { countOf, formatCount, formatTotalMs } from "../format.js";
import { shares, splitInWords } from "../model/requests.js";
import { make, part, setText } from "./parts.js";

export const MAX_ROWS = 100;
const REFRESH_MS = 200;

export class RequestsView {
  #body;
  #box;
  #counts;
  #shown = 0;
  #shownMs = -Infinity;
  #requests = null;
  #isHeld = false;
  #onSelect;

  /**
   * @param {ParentNode} root
   * @param {(request: number) => void} onSelect
   * @param {AbortSignal} signal
   */
  constructor(root, onSelect, signal) {
    this.#body = part(root, "request-rows");
    this.#box = part(root, "requests");
    this.#counts = part(root, "request-counts");
    this.#onSelect = onSelect;
    const hold = (isHeld) => () => (this.#isHeld = isHeld);
    this.#box.addEventListener("pointerenter", hold(true), { signal });
    this.#box.addEventListener("pointerleave", hold(false), { signal });
    this.#body.addEventListener("click", (event) => this.#choose(event), { signal });
  }

  /**
   * @param {import("../model/history.js").History} history
   * @param {number} nowMs
   * @param {number | null} selected id of a request
   */
  show(history, nowMs, selected) {
    const { requests, finished, open } = history.counts;
    const text = `${countOf(requests, "request")} · ${formatCount(finished)} finished · ${formatCount(open)} open`;
    setText(this.#counts, text);
    const isOther = history.requests !== this.#requests;
    if (isOther) {
      this.#requests = history.requests;
      this.#shown = 0;
      this.#body.replaceChildren();
    }
    const fresh = history.requests.added - this.#shown;
    const isDue = nowMs - this.#shownMs > REFRESH_MS && !this.#isHeld;
    if (fresh > 0 && (isOther || isDue)) {
      this.#shownMs = nowMs;
      this.#shown = history.requests.added;
      this.#addRows(history.requests.finished.slice(-Math.min(fresh, MAX_ROWS)), history.stallNs);
    }
    this.#box.dataset.rows = this.#body.childElementCount ? "some" : "none";
    this.#mark(selected);
  }

  #addRows(requests, stallNs) {
    this.#body.prepend(...requests.reverse().map((request) => makeRow(request, stallNs)));
    while (this.#body.childElementCount > MAX_ROWS) this.#body.lastElementChild?.remove();
  }

  #mark(selected) {
    const marked = this.#body.querySelector("[aria-current]");
    const wanted = selected ? this.#body.querySelector(`[data-request="${selected}"]`) : null;
    if (marked === wanted) return;
    marked?.removeAttribute("aria-current");
    wanted?.setAttribute("aria-current", "true");
  }

  #choose(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest("[data-request]");
    if (row) this.#onSelect(Number(/** @type {HTMLElement} */ (row).dataset.request));
  }
}

/** @param {import("../wire.js").FinishedRequest} request */
function makeRow(request, stallNs) {
  const name = `${request.method} ${request.route}`;
  const choose = make(
    "button",
    "request-name",
    make("span", "request-id", `#${request.id} `),
    make("span", "request-method", `${request.method} `),
    request.route,
  );
  const bar = make("span", "split");
  bar.setAttribute("role", "img");
  const words = splitInWords(request.split);
  bar.setAttribute("aria-label", words);
  for (const { state, share, ms } of shares(request.split)) {
    const piece = make("i", "");
    // A request's own long run is what made the others wait.
    piece.dataset.state = state === "running" && ms * 1e6 >= stallNs ? "blocked" : state;
    piece.style.flexGrow = String(share);
    bar.append(piece);
  }
  const status = make("td", "request-status", request.status ? String(request.status) : "–");
  status.dataset.good = String(request.status >= 200 && request.status < 400);
  const row = make(
    "tr",
    "",
    make("td", "", choose),
    make("td", "", bar),
    status,
    make("td", "request-total", formatTotalMs(request.total_ms)),
  );
  row.dataset.request = String(request.id);
  row.title = `${name}: ${words}`;
  return row;
}
