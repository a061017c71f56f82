// @ts-check

// Two recordings on one axis, each from its first request: the same drawing as the page's, twice. Asks
// the server once; nobody knows it.

import { drawTimeline } from "./draw/timeline.js";
import { countOf, formatMs } from "./format.js";
import { History } from "./model/history.js";
import { PARTS } from "./model/requests.js";
import { Theme, readPalette } from "./theme.js";
import { make, part, setText } from "./ui/parts.js";
import { Canvas } from "./view/canvas.js";
import { Choice } from "./view/choice.js";
import { FrameLoop } from "./view/frame.js";
import { Scale, clampRange } from "./view/scale.js";
import { isRequestKind, readHello } from "./wire.js";

/** Parts of a split that are less than this share of it are not told. */
const LEAST_SHARE = 0.02;
/** Share of the whole that is left free on either side. */
const AIR = 0.03;

const leaving = new AbortController();
const { signal } = leaving;
addEventListener("pagehide", (event) => event.persisted || leaving.abort(), { signal });
const root = document.documentElement;
const frames = new FrameLoop(draw);
let palette = readPalette(root);
new Theme(root, restyle, signal);
const stage = part(root, "stage");
const choice = new Choice(() => frames.invalidate());
/** @typedef {{history: History, canvas: Canvas, beginNs: number, endNs: number}} Side */
/** @type {Side[]} */
let sides = [];
/** Of both, counted from where each begins. */
const view = { startNs: 0, rangeNs: 1e9, wholeNs: 1e9 };

function restyle() {
  palette = readPalette(root);
  frames.invalidate();
}

function draw() {
  for (const { history, canvas, beginNs, endNs } of sides) {
    const size = canvas.fit();
    if (size.widthPx < 1) continue;
    const scale = new Scale(beginNs + view.startNs, view.rangeNs, palette.gutterPx, size.widthPx - palette.gutterPx);
    drawTimeline(
      canvas.context,
      {
        history, scale, size, nowNs: endNs, anchorNs: beginNs, isLive: false, wanted: choice, selection: null, spotlight: false, area: null, pointerPx: null,
        view: { scrollPx: 0, folds: false },
        measure: (text) => canvas.context.measureText(text).width,
      },
      palette,
    );
  }
}

function moveBy(ns) {
  view.startNs = Math.min(Math.max(view.startNs + ns, -view.rangeNs / 2), view.wholeNs - view.rangeNs / 2);
  frames.invalidate();
}

/** @param {number} share of the width, from the left, that stays where it is */
function zoomBy(factor, share = 0.5) {
  const rangeNs = clampRange(Math.min(view.rangeNs * factor, (1 + 2 * AIR) * view.wholeNs));
  view.startNs += (view.rangeNs - rangeNs) * share;
  view.rangeNs = rangeNs;
  moveBy(0);
}

function showAll() {
  view.startNs = -AIR * view.wholeNs;
  view.rangeNs = (1 + 2 * AIR) * view.wholeNs;
  frames.invalidate();
}

const KEYS = Object.freeze({
  ArrowLeft: () => moveBy(-0.15 * view.rangeNs),
  ArrowRight: () => moveBy(0.15 * view.rangeNs),
  "+": () => zoomBy(1 / 1.5),
  "=": () => zoomBy(1 / 1.5),
  "-": () => zoomBy(1.5),
  0: showAll,
});

function listen(element) {
  const widthPx = () => Math.max(element.clientWidth - palette.gutterPx, 1);
  element.addEventListener("pointerdown", (event) => element.setPointerCapture(event.pointerId), { signal });
  element.addEventListener(
    "pointermove",
    (event) => event.buttons && moveBy((-event.movementX * view.rangeNs) / widthPx()),
    { signal },
  );
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoomBy(Math.exp(event.deltaY / 400), (event.offsetX - palette.gutterPx) / widthPx());
    },
    { signal, passive: false },
  );
}

function cellsOf(side) {
  if (!side) return Array.from({ length: 4 }, () => make("td", "", "–"));
  const wholeMs = PARTS.reduce((sum, { field }) => sum + (side.split[field] ?? 0), 0);
  const told = PARTS.filter(({ field }) => side.split[field] > LEAST_SHARE * wholeMs);
  const split = told.map(({ field, words }) => `${formatMs(side.split[field])} ${words}`).join(", ");
  return [String(side.count), formatMs(side.p50_ms), formatMs(side.p95_ms), split].map((text) => make("td", "", text));
}

function rowOf({ route, sides: both }) {
  const head = make("th", "", route);
  head.setAttribute("scope", "row");
  return make("tr", "", head, ...both.flatMap(cellsOf));
}

async function begin() {
  const answer = await fetch("/api/compare", { signal });
  if (!answer.ok) throw new Error(`The recordings could not be read (${answer.status}).`);
  const { sentence, routes, sides: hellos } = await answer.json();
  setText(part(root, "sentence"), sentence);
  part(root, "routes").replaceChildren(...routes.map(rowOf));
  sides = hellos.map((told, i) => {
    const hello = readHello(JSON.stringify(told));
    const history = new History();
    history.begin(hello);
    setText(part(root, `count-${i}`), countOf(history.counts.finished, "request"));
    const element = /** @type {HTMLCanvasElement} */ (part(root, `canvas-${i}`));
    listen(element);
    const canvas = new Canvas(element, () => frames.invalidate(), signal);
    const requests = history.lanes.all.filter(({ kind }) => isRequestKind(kind));
    const beginNs = Math.min(...requests.map(({ startNs }) => startNs), hello.t_ns);
    return { history, canvas, beginNs: requests.length ? beginNs : history.oldestNs, endNs: hello.t_ns };
  });
  view.wholeNs = Math.max(...sides.map(({ beginNs, endNs }) => endNs - beginNs), 1e6);
  showAll();
  root.dataset.state = "live";
}

stage.addEventListener(
  "keydown",
  (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  },
  { signal },
);
begin().catch((error) => signal.aborted || setText(part(root, "sentence"), error.message));
