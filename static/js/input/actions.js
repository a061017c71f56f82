// @ts-check

// What keys, buttons and pointer can ask for, in one place: each is a change of the viewport.

/**
 * @param {object} stage
 * @param {import("../view/viewport.js").Viewport} stage.viewport
 * @param {import("../ui/timeline.js").TimelineView} stage.timeline
 * @param {import("../model/history.js").History} stage.history
 * @param {() => number} stage.nowNs
 * @param {{present: () => void, theme: () => void, help: () => void, selected: () => void}} page
 * @returns {import("./keys.js").Actions & {selectRequest: (id: number) => void,
 *   showStretch: (startNs: number, endNs: number) => void, click: (x: number, y: number) => void}}
 */
export function makeActions({ viewport, timeline, history, nowNs }, page) {
  const selectSlice = (lane, i) => {
    viewport.select(lane.id, i >= 0 ? lane.spans.startNs(i) : null);
    page.selected();
  };
  return {
    ...page,
    toggleHold: () => (viewport.isLive ? viewport.hold(nowNs()) : viewport.goLive()),
    goLive: () => viewport.goLive(),
    zoom: (factor) => viewport.zoomBy(factor, timeline.scale.toNs(zoomAnchorPx(timeline, viewport))),
    resetZoom: () => viewport.resetZoom(),
    pan: (share) => viewport.panBy(share * viewport.rangeNs, nowNs()),
    selectLane(step) {
      const lane = timeline.laneBeside(step);
      if (lane) selectSlice(lane, -1);
    },
    selectSlice(step) {
      const found = timeline.selected();
      if (!found || !found.lane.spans.count) return;
      const last = found.lane.lastSlice;
      const from = found.i >= 0 ? found.i + step : last;
      const i = Math.min(Math.max(from, 0), last);
      selectSlice(found.lane, i);
      const startNs = found.lane.spans.startNs(i);
      const { startNs: leftNs, endNs: rightNs } = timeline.scale;
      const middleNs = (leftNs + rightNs) / 2;
      if (startNs < leftNs || startNs > rightNs) viewport.panBy(startNs - middleNs, nowNs());
      else viewport.hold(nowNs());
    },
    fit() {
      const found = timeline.selected();
      if (!found) return;
      const { spans, startNs, endNs } = found.lane;
      const latestNs = nowNs();
      if (found.i < 0) viewport.fit(startNs, Math.min(endNs, latestNs), latestNs);
      else viewport.fit(spans.startNs(found.i), spans.endNs(found.i, latestNs), latestNs);
    },
    toggleTasks: () => viewport.toggleTasks(),
    clear: () => viewport.clearSelection(),
    selectRequest(id) {
      const lane = history.lanes.ofRequest(id);
      if (!lane) return;
      viewport.select(lane.id);
      const { startNs: leftNs } = timeline.scale;
      if (lane.endNs < leftNs) viewport.fit(lane.startNs, lane.endNs, nowNs());
      page.selected();
    },
    showStretch: (startNs, endNs) => viewport.fit(startNs, endNs, nowNs()),
    click(xPx, yPx) {
      const found = timeline.find(xPx, yPx);
      if (found) selectSlice(found.lane, found.i);
      else viewport.clearSelection();
    },
  };
}

/** The pointer when it is there, else the middle. */
function zoomAnchorPx(timeline, viewport) {
  if (viewport.pointer) return viewport.pointer.xPx;
  return (timeline.scale.leftPx + timeline.scale.rightPx) / 2;
}
