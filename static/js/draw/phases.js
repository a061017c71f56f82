// @ts-check

// The phases of a request as a thin strip below its slices. Columns in, pixels out; keeps nothing.

/** A row lower than this has no room below its slices. */
const MIN_PITCH_PX = 18;
const HEIGHT_PX = 3;

/** How strong each is: the endpoint is the user's own. */
const STRENGTHS = Object.freeze({ endpoint: "ink", serialization: "dim" });

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../view/scale.js").Scale} scale
 * @param {import("./slices.js").Box} row
 * @param {readonly import("../wire.js").Phase[]} phases
 * @param {import("../theme.js").Palette} palette
 */
export function drawPhases(ctx, scale, row, phases, palette) {
  if (row.pitchPx < MIN_PITCH_PX) return;
  const topPx = row.topPx + row.heightPx + 1;
  for (const { name, start_ns: startNs, end_ns: endNs } of phases) {
    const leftPx = Math.max(Math.round(scale.toPx(startNs)), scale.leftPx);
    const rightPx = Math.min(Math.round(scale.toPx(endNs)), scale.rightPx);
    if (rightPx < scale.leftPx || leftPx > scale.rightPx) continue;
    ctx.fillStyle = palette[Object.hasOwn(STRENGTHS, name) ? STRENGTHS[name] : "faint"];
    // A pixel of ground between two that touch.
    ctx.fillRect(leftPx, topPx, Math.max(rightPx - leftPx - 1, 1), HEIGHT_PX);
  }
}
