// @ts-check

// The only place that turns nanoseconds into pixels and back.

/** Below a microsecond the clock of the recorder has nothing more to tell. */
export const MIN_RANGE_NS = 1e3;
/** An hour is more than any server keeps. */
export const MAX_RANGE_NS = 3600e9;

/** @param {number} rangeNs */
export function clampRange(rangeNs) {
  return Math.min(Math.max(rangeNs, MIN_RANGE_NS), MAX_RANGE_NS);
}

export class Scale {
  /**
   * @param {number} startNs at the left edge
   * @param {number} rangeNs from edge to edge
   * @param {number} leftPx
   * @param {number} widthPx
   */
  constructor(startNs, rangeNs, leftPx, widthPx) {
    this.leftPx = leftPx;
    this.widthPx = Math.max(widthPx, 1);
    this.rightPx = leftPx + this.widthPx;
    this.nsPerPx = rangeNs / this.widthPx;
    this.startNs = startNs;
    this.endNs = startNs + rangeNs;
  }

  /** @param {number} ns */
  toPx(ns) {
    return this.leftPx + (ns - this.startNs) / this.nsPerPx;
  }

  /** @param {number} px */
  toNs(px) {
    return this.startNs + (px - this.leftPx) * this.nsPerPx;
  }

  /**
   * The same scale moved by less than a column, to whole columns since zero: while the picture
   * scrolls, the same slices then share a column from frame to frame, and nothing flickers.
   * @param {number} columnPx
   */
  snapped(columnPx) {
    const columnNs = this.nsPerPx * columnPx;
    const startNs = Math.floor(this.startNs / columnNs) * columnNs;
    return new Scale(startNs, this.widthPx * this.nsPerPx, this.leftPx, this.widthPx);
  }
}
