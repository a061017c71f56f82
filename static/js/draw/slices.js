// @ts-check

// One lane's slices: reads columns, writes pixels, keeps nothing.

import { BLOCKED, IDLE, RUNNING } from "../wire.js";
import { resolve } from "./detail-level.js";

/** A label needs this much air on either side. */
const LABEL_PAD_PX = 8;
const MIN_LABEL_PITCH_PX = 17;

/**
 * @typedef {{topPx: number, heightPx: number, pitchPx: number}} Box
 * @typedef {object} Paints
 * @property {(string | CanvasPattern)[]} fills one per state, BLOCKED last
 * @property {string} stripe edge of a stall
 * @typedef {{state: number, leftPx: number, rightPx: number, i: number}} Wide
 */

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../model/columns.js").Spans} spans
 * @param {import("../view/scale.js").Scale} scale
 * @param {Box} row
 * @param {readonly (string | CanvasPattern)[]} fills
 * @param {{nowNs: number, stallNs: number, columnPx: number, showsIdle: boolean, ticks: import("./detail-level.js").Ticks}} at
 *   columnPx: a lonely pixel is drawn this wide, or nobody in the room would see it
 * @param {{wide: Wide[], stalls: {leftPx: number, rightPx: number}[]}} [found] wide slices in which a
 *   label may fit, and stalls, for whoever draws on
 */
export function drawSlices(ctx, spans, scale, row, fills, at, found) {
  let painted = -1;
  const paint = (state) => {
    if (state === painted) return;
    painted = state;
    ctx.fillStyle = fills[state];
  };
  const pen = {
    slice(state, leftPx, rightPx, i) {
      if (state === IDLE && !at.showsIdle) return;
      paint(state);
      const left = Math.round(leftPx);
      const width = Math.max(Math.round(rightPx) - left, at.columnPx);
      ctx.fillRect(left, row.topPx, width, row.heightPx);
      if (!found) return;
      if (state === BLOCKED) found.stalls.push({ leftPx, rightPx });
      if (width > 3 * LABEL_PAD_PX && state !== IDLE) found.wide.push({ state, leftPx, rightPx, i });
    },
    column(state, leftPx, runShare) {
      if (state !== IDLE || at.showsIdle) {
        paint(state);
        ctx.fillRect(leftPx, row.topPx, at.columnPx, row.heightPx);
      }
      if (state === BLOCKED) found?.stalls.push({ leftPx, rightPx: leftPx + 1 });
      if (!runShare) return;
      paint(RUNNING);
      const tickPx = Math.max(Math.round(row.heightPx * runShare), 1);
      ctx.fillRect(leftPx, row.topPx + row.heightPx - tickPx, at.columnPx, tickPx);
    },
  };
  resolve(spans, scale, at.nowNs, at.stallNs, pen, at.ticks);
}

/**
 * The words in a slice, when they fit; nothing rather than half a word.
 * @param {CanvasRenderingContext2D} ctx with its font set
 * @param {Wide} slice
 * @param {Box} row
 * @param {readonly string[]} texts from the longest to the shortest: the first that fits is drawn
 * @param {(text: string) => number} measure
 */
export function drawLabel(ctx, slice, row, texts, measure) {
  if (row.pitchPx < MIN_LABEL_PITCH_PX) return;
  const roomPx = slice.rightPx - slice.leftPx - 2 * LABEL_PAD_PX;
  const text = texts.find((candidate) => candidate && measure(candidate) <= roomPx);
  if (text) ctx.fillText(text, slice.leftPx + LABEL_PAD_PX, row.topPx + row.heightPx / 2 + 0.5);
}
