// @ts-check

// Names of the rows, left of the slices. Rows too low for a name share one with their neighbours:
// "20 × /slow" beside a bracket.

import { formatLane } from "../format.js";
import { LOOP_LANE, THREAD_LANE } from "../wire.js";

const PAD_PX = 8;
const BRACKET_PX = 3;

/**
 * @typedef {{topPx: number, bottomPx: number, text: string, count: number,
 *   lane: import("../model/lanes.js").Lane}} Name
 */

/**
 * Rows at least minPx tall keep their own name; lower neighbours of one label are named together.
 * @param {readonly import("../view/rows.js").Row[]} rows
 * @param {number} minPx
 * @returns {Name[]}
 */
export function groupNames(rows, minPx) {
  /** @type {Name[]} */
  const names = [];
  let isOpen = false;
  for (const { lane, topPx, heightPx, pitchPx } of rows) {
    const last = names.at(-1);
    const isLow = pitchPx < minPx;
    if (isLow && isOpen && last && belongTogether(last.lane, lane)) {
      last.bottomPx = topPx + heightPx;
      last.count += 1;
      last.text = manyOf(lane, last.count);
      continue;
    }
    const isOnlyLoop = lane.kind === LOOP_LANE && rows.length === 1;
    const text = isOnlyLoop ? "the loop" : formatLane(lane.request, lane.label);
    names.push({ topPx, bottomPx: topPx + heightPx, text, count: 1, lane });
    isOpen = isLow;
  }
  return names;
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {readonly import("../view/rows.js").Row[]} rows
 * @param {import("../theme.js").Palette} palette
 * @param {number | null} selected id of a lane
 */
export function drawGutter(ctx, rows, palette, selected) {
  const textPx = Number.parseFloat(palette.smallFont);
  ctx.textBaseline = "middle";
  for (const name of groupNames(rows, textPx + 2)) {
    const roomPx = name.bottomPx - name.topPx;
    if (name.count > 1 && roomPx >= 6) {
      ctx.fillStyle = palette.faint;
      ctx.fillRect(palette.gutterPx - PAD_PX, name.topPx, BRACKET_PX - 1, roomPx);
    }
    if (roomPx < textPx * 0.8) continue;
    const isMain = name.lane.kind === LOOP_LANE || name.lane.id === selected;
    ctx.fillStyle = isMain ? palette.ink : palette.dim;
    ctx.font = isMain ? palette.boldFont : palette.smallFont;
    const middlePx = (name.topPx + name.bottomPx) / 2 + 0.5;
    const roomForText = palette.gutterPx - 2 * PAD_PX;
    ctx.fillText(shortened(ctx, name.text, roomForText), PAD_PX, middlePx);
  }
}

function belongTogether(one, other) {
  return one.kind === other.kind && (one.kind === THREAD_LANE || one.label === other.label);
}

function manyOf(lane, count) {
  return lane.kind === THREAD_LANE ? `${count} threads` : `${count} × ${formatLane(0, lane.label)}`;
}

/** Cut with an ellipsis when it is wider than the gutter. */
function shortened(ctx, text, roomPx) {
  if (ctx.measureText(text).width <= roomPx) return text;
  let end = text.length - 1;
  while (end > 1 && ctx.measureText(`${text.slice(0, end)}…`).width > roomPx) end -= 1;
  return `${text.slice(0, end)}…`;
}
