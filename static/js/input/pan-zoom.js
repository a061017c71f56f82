// @ts-check

// Pointer, wheel and fingers over the timeline become viewport changes. Never draws.
// One finger moves along one axis: time, or rows and then the page. What does not scroll rows at all the
// sheet leaves to the browser (touch-action), which then takes the finger away.

const CLICK_PX = 4;
/** Fingers that touch each other have no distance to speak of. */
const PINCH_PX = 8;
const WHEEL_LINE_PX = 16;
/** One notch of a common wheel (100 px) zooms by about a quarter. */
const ZOOM_PER_PX = 0.0022;

/**
 * @typedef {object} Surface what the timeline knows about its pixels
 * @property {() => import("../view/scale.js").Scale} scale as the viewport is by now, drawn or not
 * @property {() => number} nowNs
 * @property {() => boolean} overflows do rows go beyond the lower edge?
 * @property {(xPx: number, yPx: number) => void} click
 * @property {(xPx: number, yPx: number) => void} doubleClick
 * @property {(deltaPx: number) => number} scrollBy returns what goes beyond the rows
 */

/**
 * @typedef {{xPx: number, yPx: number}} Place of a finger; y is the page's, which may scroll below it
 * @typedef {"both" | "time" | "rows"} Axis
 * @typedef {Place & {id: number, fromNs: number, marks: boolean, axis: Axis | null}} Drag axis: null until it moves
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
  /** @type {Map<number, Place>} by pointer */
  const fingers = new Map();

  const placeOf = (event) => ({ xPx: event.offsetX, yPx: event.clientY });
  const pointAt = (event) => {
    const isOver = event.offsetX > surface.scale().leftPx;
    viewport.pointAt(isOver ? { xPx: event.offsetX, yPx: event.offsetY } : null);
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
      const place = placeOf(event);
      fingers.set(event.pointerId, place);
      const fromNs = surface.scale().toNs(place.xPx);
      const axis = fingers.size > 1 ? "time" : null;
      drag = { id: event.pointerId, ...place, fromNs, marks: event.shiftKey, axis };
      element.setPointerCapture(event.pointerId);
    },
    { signal, passive: true },
  );

  /** Two fingers zoom about the one that stays. */
  const pinch = (event) => {
    const [[id, stays]] = [...fingers].filter(([each]) => each !== event.pointerId);
    const distancePx = ({ xPx, yPx }) => Math.hypot(xPx - stays.xPx, yPx - stays.yPx);
    const place = placeOf(event);
    const before = distancePx(fingers.get(event.pointerId) ?? place);
    const after = distancePx(place);
    fingers.set(event.pointerId, place);
    // Lifted, the one of them leaves a drag to the other.
    drag = { id, ...stays, fromNs: 0, marks: false, axis: "time" };
    viewport.pointAt(null);
    if (before < PINCH_PX || after < PINCH_PX) return;
    viewport.zoomAt(before / after, surface.scale().toNs(stays.xPx), surface.nowNs());
  };

  /** With the mouse all at once; a finger that moves the rows would hardly keep the time still. */
  const axisOf = (event, dx, dy) => {
    if (event.pointerType !== "touch") return "both";
    return Math.abs(dy) > Math.abs(dx) ? "rows" : "time";
  };

  element.addEventListener(
    "pointermove",
    (event) => {
      if (fingers.size === 2 && fingers.has(event.pointerId)) return pinch(event);
      if (!drag || drag.id !== event.pointerId) {
        if (event.pointerType !== "touch") pointAt(event);
        return;
      }
      const place = placeOf(event);
      fingers.set(event.pointerId, place);
      const dx = place.xPx - drag.xPx;
      const dy = place.yPx - drag.yPx;
      if (!drag.axis && Math.hypot(dx, dy) < CLICK_PX) return;
      if (drag.marks) {
        if (!drag.axis) viewport.hold(surface.nowNs());
        drag.axis = "time";
        viewport.mark(drag.fromNs, Math.min(surface.scale().toNs(place.xPx), surface.nowNs()));
        return;
      }
      const axis = drag.axis ?? axisOf(event, dx, dy);
      drag = { ...drag, ...place, axis };
      viewport.pointAt(null);
      if (dx && axis !== "rows") viewport.panBy(-dx * surface.scale().nsPerPx, surface.nowNs());
      if (!dy || axis === "time" || !surface.overflows()) return;
      const beyondPx = surface.scrollBy(-dy);
      if (axis === "rows") element.ownerDocument.scrollingElement?.scrollBy(0, beyondPx);
    },
    { signal, passive: true },
  );

  element.addEventListener(
    "pointerup",
    (event) => {
      fingers.delete(event.pointerId);
      if (drag && drag.id !== event.pointerId) return;
      const isClick = drag !== null && !drag.axis;
      if (isClick) surface.click(event.offsetX, event.offsetY);
      // A finger does not hover: what it has tapped is told until it does something else.
      if (isClick || event.pointerType !== "touch") pointAt(event);
      const [left] = fingers;
      drag = left ? { id: left[0], ...left[1], fromNs: 0, marks: false, axis: "time" } : null;
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
        const { pointerId, pointerType } = /** @type {PointerEvent} */ (event);
        fingers.delete(pointerId);
        if (drag?.id === pointerId) drag = null;
        // A finger that was lifted is gone from everywhere.
        if (name === "pointercancel" || pointerType !== "touch") viewport.pointAt(null);
      },
      { signal, passive: true },
    );
  }
}
