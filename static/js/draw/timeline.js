// @ts-check

// The whole picture, in paint order: ground, grid, bands, rows, labels, now. A pure function of
// what it is given; returns the rows that it drew, so that a pointer can be told where it is.

import { formatDuration } from "../format.js";
import { planRows } from "../view/rows.js";
import { BLOCKED, LOOP_LANE, STATES, THREAD_LANE, readInfo, isRequestKind } from "../wire.js";
import { drawAxis, ticks } from "./axis.js";
import { drawBands, drawHeld } from "./band.js";
import { LOOP_TICKS, PLAIN_TICKS } from "./detail-level.js";
import { drawGutter, drawHeadings } from "./gutter.js";
import { heldStretches, holdsByLoop } from "../model/victims.js";
import { wakeOf } from "../model/wakers.js";
import { drawArea, drawProgramMarks } from "./marks.js";
import { drawPhases } from "./phases.js";
import { drawLabel, drawSlices } from "./slices.js";
import { drawWake } from "./wake.js";

/** Only these say in words what the colour does not: hatched ones would not be legible. */
const LABELLED = new Set(["running", "waiting", "thread", "process"].map((s) => STATES.indexOf(s)));

const SCROLLBAR_PX = 5;

/**
 * @typedef {object} Scene
 * @property {import("../model/history.js").History} history
 * @property {import("../view/scale.js").Scale} scale
 * @property {number} nowNs the moment at which the picture ends
 * @property {number} [anchorNs] what the axis counts from, if not from that moment
 * @property {string} [anchorWord] what stands there: "now", "end"
 * @property {boolean} isLive
 * @property {{widthPx: number, heightPx: number}} size
 * @property {{scrollPx: number, folds: boolean}} view
 * @property {import("../view/order.js").Wanted} wanted
 * @property {{lane: number, startNs: number | null} | null} selection
 * @property {boolean} spotlight only the selected row matters
 * @property {{startNs: number, endNs: number} | null} area
 * @property {number | null} pointerPx
 * @property {(text: string) => number} measure
 */

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {Scene} scene
 * @param {import("../theme.js").Palette} palette
 */
export function drawTimeline(ctx, scene, palette) {
  const { history, scale, nowNs, size } = scene;
  const stallNs = history.stallNs;
  const isTall = (lane) => lane.id === scene.selection?.lane || lane.hasStalled(stallNs, nowNs);
  const view = { ...scene.view, wanted: scene.wanted, nowNs, heightPx: size.heightPx, isTall };
  const plan = planRows(history.lanes.all, scale, view, palette.sizes);
  const holds = holdsByLoop(history, scale, nowNs);
  const at = { nowNs, stallNs, columnPx: palette.sizes.columnPx, showsIdle: false, ticks: PLAIN_TICKS, holds };
  const grid = { topPx: palette.sizes.axisPx, bottomPx: size.heightPx };

  ctx.fillStyle = palette.bg;
  ctx.fillRect(0, 0, size.widthPx, size.heightPx);
  drawAxis(ctx, scale, ticks(scale, scene.anchorNs ?? nowNs, scene.anchorWord ?? ""), grid, palette);

  if (scene.area) drawArea(ctx, scale, scene.area, grid, palette);
  const marks = {
    selected: scene.selection?.lane ?? null,
    pins: scene.wanted.pins,
    foldOf: (lane) => foldOf(lane, history, scene.wanted),
  };
  const stallsOf = drawPinned(ctx, scene, palette, plan, at, grid, marks);
  ctx.save();
  ctx.beginPath();
  ctx.rect(0, plan.topPx - 2, size.widthPx, size.heightPx - plan.topPx + 2);
  ctx.clip();
  for (const row of plan.rows) {
    if (row.lane.id === scene.selection?.lane) drawSelection(ctx, row, size.widthPx, palette);
    drawLane(ctx, scene, palette, row, at, stallsOf.get(row.lane.loop) ?? []);
  }
  if (scene.spotlight) drawSpotlight(ctx, plan.rows, scene, palette);
  drawGutter(ctx, plan.rows, palette, marks);
  drawHeadings(ctx, plan.headings, palette);
  ctx.restore();
  drawProgramMarks(ctx, scale, history.marks.within(scale.startNs, Math.min(scale.endNs, nowNs)), grid, palette);
  drawMarks(ctx, scene, palette, grid);
  drawWakeOfSelected(ctx, scene, palette, plan);
  drawScrollbar(ctx, plan, size, palette);
  return plan;
}

/**
 * Loop lanes, then pins. One loop's stalls hold up all that is below it; of several, each only its own rows,
 * and those are told which stalls.
 */
function drawPinned(ctx, scene, palette, plan, at, grid, marks) {
  const stallsOf = new Map();
  const loops = plan.pinned.filter(({ lane }) => lane.kind === LOOP_LANE);
  for (const row of loops) {
    const found = { wide: [], stalls: [] };
    const ground = { ...at, showsIdle: true, ticks: LOOP_TICKS };
    drawSlices(ctx, row.lane.spans, scene.scale, row, palette.fills, ground, found);
    if (loops.length > 1) {
      stallsOf.set(row.lane.loop, found.stalls);
    } else {
      const area = { topPx: row.topPx + row.heightPx, bottomPx: grid.bottomPx };
      drawBands(ctx, found.stalls, area, palette.band);
    }
    labelSlices(ctx, scene, palette, row, found.wide);
    frameSelected(ctx, scene, palette, row);
  }
  for (const row of plan.pinned) {
    if (row.lane.kind === LOOP_LANE) continue;
    drawLane(ctx, scene, palette, row, at, stallsOf.get(row.lane.loop) ?? []);
  }
  drawGutter(ctx, plan.pinned, palette, marks);
  return stallsOf;
}

