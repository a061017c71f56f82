// @ts-check

// What a stall does to the others: a red band over everybody, and stripes on those whom it held up.

/** Narrower ones would be a smear of the stripe's colour. */
const MIN_HELD_PX = 3;

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {readonly {leftPx: number, rightPx: number}[]} stalls
 * @param {{topPx: number, bottomPx: number}} area
 * @param {string} color translucent
 */
export function drawBands(ctx, stalls, area, color) {
  if (!stalls.length) return;
  ctx.fillStyle = color;
  for (const { leftPx, rightPx } of stalls) {
    const left = Math.round(leftPx);
    const width = Math.max(Math.round(rightPx) - left, 1);
    ctx.fillRect(left, area.topPx, width, area.bottomPx - area.topPx);
  }
}

/**
 * Stripes on a victim's row, for as long as it was held up; what it was in still shows between them.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../view/scale.js").Scale} scale
 * @param {readonly import("../model/victims.js").Stretch[]} stretches
 * @param {{topPx: number, heightPx: number}} row
 * @param {readonly (string | CanvasPattern)[]} fills by state
 */
export function drawHeld(ctx, scale, stretches, row, fills) {
  for (const { state, startNs, endNs } of stretches) {
    const left = Math.max(Math.round(scale.toPx(startNs)), scale.leftPx);
    const right = Math.min(Math.round(scale.toPx(endNs)), scale.rightPx);
    if (right - left < MIN_HELD_PX) continue;
    ctx.fillStyle = fills[state];
    ctx.fillRect(left, row.topPx, right - left, row.heightPx);
  }
}
