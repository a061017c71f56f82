// @ts-check

// The time axis: round steps counted from the moment at the right, labels and grid lines.

import { formatRound } from "../format.js";

const MIN_STEP_PX = 96;
const LABEL_ROOM_PX = 34;

/**
 * The smallest round step (1, 2, 5 × 10ⁿ; above a minute, parts of an hour) that leaves room.
 * @param {number} nsPerPx
 * @param {number} [minPx]
 */
export function stepFor(nsPerPx, minPx = MIN_STEP_PX) {
  const leastNs = nsPerPx * minPx;
  if (leastNs > 50e9) {
    const minutes = [1, 2, 5, 10, 15, 30, 60, 120].find((count) => count * 60e9 >= leastNs);
    return (minutes ?? 240) * 60e9;
  }
  const power = 10 ** Math.floor(Math.log10(leastNs));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= leastNs * 0.9999) ?? 10;
  return factor * power;
}

/**
 * Ticks in sight. So finely divided that two of them would have one label, a label says the distance from
 * the first tick instead: "-12.300 s" once, then "+20 ms".
 * @param {import("../view/scale.js").Scale} scale
 * @param {number} anchorNs
 * @param {string} anchorWord
 */
export function ticks(scale, anchorNs, anchorWord) {
  const stepNs = stepFor(scale.nsPerPx);
  const first = Math.ceil((scale.startNs - anchorNs) / stepNs);
  const last = Math.floor((scale.endNs - anchorNs) / stepNs);
  const found = [];
  for (let k = first; k <= last; k += 1) {
    const label = k === 0 ? anchorWord : signed(k * stepNs);
    found.push({ px: Math.round(scale.toPx(anchorNs + k * stepNs)), label });
  }
  if (found.every(({ label }, i) => label !== found[i + 1]?.label)) return found;
  return found.map(({ px, label }, i) => {
    if (first + i === 0) return { px, label };
    return { px, label: i ? signed(i * stepNs) : exact(first * stepNs, stepNs) };
  });
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../view/scale.js").Scale} scale
 * @param {{px: number, label: string}[]} marks
 * @param {{topPx: number, bottomPx: number}} area of the grid; labels stand above
 * @param {import("../theme.js").Palette} palette
 */
export function drawAxis(ctx, scale, marks, area, palette) {
  ctx.fillStyle = palette.line;
  for (const { px } of marks) {
    ctx.fillRect(px, area.topPx, 1, area.bottomPx - area.topPx);
  }
  ctx.fillStyle = palette.dim;
  ctx.font = palette.smallFont;
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  for (const { px, label } of marks) {
    if (px < scale.leftPx + LABEL_ROOM_PX / 2) continue;
    const halfPx = ctx.measureText(label).width / 2;
    ctx.fillText(label, Math.min(px, scale.rightPx - halfPx), area.topPx / 2);
  }
  ctx.textAlign = "left";
}

function signed(ns) {
  return ns < 0 ? `−${formatRound(-ns)}` : `+${formatRound(ns)}`;
}

function exact(ns, stepNs) {
  return `${ns < 0 ? "−" : "+"}${(Math.abs(ns) / 1e9).toFixed(stepNs < 1e6 ? 6 : 3)} s`;
}