function drawLane(ctx, scene, palette, row, at, stalls) {
  const area = { topPx: row.topPx, bottomPx: row.topPx + row.pitchPx };
  drawBands(ctx, stalls, area, palette.band);
  const found = { wide: [], stalls: [] };
  drawSlices(ctx, row.lane.spans, scene.scale, row, palette.fills, at, found);
  const held = heldStretches(row.lane, at.holds.get(row.lane.loop) ?? [], scene.nowNs);
  drawHeld(ctx, scene.scale, held, row, palette.heldFills);
  labelSlices(ctx, scene, palette, row, found.wide);
  const request = isRequestKind(row.lane.kind) ? scene.history.requests.get(row.lane.request) : null;
  if (request?.phases) drawPhases(ctx, scene.scale, row, request.phases, palette);
  frameSelected(ctx, scene, palette, row);
}

/** The selected slice, however thin, between two lines. */
function frameSelected(ctx, scene, palette, row) {
  const { selection, scale, nowNs } = scene;
  if (!selection || selection.startNs === null || selection.lane !== row.lane.id) return;
  const i = row.lane.spans.indexAt(selection.startNs);
  if (i < 0) return;
  const leftPx = Math.max(Math.round(scale.toPx(row.lane.spans.startNs(i))), scale.leftPx);
  const rightPx = Math.min(Math.round(scale.toPx(row.lane.spans.endNs(i, nowNs))), scale.rightPx);
  if (rightPx < scale.leftPx || leftPx > scale.rightPx) return;
  ctx.strokeStyle = palette.ink;
  ctx.lineWidth = 2;
  ctx.strokeRect(leftPx - 1, row.topPx - 1, Math.max(rightPx - leftPx, 1) + 2, row.heightPx + 2);
}

function labelSlices(ctx, scene, palette, row, wide) {
  if (!wide.length) return;
  ctx.font = row.lane.kind === LOOP_LANE ? palette.boldFont : palette.labelFont;
  ctx.textBaseline = "middle";
  const type = { measure: scene.measure, textPx: palette.sizes.textPx };
  for (const slice of wide) {
    if (slice.state !== BLOCKED && !LABELLED.has(slice.state)) continue;
    ctx.fillStyle = palette.inks[slice.state];
    drawLabel(ctx, slice, row, textsOf(scene, row.lane, slice), type);
  }
}

/** From the longest to the shortest. */
function textsOf(scene, lane, slice) {
  const { history, nowNs } = scene;
  const { what } = readInfo(history.text(lane.spans.info(slice.i)));
  const lengthNs = Math.min(lane.spans.endNs(slice.i, nowNs), nowNs) - lane.spans.startNs(slice.i);
  const length = formatDuration(lengthNs);
  if (slice.state === BLOCKED) return [`${what}  ${length}`, length];
  if (lane.kind === THREAD_LANE) return [what];
  return [`${what}  ${length}`, what, length];
}

/** On demand: who woke the slice that is selected. */
function drawWakeOfSelected(ctx, scene, palette, plan) {
  const { selection, history, scale, nowNs } = scene;
  const lane = selection && selection.startNs !== null ? history.lanes.get(selection.lane) : null;
  if (!selection || selection.startNs === null || !lane || lane.kind === LOOP_LANE) return;
  const wake = wakeOf(lane, lane.spans.indexAt(selection.startNs), (i) => history.text(i), nowNs);
  if (wake) drawWake(ctx, scale, plan, lane, wake, palette);
}

/** A request of several tasks can be unfolded. */
function foldOf(lane, history, wanted) {
  if (!isRequestKind(lane.kind) || history.lanes.tasksOf(lane.request) === 0) return "";
  return wanted.unfolded.has(lane.request) ? "open" : "shut";
}

/** A spotlight on the selected row: the others stay, but step back. */
function drawSpotlight(ctx, rows, { selection, scale }, palette) {
  if (!rows.some(({ lane }) => lane.id === selection?.lane)) return;
  ctx.fillStyle = palette.steppedBack;
  for (const { lane, topPx, pitchPx } of rows) {
    if (lane.id !== selection.lane) ctx.fillRect(scale.leftPx, topPx, scale.widthPx, Math.ceil(pitchPx));
  }
}

function drawSelection(ctx, row, widthPx, palette) {
  ctx.fillStyle = palette.select;
  ctx.fillRect(0, row.topPx - 2, widthPx, row.heightPx + 4);
}

/** The line of now, and the pointer's. */
function drawMarks(ctx, scene, palette, grid) {
  const { scale } = scene;
  const nowPx = Math.round(scale.toPx(scene.nowNs));
  if (nowPx >= scale.leftPx && nowPx <= scale.rightPx) {
    ctx.fillStyle = palette.ink;
    ctx.fillRect(nowPx, grid.topPx, 2, grid.bottomPx - grid.topPx);
  }
  if (scene.pointerPx !== null && scene.pointerPx > scale.leftPx) {
    ctx.fillStyle = palette.faint;
    ctx.fillRect(Math.round(scene.pointerPx), grid.topPx, 1, grid.bottomPx - grid.topPx);
  }
}

/** Only when rows go beyond the edge: how many are above and below, and where we are. */
function drawScrollbar(ctx, plan, size, palette) {
  if (plan.overflowPx < 1) return;
  const trackPx = size.heightPx - plan.topPx;
  const thumbPx = Math.max((trackPx * trackPx) / plan.contentPx, 24);
  const topPx = plan.topPx + ((trackPx - thumbPx) * plan.scrollPx) / plan.overflowPx;
  ctx.fillStyle = palette.faint;
  ctx.fillRect(size.widthPx - SCROLLBAR_PX, topPx, SCROLLBAR_PX, thumbPx);
}
