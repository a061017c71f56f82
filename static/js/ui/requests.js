// @ts-check

// The table of requests at the playhead: those under way on top, then the finished ones, newest first
// or sorted; and the same by route. While the pointer or the focus is in it, its order holds still.

import { countOf, formatCount, formatMs, formatPlace, formatTotalMs } from "../format.js";
import { culpritOf, filtered, requestsAt, routesOf, requestInWords, shares, sorted, splitInWords } from "../model/requests.js";
import { tint } from "./beings.js";
import { make, part, placeChildren, resizeChildren, setText } from "./parts.js";
import { writePhases } from "./phases.js";

export const MAX_ROWS = 100;
const REFRESH_MS = 200;
/** While the playhead moves. */
const MOVING_MS = 100;

export class RequestsView {
  #parts;
  #shownMs = -Infinity;
  #isHeld = false;
  #isByRoute = false;
  #filter = "";
  /** @type {{key: import("../model/requests.js").SortKey, isDown: boolean}} */
  #sort = { key: "newest", isDown: true };
  /** @type {number[]} ids in the order of the rows */
  #order = [];
  /** A row goes where its request goes: a new one on top costs one row, not all of them. @type {Map<number, HTMLElement>} */
  #rows = new Map();
  /** What each row says. @type {WeakMap<HTMLElement, import("../wire.js").FinishedRequest>} */
  #written = new WeakMap();
  #stallNs = 0;
  #isStale = true;
  #key = "";

