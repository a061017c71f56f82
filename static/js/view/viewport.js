// @ts-check

// What the viewer looks at: range, follow or held, selection, scroll. Small, and changed only by the
// functions below; each change is told once.

import { clampRange } from "./scale.js";

const FIRST_RANGE_NS = 10e9;
/** Room between now and the right edge, as a share of the range. */
const MARGIN = 0.02;

export class Viewport {
  #onChange;
  rangeNs = FIRST_RANGE_NS;
  /** Live: the right edge is now. Otherwise the picture is held at heldNs. */
  isLive = true;
  startNs = 0;
  heldNs = 0;
  /** The range to go back to: a microsecond is a fine thing to look at, but not live. */
  #liveRangeNs = FIRST_RANGE_NS;
  /** @type {{lane: number, startNs: number | null} | null} the span begins at startNs */
  selection = null;
  /** @type {{xPx: number, yPx: number} | null} */
  pointer = null;
  scrollPx = 0;
  showsTasks = false;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** The moment that is the end of everything drawn. */
  momentNs(nowNs) {
    return this.isLive ? nowNs : Math.min(this.heldNs, nowNs);
  }

  /** The latest moment in sight. */
  shownNs(nowNs) {
    return this.isLive ? nowNs : Math.min(this.momentNs(nowNs), this.startNs + this.rangeNs);
  }

  /** Left edge of the picture. */
  leftNs(nowNs) {
    return this.isLive ? nowNs + this.rangeNs * MARGIN - this.rangeNs : this.startNs;
  }

  hold(nowNs) {
    if (!this.isLive) return;
    this.startNs = this.leftNs(nowNs);
    this.heldNs = nowNs;
    this.#liveRangeNs = this.rangeNs;
    this.isLive = false;
    this.#onChange();
  }

  goLive() {
    if (!this.isLive) this.rangeNs = this.#liveRangeNs;
    this.isLive = true;
    this.scrollPx = Infinity;
    this.#onChange();
  }

  /** Looking right of the held moment reveals what has happened since. */
  panBy(deltaNs, nowNs) {
    this.hold(nowNs);
    const latestNs = nowNs - this.rangeNs * 0.1;
    this.startNs = Math.min(this.startNs + deltaNs, latestNs);
    const endNs = this.startNs + this.rangeNs * (1 - MARGIN);
    if (endNs > this.heldNs) this.heldNs = Math.min(endNs, nowNs);
    this.#onChange();
  }

  /** Live, the right edge stays now; held, the time under the cursor stays where it is. */
  zoomBy(factor, anchorNs) {
    const rangeNs = clampRange(this.rangeNs * factor);
    if (!this.isLive) {
      const share = (anchorNs - this.startNs) / this.rangeNs;
      this.startNs = anchorNs - share * rangeNs;
    }
    this.rangeNs = rangeNs;
    this.#onChange();
  }

  resetZoom() {
    const middleNs = this.startNs + this.rangeNs / 2;
    this.zoomBy(FIRST_RANGE_NS / this.rangeNs, middleNs);
  }

  /** Bring this stretch into view, with some air around it. */
  fit(startNs, endNs, nowNs) {
    this.hold(nowNs);
    const rangeNs = clampRange((endNs - startNs) * 1.3);
    this.startNs = (startNs + endNs) / 2 - rangeNs / 2;
    this.rangeNs = rangeNs;
    this.heldNs = Math.min(Math.max(this.heldNs, endNs), nowNs);
    this.#onChange();
  }

  select(lane, startNs = null) {
    this.selection = { lane, startNs };
    this.#onChange();
  }

  clearSelection() {
    this.selection = null;
    this.#onChange();
  }

  pointAt(pointer) {
    this.pointer = pointer;
    this.#onChange();
  }

  scrollTo(px) {
    this.scrollPx = px;
    this.#onChange();
  }

  toggleTasks() {
    this.showsTasks = !this.showsTasks;
    this.#onChange();
  }

  /** A new run of the server: its times mean nothing to the old picture. */
  restart() {
    this.selection = null;
    this.isLive = true;
    this.scrollPx = Infinity;
    this.#onChange();
  }
}
