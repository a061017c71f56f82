// @ts-check

// Pointer, wheel and two fingers over the timeline become viewport changes. Never draws.

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
 * @property {(xPx: number, yPx: number) => void} doubleClick
 * @property {(deltaPx: number) => void} scrollBy
 */

/**
 * @typedef {{id: number, xPx: number, yPx: number, fromNs: number, marks: boolean, moved: boolean}} Drag
 */

/**
 * @param {HTMLElement} element
 * @param {import("../view/viewport.js").Viewport} viewport
 * @param {Surface} surface
 * @param {AbortSignal} signal
 */
export function listenToPointer(element, viewport, surface, signal) {
  /** @type {Drag | null} */
  let drag = null;
  /** @type {Map<number, number>} x of each finger, by pointer */
  const fingers = new Map();

  const pointAt = (event) => {
    const scale = surface.scale();
    const isOver = event.offsetX > scale.leftPx && event.pointerType !== "touch";
    viewport.pointAt(isOver ? { xPx: event.offsetX, yPx: event.offsetY, ns: scale.toNs(event.offsetX) } : null);
  };

  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? WHEEL_LINE_PX : 1;
      const dx = event.deltaX * unit;
      const dy = event.deltaY * unit;
      const scale = surface.scale();
      if (event.ctrlKey || event.metaKey) {
        viewport.zoomAt(Math.exp(dy * ZOOM_PER_PX), scale.toNs(event.offsetX), surface.nowNs());
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
      if (event.button !== 0) return;
      fingers.set(event.pointerId, event.offsetX);
      const fromNs = surface.scale().toNs(event.offsetX);
      drag = {
        id: event.pointerId,
        xPx: event.offsetX,
        yPx: event.offsetY,
        fromNs,
        marks: event.shiftKey,
        moved: false,
      };
      element.setPointerCapture(event.pointerId);
    },
    { signal, passive: true },
  );

  /** Two fingers zoom about the one that stays. */
  const pinch = (event) => {
    const [stayPx] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, xPx]) => xPx);
    const before = Math.abs((fingers.get(event.pointerId) ?? 0) - stayPx);
    const after = Math.abs(event.offsetX - stayPx);
    fingers.set(event.pointerId, event.offsetX);
    if (drag) drag.moved = true;
    if (before > 8 && after > 8) viewport.zoomAt(before / after, surface.scale().toNs(stayPx), surface.nowNs());
  };

  element.addEventListener(
    "pointermove",
    (event) => {
      if (fingers.size === 2 && fingers.has(event.pointerId)) return pinch(event);
      if (!drag || drag.id !== event.pointerId) return pointAt(event);
      fingers.set(event.pointerId, event.offsetX);
      const dx = event.offsetX - drag.xPx;
      const dy = event.offsetY - drag.yPx;
      if (!drag.moved && Math.hypot(dx, dy) < CLICK_PX) return;
      if (drag.marks) {
        if (!drag.moved) viewport.hold(surface.nowNs());
        drag.moved = true;
        viewport.mark(drag.fromNs, Math.min(surface.scale().toNs(event.offsetX), surface.nowNs()));
        return;
      }
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
      if (drag && !drag.moved && drag.id === event.pointerId) surface.click(event.offsetX, event.offsetY);
      fingers.delete(event.pointerId);
      drag = null;
    },
    { signal, passive: true },
  );

  element.addEventListener("dblclick", (event) => surface.doubleClick(event.offsetX, event.offsetY), {
    signal,
    passive: true,
  });

  for (const name of ["pointercancel", "pointerleave"]) {
    element.addEventListener(
      name,
      (event) => {
        fingers.delete(/** @type {PointerEvent} */ (event).pointerId);
        drag = null;
        viewport.pointAt(null);
      },
      { signal, passive: true },
    );
  }
}
