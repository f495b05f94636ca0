// A place of the picture on a stage is pointed at: by a click or a tap that is no drag and no double click, or by the
// arrow keys and Enter while the picture has the focus and is not zoomed.

import { h } from "../shared/dom.js";
import { pointAt, WHOLE } from "../shared/frame.js";
import { within } from "./matching.js";

/** @typedef {import("./matching.js").Spot} Spot */

const STILL_PX = 5; // a press that moved further is a drag
const SHORT_MS = 500; // a longer one is none of ours
const DOUBLE_MS = 260; // a second click within that zooms
const STEP = 0.03;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * `onPlace(spot)` hears where, in fractions of the viewer's box or picture. `isReady()`: whether there is anything to say.
 *
 * @param {any} viewer
 * @param {{onPlace: (spot: Spot) => void, isReady: () => boolean}} told
 */
export function pointOn(viewer, { onPlace, isReady }) {
  const { canvas, stage } = viewer;
  canvas.tabIndex = 0;
  const ring = h("div", { class: "fg-compare-pointer", hidden: true, "aria-hidden": "true" });
  stage.append(ring);
  /** @type {{x: number, y: number, at_ms: number} | null} */
  let pressed = null;
  /** @type {Spot | null} */
  let spot = null; // that of the keyboard
  let later = 0;
  const isOurs = () => viewer.picture && !viewer.cropping && isReady();

  const forget = () => {
    spot = null;
    ring.hidden = true;
  };
  const moveTo = (next) => {
    spot = within(next);
    const frame = viewer.frame();
    const area = viewer.box ?? WHOLE;
    ring.style.left = `${frame.x + (area.left + spot.x * (area.right - area.left)) * frame.width}px`;
    ring.style.top = `${frame.y + (area.top + spot.y * (area.bottom - area.top)) * frame.height}px`;
    ring.hidden = false;
  };

  canvas.addEventListener("pointerdown", (event) => {
    clearTimeout(later);
    forget();
    pressed = event.isPrimary && event.button === 0 ? { x: event.clientX, y: event.clientY, at_ms: event.timeStamp } : null;
  });
  canvas.addEventListener("pointerup", (event) => {
    const down = pressed;
    pressed = null;
    if (!down || !event.isPrimary || !isOurs()) return;
    const isStill = Math.hypot(event.clientX - down.x, event.clientY - down.y) <= STILL_PX;
    if (!isStill || event.timeStamp - down.at_ms > SHORT_MS) return;
    const bounds = canvas.getBoundingClientRect();
    const [x, y] = pointAt(viewer.frame(), event.clientX - bounds.left, event.clientY - bounds.top);
    const area = viewer.box ?? WHOLE;
    const place = { x: (x - area.left) / (area.right - area.left), y: (y - area.top) / (area.bottom - area.top) };
    if (Math.min(place.x, place.y) < 0 || Math.max(place.x, place.y) > 1) return; // beside the picture
    later = window.setTimeout(() => isOurs() && onPlace(place), DOUBLE_MS);
  });
  canvas.addEventListener("pointercancel", () => (pressed = null));
  canvas.addEventListener("dblclick", () => clearTimeout(later));
  canvas.addEventListener("blur", forget);
  canvas.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!isOurs() || viewer.zoom > 1.01 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (arrow) {
      const from = spot ?? { x: 0.5 - STEP * arrow[0], y: 0.5 - STEP * arrow[1] }; // the first press shows it in the middle
      moveTo({ x: from.x + STEP * arrow[0], y: from.y + STEP * arrow[1] });
    } else if (event.key === "Enter" && spot) {
      const place = spot;
      forget();
      onPlace(place);
    } else if (event.key === "Escape" && spot) forget();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
