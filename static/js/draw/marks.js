// @ts-check

// What was put into the picture: the stretch that the viewer measures, and what the program marked.

import { formatDuration } from "../format.js";
import { shortText } from "../model/marks.js";

const LABEL_PAD_PX = 6;
const FLAG_PX = 5;
const LABEL_LINE_PX = 18;
const LABEL_LINES = 3;

/**
 * A marked stretch with its length, as on a ruler.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../view/scale.js").Scale} scale
 * @param {{startNs: number, endNs: number}} area
 * @param {{topPx: number, bottomPx: number}} grid
 * @param {import("../theme.js").Palette} palette
 */
export function drawArea(ctx, scale, area, grid, palette) {
  const leftPx = Math.max(Math.round(scale.toPx(area.startNs)), scale.leftPx);
  const rightPx = Math.min(Math.round(scale.toPx(area.endNs)), scale.rightPx);
  if (rightPx < scale.leftPx || leftPx > scale.rightPx) return;
  const widthPx = Math.max(rightPx - leftPx, 1);
  ctx.fillStyle = palette.select;
  ctx.fillRect(leftPx, grid.topPx, widthPx, grid.bottomPx - grid.topPx);
  const rulePx = grid.topPx - 4;
  ctx.fillStyle = palette.ink;
  ctx.fillRect(leftPx, rulePx, widthPx, 2);
  for (const px of [leftPx, leftPx + widthPx - 1]) ctx.fillRect(px, rulePx - 4, 1, grid.bottomPx - rulePx + 4);
  const label = formatDuration(area.endNs - area.startNs);
  ctx.font = palette.boldFont;
  const labelPx = ctx.measureText(label).width + 2 * LABEL_PAD_PX;
  const middlePx = (leftPx + rightPx) / 2;
  const labelLeftPx = Math.min(Math.max(middlePx - labelPx / 2, scale.leftPx), scale.rightPx - labelPx);
  ctx.fillStyle = palette.bg;
  ctx.fillRect(labelLeftPx, 2, labelPx, rulePx - 4);
  ctx.fillStyle = palette.ink;
  ctx.textBaseline = "middle";
  ctx.fillText(label, labelLeftPx + LABEL_PAD_PX, rulePx / 2);
}

/**
 * A thin line across the rows for each mark of the program; at its foot its words, in as many lines as it
 * takes for them not to meet, if those are few.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../view/scale.js").Scale} scale
 * @param {readonly import("../model/marks.js").Mark[]} marks in sight, in order
 * @param {{topPx: number, bottomPx: number}} grid
 * @param {import("../theme.js").Palette} palette
 */
export function drawProgramMarks(ctx, scale, marks, grid, palette) {
  if (!marks.length) return;
  const pxOf = (mark) => Math.round(scale.toPx(mark.ns));
  ctx.fillStyle = palette.dim;
  for (const px of new Set(marks.map(pxOf))) {
    ctx.fillRect(px, grid.topPx, 1, grid.bottomPx - grid.topPx);
    ctx.fillRect(px - (FLAG_PX - 1) / 2, grid.topPx - FLAG_PX, FLAG_PX, FLAG_PX);
  }
  ctx.font = palette.smallFont;
  ctx.textBaseline = "middle";
  const endsPx = new Array(LABEL_LINES).fill(-Infinity);
  for (const mark of marks) {
    const text = shortText(mark);
    const widthPx = ctx.measureText(text).width + 2 * LABEL_PAD_PX;
    const px = pxOf(mark);
    const leftPx = px + widthPx < scale.rightPx ? px + 1 : px - widthPx;
    const line = endsPx.findIndex((endPx) => endPx <= leftPx);
    if (!text || line < 0 || leftPx < scale.leftPx) continue;
    endsPx[line] = leftPx + widthPx;
    const topPx = grid.bottomPx - (line + 1) * LABEL_LINE_PX;
    ctx.fillStyle = palette.bg;
    ctx.fillRect(leftPx, topPx, widthPx, LABEL_LINE_PX);
    ctx.fillStyle = palette.ink;
    ctx.fillText(text, leftPx + LABEL_PAD_PX, topPx + LABEL_LINE_PX / 2);
  }
}