  /**
   * @param {ParentNode} root
   * @param {(request: number) => void} onSelect
   * @param {AbortSignal} signal
   */
  constructor(root, onSelect, signal) {
    const names = [
      "requests", "request-rows", "route-rows", "request-counts", "request-words", "request-phases", "request-filter", "by-route",
      "request-table", "route-table",
    ];
    this.#parts = Object.fromEntries(names.map((name) => [name, part(root, name)]));
    const { requests, "request-filter": filter, "by-route": byRoute, "request-table": table, "route-rows": routes } =
      this.#parts;
    const hold = (isHeld) => () => (this.#isHeld = isHeld);
    requests.addEventListener("pointerenter", hold(true), { signal });
    requests.addEventListener("pointerleave", hold(false), { signal });
    table.addEventListener(
      "click",
      (event) => {
        const target = /** @type {HTMLElement} */ (event.target);
        const head = /** @type {HTMLElement | null} */ (target.closest("[data-sort]"));
        const row = /** @type {HTMLElement | null} */ (target.closest("[data-request]"));
        if (head) this.#sortBy(/** @type {any} */ (head.dataset.sort));
        else if (row) onSelect(Number(row.dataset.request));
      },
      { signal },
    );
    filter.addEventListener("input", () => this.#setFilter(/** @type {HTMLInputElement} */ (filter).value), { signal });
    byRoute.addEventListener("click", () => this.#setByRoute(!this.#isByRoute), { signal });
    routes.addEventListener("click", (event) => this.#chooseRoute(event), { signal });
  }

  /**
   * @param {import("../model/history.js").History} history
   * @param {{nowMs: number, ns: number, isLive: boolean, selected: number | null}} at selected: id of a request
   */
  show(history, { nowMs, ns, isLive, selected }) {
    const { requests, finished, open } = history.counts;
    const counts = `${countOf(requests, "request")} · ${formatCount(finished)} finished · ${formatCount(open)} open`;
    setText(this.#parts["request-counts"], counts);
    const key = isLive ? "live" : `${ns}`;
    const waitMs = key === this.#key ? REFRESH_MS : MOVING_MS;
    if (!this.#isStale && nowMs - this.#shownMs < waitMs) {
      this.#mark(selected);
      return;
    }
    this.#isStale = false;
    this.#key = key;
    this.#shownMs = nowMs;
    const here = requestsAt(history, ns, isLive ? undefined : 0);
    const wanted = filtered(here, this.#filter);
    if (this.#isByRoute) this.#showRoutes(routesOf(wanted), history.stallNs);
    else this.#showRows(sorted(wanted, this.#sort.key, this.#sort.isDown), history.stallNs, isLive);
    this.#parts.requests.dataset.rows = here.length || this.#filter ? "some" : "none";
    this.#mark(selected);
    this.#sayWords(selected ? here.find(({ id }) => id === selected) : null, history);
  }

  #showRows(requests, stallNs, isLive) {
    const body = this.#parts["request-rows"];
    if (stallNs !== this.#stallNs) this.#written = new WeakMap();
    this.#stallNs = stallNs;
    const isHeld = isLive && (this.#isHeld || body.contains(document.activeElement));
    let shown = requests.slice(0, MAX_ROWS);
    if (isHeld) {
      const byId = new Map(requests.map((request) => [request.id, request]));
      shown = this.#order.map((id) => byId.get(id)).filter((request) => request !== undefined);
    }
    this.#order = shown.map(({ id }) => id);
    placeChildren(body, this.#order, this.#rows, makeRow);
    for (const request of shown) {
      const row = /** @type {HTMLElement} */ (this.#rows.get(request.id));
      // One that is finished stays as it is.
      if (this.#written.get(row) === request) continue;
      this.#written.set(row, request);
      writeRow(row, request, stallNs);
    }
  }

  #showRoutes(routes, stallNs) {
    const body = this.#parts["route-rows"];
    resizeChildren(body, routes.length, makeRouteRow);
    routes.forEach((route, i) => {
      const row = /** @type {HTMLElement} */ (body.children[i]);
      const [name, bar, p50, p95, max] = row.children;
      row.dataset.route = route.name;
      const label = /** @type {HTMLElement} */ (name.firstElementChild);
      setText(label, `${route.name} ×${formatCount(route.count)}`);
      writeSplit(bar, route.split, stallNs);
      writeMost(bar, route.mostMs);
      setText(p50, formatTotalMs(route.p50));
      setText(p95, formatTotalMs(route.p95));
      setText(max, formatTotalMs(route.max));
      const maybe = route.mostMs ? "; some may have waited at the door before, not counted here" : "";
      row.title = `On the average ${splitInWords(/** @type {any} */ (route.split))}${maybe}`;
    });
  }

  #sayWords(request, history) {
    const line = this.#parts["request-words"];
    const lane = request ? history.lanes.ofRequest(request.id) : undefined;
    writePhases(this.#parts["request-phases"], request?.phases, lane);
    if (!request) return setText(line, "");
    const culprit = culpritOf(request, history.stalls.values());
    const maybe = request.outside_most_ms ? "; if so," : ",";
    const because = culprit ? `${maybe} because ${formatPlace(culprit)} held the loop` : "";
    setText(line, `#${request.id} ${request.method} ${request.route}: ${requestInWords(request)}${because}.`);
  }

  #sortBy(key) {
    const isSame = this.#sort.key === key;
    const firstDown = key !== "name";
    // Down, up, and back to the order of time.
    if (!isSame) this.#sort = { key, isDown: firstDown };
    else if (this.#sort.isDown === firstDown) this.#sort = { key, isDown: !firstDown };
    else this.#sort = { key: "newest", isDown: true };
    for (const head of this.#parts["request-table"].querySelectorAll("[data-sort]")) {
      const isIt = /** @type {HTMLElement} */ (head).dataset.sort === this.#sort.key;
      const cell = /** @type {Element} */ (head.closest("th"));
      if (isIt) cell.setAttribute("aria-sort", this.#sort.isDown ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.#refresh();
  }

  #setFilter(filter) {
    this.#filter = filter;
    this.#refresh();
  }

  #setByRoute(isByRoute) {
    this.#isByRoute = isByRoute;
    this.#parts["by-route"].setAttribute("aria-pressed", String(isByRoute));
    this.#parts["request-table"].hidden = isByRoute;
    this.#parts["route-table"].hidden = !isByRoute;
    this.#refresh();
  }

  /** From a route to its requests, the slowest first. */
  #chooseRoute(event) {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-route]"));
    if (!row) return;
    const filter = /** @type {HTMLInputElement} */ (this.#parts["request-filter"]);
    filter.value = row.dataset.route ?? "";
    this.#filter = filter.value;
    this.#setByRoute(false);
    this.#sort = { key: "newest", isDown: true };
    this.#sortBy("total");
  }

  /** What the viewer asked for comes at once, held or not. */
  #refresh() {
    this.#isStale = true;
    this.#order = [];
    this.#isHeld = false;
  }

  #mark(selected) {
    const body = this.#parts["request-rows"];
    const marked = body.querySelector("[aria-current]");
    const wanted = selected ? body.querySelector(`[data-request="${selected}"]`) : null;
    if (marked === wanted) return;
    marked?.removeAttribute("aria-current");
    wanted?.setAttribute("aria-current", "true");
  }
}

function makeSplit() {
  const bar = make("span", "split");
  bar.setAttribute("role", "img");
  return make("td", "", make("span", "where", make("small", "at-door"), bar));
}

function makeRow() {
  const name = make("button", "request-name", make("i", "tint"), make("span", "request-id"), make("span", "request-method"), make("span", ""));
  name.setAttribute("type", "button");
  return make(
    "tr", "", make("td", "", name), makeSplit(), make("td", "request-status"), make("td", "request-total"),
  );
}

function makeRouteRow() {
  const name = make("button", "request-name");
  name.setAttribute("type", "button");
  return make("tr", "", make("td", "", name), makeSplit(), make("td", ""), make("td", ""), make("td", ""));
}

/** @param {HTMLElement} row @param {import("../wire.js").FinishedRequest} request */
function writeRow(row, request, stallNs) {
  const [name, bar, status, total] = row.children;
  const [dot, id, method, route] = /** @type {Element} */ (name.firstElementChild).children;
  const isOpen = request.end_ns === Infinity;
  row.dataset.request = String(request.id);
  row.toggleAttribute("data-open", isOpen);
  tint(/** @type {HTMLElement} */ (dot), request.id);
  setText(id, `#${request.id} `);
  setText(method, `${request.method} `);
  setText(route, request.route);
  writeSplit(bar, request.split, stallNs);
  writeMost(bar, request.outside_most_ms);
  setText(status, request.status ? String(request.status) : isOpen ? "…" : "–");
  const good = isOpen || (request.status >= 200 && request.status < 400);
  /** @type {HTMLElement} */ (status).dataset.good = String(good);
  setText(total, formatTotalMs(request.total_ms));
  const title = `${request.method} ${request.route}: ${requestInWords(request)}`;
  if (row.title !== title) row.title = title;
}

/** How long it may have stood at the door: before its bar, as it is none of it. */
function writeMost(cell, mostMs) {
  setText(cell.querySelector(".at-door"), mostMs ? `door ≤ ${formatMs(mostMs)}` : "");
}

function writeSplit(cell, split, stallNs) {
  const bar = cell.querySelector(".split");
  const words = splitInWords(split);
  if (bar.getAttribute("aria-label") === words) return;
  bar.setAttribute("aria-label", words);
  const pieces = shares(split);
  resizeChildren(bar, pieces.length, () => make("i", ""));
  pieces.forEach(({ state, share, ms }, i) => {
    const piece = /** @type {HTMLElement} */ (bar.children[i]);
    // A request's own long run is what made the others wait.
    piece.dataset.state = state === "running" && ms * 1e6 >= stallNs ? "blocked" : state;
    piece.style.flexGrow = share.toFixed(4);
  });
}
