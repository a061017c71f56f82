// @ts-check

// The timeline as a part of the page: owns its canvas and palette, draws a frame when told to, knows
// what is under a pixel and which lane or slice comes next.

import { FOLD_MARK_PX } from "../draw/gutter.js";
import { SvgSurface } from "../draw/svg.js";
import { drawTimeline } from "../draw/timeline.js";
import { movePatterns, readPalette } from "../theme.js";
import { Canvas } from "../view/canvas.js";
import { rowAt } from "../view/rows.js";
import { Scale } from "../view/scale.js";
import { RUNNING, isRequestKind } from "../wire.js";
import { part } from "./parts.js";
import { Tooltip, describe, describeMark, describeRequest } from "./tooltip.js";

const MAX_MEASURED = 4000;
/** What only goes on is drawn when it has moved by a column, or after this: a held picture hardly changes. */
const LIVE_MS = 50;
const HELD_MS = 250;
/** A slice thinner than this is hit from its neighbourhood. */
const NEAR_PX = 3;

export class TimelineView {
  #root;
  #history;
  #viewport;
  #choice;
  #canvas;
  /** @type {import("../theme.js").Palette | null} */
  #palette = null;
  /** @type {import("../view/rows.js").RowPlan | null} */
  #plan = null;
  /** @type {import("../draw/timeline.js").Scene | null} */
  #scene = null;
  #scale = new Scale(0, 1, 0, 1);
  #nowNs = 0;
  #drawnMs = -Infinity;
  #tooltip;
  #measured = new Map();
  #folds;

