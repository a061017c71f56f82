// @ts-check

// The red band over everybody whom a stall holds up.

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
