// @ts-check

// Pointer and wheel over the timeline become viewport changes. Never draws.
// Shift-drag is left free: it will select an area.

const CLICK_PX = 4;
const WHEEL_LINE_PX = 16;
/** One notch of a common wheel (100 px) zooms by about a quarter. */
const ZOOM_PER_PX = 0.0022;

/**
 * @typedef {object} Surface what the timeline knows about its pixels
 * @property {() => import("../view/scale.js").Scale} scale
 * @property {() => number} nowNs
 * @property {() => boolean} overflows do rows go beyond the lower edge?
 * @property {(xPx: number, yPx: number) => void} click
 * @property {(deltaPx: number) => void} scrollBy
 */

/**
 * @param {HTMLElement} element
 * @param {import("../view/viewport.js").Viewport} viewport
 * @param {Surface} surface
 * @param {AbortSignal} signal
 */
export function listenToPointer(element, viewport, surface, signal) {
  /** @type {{id: number, xPx: number, yPx: number, moved: boolean} | null} */
  let drag = null;

  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? WHEEL_LINE_PX : 1;
      const dx = event.deltaX * unit;
      const dy = event.deltaY * unit;
      const scale = surface.scale();
      if (event.ctrlKey || event.metaKey) {
        viewport.zoomBy(Math.exp(dy * ZOOM_PER_PX), scale.toNs(event.offsetX));
      } else if (!event.shiftKey && Math.abs(dy) > Math.abs(dx) && surface.overflows()) {
        surface.scrollBy(dy);
      } else {
        viewport.panBy((dx || dy) * scale.nsPerPx, surface.nowNs());
      }
    },
    { signal, passive: false },
  );

  element.addEventListener(
    "pointerdown",
    (event) => {
      if (event.button !== 0 || event.shiftKey) return;
      drag = { id: event.pointerId, xPx: event.offsetX, yPx: event.offsetY, moved: false };
      element.setPointerCapture(event.pointerId);
    },
    { signal, passive: true },
  );

  element.addEventListener(
    "pointermove",
    (event) => {
      if (!drag || drag.id !== event.pointerId) {
        viewport.pointAt({ xPx: event.offsetX, yPx: event.offsetY });
        return;
      }
      const dx = event.offsetX - drag.xPx;
      const dy = event.offsetY - drag.yPx;
      if (!drag.moved && Math.hypot(dx, dy) < CLICK_PX) return;
      drag = { ...drag, xPx: event.offsetX, yPx: event.offsetY, moved: true };
      viewport.pointAt(null);
      if (dx) viewport.panBy(-dx * surface.scale().nsPerPx, surface.nowNs());
      if (dy && surface.overflows()) surface.scrollBy(-dy);
    },
    { signal, passive: true },
  );

  element.addEventListener(
    "pointerup",
    (event) => {
      if (drag && !drag.moved) surface.click(event.offsetX, event.offsetY);
      drag = null;
    },
    { signal, passive: true },
  );

  for (const name of ["pointercancel", "pointerleave"]) {
    element.addEventListener(
      name,
      () => {
        drag = null;
        viewport.pointAt(null);
      },
      { signal, passive: true },
    );
  }
}
