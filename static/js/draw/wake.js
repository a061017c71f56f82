// @ts-check

// The arrow from who woke a task to the task: on the row of the waker, else on the loop's, where timers
// and sockets are looked at.

import { LOOP_LANE } from "../wire.js";

const HEAD_PX = 6;
const LABEL_PAD_PX = 6;

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../view/scale.js").Scale} scale
 * @param {{pinned: import("../view/rows.js").Row[], rows: import("../view/rows.js").Row[]}} plan
 * @param {import("../model/lanes.js").Lane} woken
 * @param {import("../model/wakers.js").Wake} wake
 * @param {import("../theme.js").Palette} palette
 */
export function drawWake(ctx, scale, plan, woken, wake, palette) {
  const rows = [...plan.pinned, ...plan.rows];
  const to = rows.find(({ lane }) => lane === woken);
  const px = Math.round(scale.toPx(wake.ns)) + 0.5;
  if (!to || px < scale.leftPx || px > scale.rightPx) return;
  const from = rows.find(({ lane }) => (wake.lane ? lane.id === wake.lane : isLoopOf(lane, woken)));
  // A waker whose row is out of sight: the arrow comes from the edge.
  const fromPx = from ? from.topPx + from.heightPx / 2 : 0;
  const isBelow = from ? from.topPx > to.topPx : false;
  const tipPx = isBelow ? to.topPx + to.heightPx : to.topPx;
  const step = isBelow ? 1 : -1;
  ctx.strokeStyle = palette.ink;
  ctx.fillStyle = palette.ink;
  ctx.lineWidth = 2;
  ctx.setLineDash(wake.isWait ? [4, 4] : []);
  ctx.beginPath();
  ctx.moveTo(px, fromPx);
  ctx.lineTo(px, tipPx + step * HEAD_PX);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(px, tipPx);
  ctx.lineTo(px - HEAD_PX, tipPx + step * 1.6 * HEAD_PX);
  ctx.lineTo(px + HEAD_PX, tipPx + step * 1.6 * HEAD_PX);
  ctx.fill();
  if (wake.words && !wake.lane) drawWords(ctx, scale, wake.words, px, (fromPx + tipPx) / 2, palette);
}

function drawWords(ctx, scale, words, px, middlePx, palette) {
  ctx.font = palette.labelFont;
  const widthPx = ctx.measureText(words).width + 2 * LABEL_PAD_PX;
  const isRoom = px + widthPx + HEAD_PX < scale.rightPx;
  const leftPx = isRoom ? px + HEAD_PX : px - HEAD_PX - widthPx;
  ctx.fillStyle = palette.bg;
  ctx.fillRect(leftPx, middlePx - 10, widthPx, 20);
  ctx.fillStyle = palette.ink;
  ctx.textBaseline = "middle";
  ctx.fillText(words, leftPx + LABEL_PAD_PX, middlePx);
}

function isLoopOf(lane, woken) {
  return lane.kind === LOOP_LANE && lane.loop === woken.loop;
}
