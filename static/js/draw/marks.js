// @ts-check

// What the viewer put into the picture: the stretch that is measured.

import { formatDuration } from "../format.js";

const LABEL_PAD_PX = 6;

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
