// @ts-check

// Which stretch of time the viewer looks at, live or held; what is selected; how far rows are scrolled.
// Small, and changed only by the functions below; each change is told once.

import { clampRange } from "./scale.js";
import { Trail } from "./trail.js";

const FIRST_RANGE_NS = 10e9;
/** Room between now and the right edge, as a share of the range. */
const MARGIN = 0.02;

/** @typedef {{isLive: boolean, rangeNs: number, startNs: number, heldNs: number}} Place */

export class Viewport {
  #onChange;
  /** @type {Trail<Place>} */
  #trail;
  rangeNs = FIRST_RANGE_NS;
  /** Live: the right edge is now. Otherwise the picture is held, and ends at heldNs. */
  isLive = true;
  startNs = 0;
  heldNs = 0;
  /** The range to go back to: a microsecond is a fine thing to look at, but not live. */
  #liveRangeNs = FIRST_RANGE_NS;
  /** All that a recording has. It has no now: where one would be live, all of it is in sight. @type {{startNs: number, endNs: number} | null} */
  whole = null;
  /** @type {{lane: number, startNs: number | null} | null} the span begins at startNs */
  selection = null;
  /** A stretch of time that was marked, to be measured. @type {{startNs: number, endNs: number} | null} */
  area = null;
  /** Over the picture, not over the names. @type {{xPx: number, yPx: number} | null} */
  pointer = null;
  scrollPx = Infinity;

  /**
   * @param {() => void} onChange
   * @param {() => number} [clock] in ms
   */
  constructor(onChange, clock) {
    this.#onChange = onChange;
    this.#trail = new Trail(clock);
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
    this.#leave("hold");
    this.#hold(nowNs);
    this.#onChange();
  }

  goLive() {
    if (this.whole || !this.isLive) {
      this.#leave("live");
      this.rangeNs = this.#liveRangeNs;
    }
    this.isLive = true;
    this.scrollPx = Infinity;
    this.#showAll();
    this.#onChange();
  }

  /** Looking right of the held moment reveals what has happened since. */
  panBy(deltaNs, nowNs) {
    this.#leave("pan");
    this.#hold(nowNs);
    this.#startAt(this.startNs + deltaNs, nowNs);
    this.#onChange();
  }

  /** Left edge at this time. */
  panTo(startNs, nowNs) {
    this.panBy(startNs - this.leftNs(nowNs), nowNs);
  }

  /** Live, the right edge stays now; held, the time under the cursor stays where it is. */
  zoomBy(factor, anchorNs) {
    this.#leave("zoom");
    const rangeNs = clampRange(this.rangeNs * factor);
    if (!this.isLive) {
      const share = (anchorNs - this.startNs) / this.rangeNs;
      this.startNs = anchorNs - share * rangeNs;
    }
    this.rangeNs = rangeNs;
    this.#onChange();
  }

  /** Zoom where the pointer is: far from now one wants to look at that place, so it is held. */
  zoomAt(factor, anchorNs, nowNs) {
    const isFar = nowNs - anchorNs > this.rangeNs * 0.1;
    if (this.isLive && factor < 1 && isFar) {
      this.#leave("zoom");
      this.#hold(nowNs);
    }
    this.zoomBy(factor, anchorNs);
  }

  resetZoom() {
    const middleNs = this.startNs + this.rangeNs / 2;
    this.zoomBy(FIRST_RANGE_NS / this.rangeNs, middleNs);
  }

  /** Bring this stretch into view, with some air around it. */
  fit(startNs, endNs, nowNs) {
    this.#leave("fit");
    this.#hold(nowNs);
    const rangeNs = clampRange((endNs - startNs) * 1.3);
    this.startNs = (startNs + endNs) / 2 - rangeNs / 2;
    this.rangeNs = rangeNs;
    this.heldNs = Math.min(Math.max(this.heldNs, endNs), nowNs);
    this.#onChange();
  }

  /** Show exactly this stretch: for whoever moves the picture by themselves; no step to undo. */
  show(startNs, rangeNs, nowNs) {
    this.hold(nowNs);
    this.startNs = startNs;
    this.rangeNs = clampRange(rangeNs);
    this.heldNs = Math.max(this.heldNs, Math.min(startNs + this.rangeNs, nowNs));
    this.#onChange();
  }

  /** The same as a move of the viewer's own. */
  goTo(startNs, rangeNs, nowNs) {
    this.#leave("fit");
    this.show(startNs, rangeNs, nowNs);
  }

  /** @returns {boolean} was there anywhere to go back to? */
  undo() {
    return this.#go(this.#trail.back(this.#place()));
  }

  /** @returns {boolean} */
  redo() {
    return this.#go(this.#trail.forward(this.#place()));
  }

  select(lane, startNs = null) {
    this.selection = { lane, startNs };
    this.#onChange();
  }

  clearSelection() {
    this.selection = null;
    this.area = null;
    this.#onChange();
  }

  /** Mark a stretch, in whichever order its ends come. */
  mark(oneNs, otherNs) {
    this.area = { startNs: Math.min(oneNs, otherNs), endNs: Math.max(oneNs, otherNs) };
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

  /** Something that the picture shows changed elsewhere. */
  touch() {
    this.#onChange();
  }

  /** @returns {boolean} is there nothing to the left or to the right? */
  get showsAll() {
    const { whole, startNs, rangeNs } = this;
    return !whole || (startNs <= whole.startNs && startNs + rangeNs >= whole.endNs);
  }

  /**
   * A new run of the server: its times mean nothing to the old picture.
   * @param {{from_ns: number, to_ns: number} | null} [recording]
   */
  restart(recording = null) {
    this.whole = recording && { startNs: recording.from_ns, endNs: recording.to_ns };
    this.selection = null;
    this.area = null;
    this.isLive = true;
    this.scrollPx = Infinity;
    this.#trail.clear();
    this.#onChange();
  }

  #hold(nowNs) {
    if (!this.isLive) return;
    this.startNs = this.leftNs(nowNs);
    this.heldNs = nowNs;
    this.#liveRangeNs = this.rangeNs;
    this.isLive = false;
  }

  /** Of a recording, where something else would be live. */
  #showAll() {
    if (!this.whole) return;
    const { startNs, endNs } = this.whole;
    const airNs = (endNs - startNs) * MARGIN;
    this.isLive = false;
    this.startNs = startNs - airNs;
    this.rangeNs = clampRange(endNs - startNs + 2 * airNs);
    this.heldNs = endNs;
  }

  #startAt(startNs, nowNs) {
    const latestNs = nowNs - this.rangeNs * 0.1;
    this.startNs = Math.min(startNs, latestNs);
    const endNs = this.startNs + this.rangeNs * (1 - MARGIN);
    if (endNs > this.heldNs) this.heldNs = Math.min(endNs, nowNs);
  }

  #place() {
    const { isLive, rangeNs, startNs, heldNs } = this;
    return { isLive, rangeNs, startNs, heldNs };
  }

  #leave(kind) {
    this.#trail.leave(this.#place(), kind);
  }

  #go(place) {
    if (!place) return false;
    Object.assign(this, place);
    if (place.isLive) {
      this.#liveRangeNs = place.rangeNs;
      this.#showAll();
    }
    this.#onChange();
    return true;
  }
}
