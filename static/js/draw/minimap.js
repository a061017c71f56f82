// @ts-check

// All that is still known, on one low strip: the loops' lanes, stalls as tall as the strip, and a frame
// around the stretch in the big picture.

import { Scale } from "../view/scale.js";
import { BLOCKED, LOOP_LANE } from "../wire.js";
import { ColumnRuns } from "./column-runs.js";
import { resolve } from "./detail-level.js";

/** The strip shows at least this much, and this many times what the big picture shows. */
const LEAST_NS = 60e9;
const RANGES = 12;
const MIN_FRAME_PX = 6;
const MIN_STALL_PX = 2;

/**
 * The stretch of the strip: the last minute, or a dozen pictures, or all of a recording, which does not grow;
 * and where the viewer is, however far off.
 * @param {{oldestNs: number, nowNs: number, leftNs: number, rangeNs: number, leftPx: number, widthPx: number,
 *   whole?: {startNs: number, endNs: number} | null}} at
 */
export function minimapScale({ oldestNs, nowNs, leftNs, rangeNs, leftPx, widthPx, whole }) {
  if (whole) {
    const fromNs = Math.min(whole.startNs, leftNs);
    return new Scale(fromNs, Math.max(whole.endNs, leftNs + rangeNs) - fromNs, leftPx, widthPx);
  }
  const wishNs = Math.max(LEAST_NS, rangeNs * RANGES);
  const knownNs = Math.min(oldestNs, leftNs, nowNs - LEAST_NS);
  const startNs = Math.max(Math.min(nowNs - wishNs, leftNs - rangeNs), knownNs);
  return new Scale(startNs, Math.max(nowNs - startNs, rangeNs, 1), leftPx, widthPx);
}

/**
 * What the loops did, a row each, ready to be painted: to read it costs far more than to paint it again.
 * @param {readonly import("../model/lanes.js").Lane[]} lanes
 * @param {Scale} scale
 * @param {{nowNs: number, stallNs: number, heightPx: number}} at
 * @returns {{runs: ColumnRuns, topPx: number, heightPx: number}[]}
 */
export function readStrip(lanes, scale, { nowNs, stallNs, heightPx: roomPx }) {
  const loops = lanes.filter(({ kind }) => kind === LOOP_LANE);
  const pitchPx = (roomPx - 4) / Math.max(loops.length, 1);
  const heightPx = pitchPx - 1;
  return loops.map(({ spans }, k) => {
    const runs = new ColumnRuns();
    const column = (state, leftPx, rightPx, tick) => {
      const toPx = Math.max(rightPx, leftPx + (state === BLOCKED ? MIN_STALL_PX : 1));
      runs.add(state, leftPx, toPx, heightPx);
      if (tick) runs.addTick(leftPx, toPx, Math.max(Math.round(tick * heightPx), 1));
    };
    resolve(spans, scale, nowNs, stallNs, { slice: (s, l, r) => column(s, l, r, 0), column }, LOOK);
    return { runs, topPx: 2 + k * pitchPx, heightPx };
  });
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {object} scene
 * @param {ReturnType<typeof readStrip>} scene.strip
 * @param {Scale} scene.scale
 * @param {{startNs: number, endNs: number}} scene.sight
 * @param {{widthPx: number, heightPx: number}} scene.size
 * @param {import("../theme.js").Palette} palette
 */
export function drawMinimap(ctx, { strip, scale, sight, size }, palette) {
  ctx.fillStyle = palette.bg;
  ctx.fillRect(0, 0, size.widthPx, size.heightPx);
  for (const row of strip) row.runs.paint(ctx, row, palette.fills);
  const frame = frameOf(scale, sight);
  ctx.strokeStyle = palette.ink;
  ctx.lineWidth = 2;
  ctx.strokeRect(frame.leftPx + 1, 1, Math.max(frame.rightPx - frame.leftPx - 2, 2), size.heightPx - 2);
}

/** However short the stretch, its frame can be seen and caught. */
export function frameOf(scale, sight) {
  const leftPx = Math.max(scale.toPx(sight.startNs), scale.leftPx);
  const rightPx = Math.min(scale.toPx(sight.endNs), scale.rightPx);
  const lackPx = Math.max(MIN_FRAME_PX - (rightPx - leftPx), 0) / 2;
  return { leftPx: leftPx - lackPx, rightPx: rightPx + lackPx };
}

const LOOK = Object.freeze({ columnPx: 2, leastPx: 1, ticks: Object.freeze({ served: 0, own: 0 }) });
