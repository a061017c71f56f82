// @ts-check

// One lane's slices: reads columns, writes pixels, keeps nothing.

import { BLOCKED, IDLE, RUNNING } from "../wire.js";
import { ColumnRuns } from "./column-runs.js";
import { TRUE_TICKS, resolve } from "./detail-level.js";

/** A label needs this much air on either side. */
const LABEL_PAD_PX = 8;
const MIN_TICK_ROW_PX = 8;
/** A hundred low rows have as many pixels as ten tall ones have room for: each may be coarser. */
const LOW_ROW_FACTOR = 3;
/** A row lower than so many heights of its text has no room for words. */
const LABEL = 1.3;

// One for all lanes, emptied for each: no memory is taken while drawing.
const gathered = new ColumnRuns();

/**
 * @typedef {{topPx: number, heightPx: number, pitchPx: number}} Box
 * @typedef {object} Paints
 * @property {(string | CanvasPattern)[]} fills one per state, BLOCKED last
 * @property {string} stripe edge of a stall
 * @typedef {{state: number, leftPx: number, rightPx: number, i: number}} Wide
 */

/**
 * Wide slices are painted as they come; columns are gathered, merged with equal neighbours, and
 * painted state by state, because changing the paint costs more than painting.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../model/columns.js").Spans} spans
 * @param {import("../view/scale.js").Scale} scale
 * @param {Box} row
 * @param {readonly (string | CanvasPattern)[]} fills
 * @param {{nowNs: number, stallNs: number, columnPx: number, showsIdle: boolean, ticks: import("./detail-level.js").Ticks}} at
 * @param {{wide: Wide[], stalls: {leftPx: number, rightPx: number}[]}} [found] wide slices in which a
 *   label may fit, and stalls, for whoever draws on
 */
export function drawSlices(ctx, spans, scale, row, fills, at, found) {
  const isLow = row.heightPx < MIN_TICK_ROW_PX;
  const columnPx = isLow ? at.columnPx * LOW_ROW_FACTOR : at.columnPx;
  const paints = (state) => state !== IDLE || at.showsIdle;
  let painted = -1;
  gathered.clear();
  const pen = {
    slice(state, leftPx, rightPx, i) {
      if (!paints(state)) return;
      if (state !== painted) ctx.fillStyle = fills[state];
      painted = state;
      const left = Math.round(leftPx);
      const width = Math.max(Math.round(rightPx) - left, 1);
      ctx.fillRect(left, row.topPx, width, row.heightPx);
      if (!found) return;
      if (state === BLOCKED) found.stalls.push({ leftPx, rightPx });
      if (width > 3 * LABEL_PAD_PX && state !== IDLE) found.wide.push({ state, leftPx, rightPx, i });
    },
    column(state, leftPx, rightPx, tick) {
      // In a row too low for a tick the state with the larger part has the column.
      const shown = isLow && tick > 0.5 ? RUNNING : state;
      if (paints(shown)) gathered.add(shown, leftPx, rightPx, row.heightPx);
      if (tick && !isLow) gathered.addTick(leftPx, rightPx, stepped(row.heightPx * tick));
      if (state === BLOCKED) found?.stalls.push({ leftPx, rightPx });
    },
  };
  resolve(spans, scale, at.nowNs, at.stallNs, pen, {
    columnPx,
    leastPx: at.columnPx,
    ticks: isLow ? TRUE_TICKS : at.ticks,
  });
  gathered.paint(ctx, row, fills);
}

/** Even heights only: neighbours then are equal more often, and become one rectangle. */
function stepped(px) {
  return Math.max(Math.round(px / 2) * 2, 2);
}

/**
 * The words in a slice, when they fit; nothing rather than half a word.
 * @param {CanvasRenderingContext2D} ctx with its font set
 * @param {Wide} slice
 * @param {Box} row
 * @param {readonly string[]} texts from the longest to the shortest: the first that fits is drawn
 * @param {{measure: (text: string) => number, textPx: number}} type
 */
export function drawLabel(ctx, slice, row, texts, { measure, textPx }) {
  if (row.pitchPx < LABEL * textPx) return;
  const roomPx = slice.rightPx - slice.leftPx - 2 * LABEL_PAD_PX;
  const text = texts.find((candidate) => candidate && measure(candidate) <= roomPx);
  if (text) ctx.fillText(text, slice.leftPx + LABEL_PAD_PX, row.topPx + row.heightPx / 2 + 0.5);
}