  /**
   * @param {HTMLElement} root
   * @param {import("../model/history.js").History} history
   * @param {object} view
   * @param {import("../view/viewport.js").Viewport} view.viewport
   * @param {import("../view/choice.js").Choice} view.choice
   * @param {() => void} invalidate
   * @param {AbortSignal} signal
   */
  constructor(root, history, { viewport, choice }, invalidate, signal) {
    this.#root = root;
    this.#history = history;
    this.#viewport = viewport;
    this.#choice = choice;
    this.element = part(root, "canvas");
    const element = /** @type {HTMLCanvasElement} */ (this.element);
    this.#canvas = new Canvas(element, invalidate, signal);
    this.#tooltip = new Tooltip(root);
    this.#folds = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /** Colours and sizes changed: read them again before the next draw. */
  restyle() {
    this.#palette = null;
    this.#measured.clear();
  }

  /** As it is drawn. */
  get scale() {
    return this.#scale;
  }

  /** As the viewport is by now: hands may move it several times between two frames. */
  scaleAt(nowNs) {
    const { leftPx, widthPx } = this.#scale;
    return new Scale(this.#viewport.leftNs(nowNs), this.#viewport.rangeNs, leftPx, widthPx);
  }

  get overflows() {
    return (this.#plan?.overflowPx ?? 0) >= 1;
  }

  /**
   * At the lower edge it stays there: the newest rows are what one waits for.
   * @returns {number} how much of it goes beyond the first or the last row
   */
  scrollBy(deltaPx) {
    if (!this.#plan) return 0;
    const { overflowPx } = this.#plan;
    const px = Math.min(this.#viewport.scrollPx, overflowPx) + deltaPx;
    this.#viewport.scrollTo(px >= overflowPx ? Infinity : Math.max(px, 0));
    return px - Math.min(Math.max(px, 0), overflowPx);
  }

  /** Are there rows besides the loop's? */
  get hasRows() {
    return (this.#plan?.rows.length ?? 0) > 0;
  }

  get hiddenTasks() {
    return this.#plan?.hiddenTasks ?? 0;
  }

  /** Rows that the filter leaves out. */
  get filtered() {
    return this.#plan?.filtered ?? 0;
  }

  /** @returns {readonly import("../model/lanes.js").Lane[]} lanes in sight, from top to bottom */
  get shownLanes() {
    return this.#plan ? [...this.#plan.pinned, ...this.#plan.rows].map(({ lane }) => lane) : [];
  }

  /** The end of everything drawn. */
  get endNs() {
    return this.#nowNs;
  }

  get palette() {
    return (this.#palette ??= readPalette(this.#root));
  }

  /**
   * @param {number} nowMs
   * @param {number} nowNs
   * @param {boolean} isChanged false: only time has passed
   * @returns {boolean} was it drawn?
   */
  draw(nowMs, nowNs, isChanged) {
    const { palette } = this;
    if (!isChanged && !this.#isDue(nowMs, nowNs, palette)) return false;
    const size = this.#canvas.fit();
    if (size.widthPx < 1 || size.heightPx < 1) return false;
    this.#drawnMs = nowMs;
    const viewport = this.#viewport;
    const widthPx = size.widthPx - palette.gutterPx;
    const leftNs = viewport.leftNs(nowNs);
    this.#scale = new Scale(leftNs, viewport.rangeNs, palette.gutterPx, widthPx).snapped(
      palette.sizes.columnPx,
    );
    this.#nowNs = viewport.momentNs(nowNs);
    movePatterns(palette.hatches.keys(), palette.gutterPx - (this.#scale.startNs / this.#scale.nsPerPx));
    const { scrollPx, selection, area, isLive, pointer } = viewport;
    const { context } = this.#canvas;
    this.#scene = {
      history: this.#history,
      scale: this.#scale,
      nowNs: this.#nowNs,
      isLive,
      anchorWord: isLive ? "now" : viewport.whole ? "end" : "",
      size,
      view: { scrollPx, folds: isLive && !this.#folds.matches },
      wanted: this.#choice,
      selection,
      spotlight: "present" in this.#root.dataset,
      area,
      pointerPx: pointer ? pointer.xPx : null,
      measure: (text) => this.#measure(context, text),
    };
    this.#plan = drawTimeline(context, this.#scene, palette);
    this.element.toggleAttribute("data-overflows", this.overflows);
    this.#showTooltip();
    return true;
  }

  /** A minute in sight moves by a column in a tenth of a second: to draw it sixty times would be waste. */
  #isDue(nowMs, nowNs, { sizes }) {
    const isLive = this.#viewport.isLive;
    if (nowMs - this.#drawnMs >= (isLive ? LIVE_MS : HELD_MS)) return true;
    return isLive && this.#viewport.leftNs(nowNs) - this.#scale.startNs >= sizes.columnPx * this.#scale.nsPerPx;
  }

  /** The picture in sight once more, as SVG. @param {string} title */
  writeSvg(title) {
    if (!this.#scene) return "";
    const { palette } = this;
    const surface = new SvgSurface(this.#canvas.context, palette.hatches);
    const measure = (text) => surface.measureText(text).width;
    const context = /** @type {CanvasRenderingContext2D} */ (/** @type {unknown} */ (surface));
    drawTimeline(context, { ...this.#scene, pointerPx: null, measure }, palette);
    return surface.write(this.#scene.size, title);
  }

  /** @returns {{lane: import("../model/lanes.js").Lane, i: number} | null} */
  find(xPx, yPx) {
    const row = this.#plan ? rowAt(this.#plan, yPx) : null;
    if (!row) return null;
    if (xPx < this.#scale.leftPx) return { lane: row.lane, i: -1 };
    const ns = this.#scale.toNs(xPx);
    const { spans } = row.lane;
    if (ns > this.#nowNs || ns >= row.lane.endNs) return { lane: row.lane, i: -1 };
    return { lane: row.lane, i: this.#worstNear(spans, ns) };
  }

  /** Of the slices under the pointer the one that a crowded pixel would show: the longest run. */
  #worstNear(spans, ns) {
    const reachNs = NEAR_PX * this.#scale.nsPerPx;
    const here = spans.indexAt(ns);
    if (here < 0) return -1;
    if (spans.endNs(here, this.#nowNs) - spans.startNs(here) > 2 * reachNs) return here;
    let best = here;
    let bestNs = -1;
    for (let i = spans.firstEndingAfter(ns - reachNs); i < spans.count; i += 1) {
      if (spans.startNs(i) > ns + reachNs) break;
      const lengthNs = spans.endNs(i, this.#nowNs) - spans.startNs(i);
      if (spans.state(i) === RUNNING && lengthNs > bestNs) {
        best = i;
        bestNs = lengthNs;
      }
    }
    return best;
  }

  /** The selected lane and the index of its slice, -1 when it is the lane alone. */
  selected() {
    const { selection } = this.#viewport;
    const lane = selection ? this.#history.lanes.get(selection.lane) : null;
    if (!selection || !lane) return null;
    const i = selection.startNs === null ? -1 : lane.spans.indexAt(selection.startNs);
    return { lane, i };
  }

  /** The lane so many rows below the selected one, in sight or not; the first when none is. */
  laneBeside(step) {
    const lanes = this.#plan?.order ?? [];
    const at = lanes.findIndex((lane) => lane.id === this.#viewport.selection?.lane);
    const next = at < 0 ? (step > 0 ? 0 : lanes.length - 1) : at + step;
    return lanes[Math.min(Math.max(next, 0), lanes.length - 1)] ?? null;
  }

  /** Scroll as little as it takes to have this lane's row in sight. */
  revealRow(lane) {
    const plan = this.#plan;
    const place = plan?.placeOf(lane);
    if (!plan || !place) return;
    const roomPx = this.#canvas.heightPx - plan.topPx;
    if (place.topPx < plan.scrollPx) this.#viewport.scrollTo(place.topPx);
    else if (place.bottomPx > plan.scrollPx + roomPx) this.#viewport.scrollTo(place.bottomPx - roomPx);
  }

  /** Is this pixel on the mark that folds a request's tasks? @returns {number} the request, or 0 */
  foldAt(xPx, yPx) {
    const row = this.#plan && xPx < this.#scale.leftPx ? rowAt(this.#plan, yPx) : null;
    const isMark = row && isRequestKind(row.lane.kind) && this.#history.lanes.tasksOf(row.lane.request) > 0;
    return isMark && xPx < FOLD_MARK_PX + 12 ? row.lane.request : 0;
  }

  /** The selected slice in words; of a lane alone its whole life when over, else what it does now. */
  words() {
    const found = this.selected();
    if (!found || !found.lane.spans.count) return null;
    const { lane, i } = found;
    const finished = i < 0 && lane.request ? this.#history.requests.get(lane.request) : null;
    if (finished) return describeRequest(finished);
    return describe(this.#history, lane, i >= 0 ? i : lane.lastSlice, this.#nowNs);
  }

  #showTooltip() {
    const { pointer } = this.#viewport;
    const { scale } = this;
    const mark = pointer ? this.#history.marks.near(scale.toNs(pointer.xPx), NEAR_PX * scale.nsPerPx) : null;
    if (pointer && mark && mark.ns <= this.#nowNs) return this.#tooltip.show(describeMark(mark), pointer);
    const found = pointer ? this.find(pointer.xPx, pointer.yPx) : null;
    if (!pointer || !found || found.i < 0) return this.#tooltip.show(null);
    this.#tooltip.show(describe(this.#history, found.lane, found.i, this.#nowNs), pointer);
  }

  #measure(context, text) {
    const key = context.font + text;
    let width = this.#measured.get(key);
    if (width === undefined) {
      if (this.#measured.size > MAX_MEASURED) this.#measured.clear();
      width = context.measureText(text).width;
      this.#measured.set(key, width);
    }
    return width;
  }
}
