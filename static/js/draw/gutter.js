// @ts-check

// Names of the rows, left of the slices. Rows too low for a name share one with their neighbours:
// "20 × /slow" beside a bracket. A request that has several tasks has a mark to unfold them.

import { formatLane } from "../format.js";
import { LOOP_LANE, THREAD_LANE } from "../wire.js";

const PAD_PX = 8;
const BRACKET_PX = 2;
/** Between a loop's name and its pid, by which several are told apart: never cut. */
const PID = " · ";
/** Height of a line of text. */
const LINE = 1.2;
/** Room for the mark that folds, and for a step to the right. */
export const FOLD_MARK_PX = 14;

/**
 * @typedef {{topPx: number, bottomPx: number, text: string, count: number, depth: number,
 *   lane: import("../model/lanes.js").Lane}} Name
 */

/**
 * Rows of one bunch are named together, and it says how many there are, in sight or not.
 * @param {readonly import("../view/rows.js").Row[]} rows
 * @returns {Name[]}
 */
export function namesOf(rows) {
  /** @type {Name[]} */
  const names = [];
  /** @type {import("../view/rows.js").Bunch | null} */
  let open = null;
  for (const { lane, topPx, heightPx, depth, bunch } of rows) {
    const last = names.at(-1);
    if (bunch && bunch === open && last) {
      last.bottomPx = topPx + heightPx;
      continue;
    }
    const count = bunch?.count ?? 1;
    const isOnlyLoop = lane.kind === LOOP_LANE && !rows.some((row) => row.lane !== lane && row.lane.kind === LOOP_LANE);
    const own = isOnlyLoop ? "the loop" : formatLane(depth ? 0 : lane.request, lane.label);
    names.push({ topPx, bottomPx: topPx + heightPx, text: count > 1 ? manyOf(lane, count) : own, count, depth, lane });
    open = bunch;
  }
  return names;
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {readonly import("../view/rows.js").Row[]} rows
 * @param {import("../theme.js").Palette} palette
 * @param {{selected: number | null, foldOf: (lane: import("../model/lanes.js").Lane) => "" | "open" | "shut",
 *   pins: ReadonlySet<number>}} marks
 */
export function drawGutter(ctx, rows, palette, marks) {
  const textPx = Number.parseFloat(palette.smallFont);
  ctx.textBaseline = "middle";
  for (const { topPx, bottomPx, text, count, depth, lane } of namesOf(rows)) {
    const roomPx = bottomPx - topPx;
    if (count > 1 && roomPx >= 6) {
      ctx.fillStyle = palette.faint;
      ctx.fillRect(palette.gutterPx - PAD_PX, topPx, BRACKET_PX, roomPx);
    }
    if (roomPx < textPx * 0.8) continue;
    const isMain = lane.kind === LOOP_LANE || lane.id === marks.selected || marks.pins.has(lane.id);
    const fold = count > 1 ? "" : marks.foldOf(lane);
    const middlePx = (topPx + bottomPx) / 2 + 0.5;
    ctx.fillStyle = isMain ? palette.ink : palette.dim;
    if (fold) drawFold(ctx, PAD_PX, middlePx, fold === "open");
    ctx.font = isMain ? palette.boldFont : palette.smallFont;
    const indentPx = (depth + (fold ? 1 : 0)) * FOLD_MARK_PX;
    const leftPx = PAD_PX + indentPx;
    const widthPx = palette.gutterPx - PAD_PX - leftPx;
    const pid = lane.kind === LOOP_LANE && text === lane.label ? text.slice(text.lastIndexOf(PID)) : "";
    if (!pid || roomPx < 2 * LINE * textPx) {
      ctx.fillText(shortened(ctx, text, widthPx, pid), leftPx, middlePx);
      continue;
    }
    const offPx = (LINE * textPx) / 2;
    ctx.fillText(shortened(ctx, text.slice(0, -pid.length), widthPx), leftPx, middlePx - offPx);
    ctx.font = palette.smallFont;
    ctx.fillStyle = palette.dim;
    ctx.fillText(shortened(ctx, `pid ${pid.slice(PID.length)}`, widthPx), leftPx, middlePx + offPx);
  }
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {readonly {text: string, topPx: number, heightPx: number}[]} headings
 * @param {import("../theme.js").Palette} palette
 */
export function drawHeadings(ctx, headings, palette) {
  if (!headings.length) return;
  ctx.fillStyle = palette.ink;
  ctx.font = palette.boldFont;
  ctx.textBaseline = "middle";
  for (const { text, topPx, heightPx } of headings) ctx.fillText(text, PAD_PX, topPx + heightPx / 2 + 2);
}

/** A triangle: to the right while shut, down while open. */
function drawFold(ctx, leftPx, middlePx, isOpen) {
  ctx.beginPath();
  if (isOpen) {
    ctx.moveTo(leftPx, middlePx - 3);
    ctx.lineTo(leftPx + 8, middlePx - 3);
    ctx.lineTo(leftPx + 4, middlePx + 3);
  } else {
    ctx.moveTo(leftPx + 1, middlePx - 4.5);
    ctx.lineTo(leftPx + 7, middlePx);
    ctx.lineTo(leftPx + 1, middlePx + 4);
  }
  ctx.fill();
}

function manyOf(lane, count) {
  return lane.kind === THREAD_LANE ? `${count} threads` : `${count} × ${formatLane(0, lane.label)}`;
}

/** Cut with an ellipsis when it is wider than the gutter, but for its tail. */
function shortened(ctx, text, roomPx, tail = "") {
  if (ctx.measureText(text).width <= roomPx) return text;
  let end = text.length - tail.length - 1;
  while (end > 1 && ctx.measureText(`${text.slice(0, end)}…${tail}`).width > roomPx) end -= 1;
  return `${text.slice(0, end)}…${tail}`;
}
