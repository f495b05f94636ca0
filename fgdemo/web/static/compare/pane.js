// One picture with a ring about a place of it: all of it, or a close-up with the ring in the middle.

import { h } from "../shared/dom.js";
import { WHOLE } from "../shared/frame.js";
import { picture } from "../shared/pictures.js";
import { percent } from "../shared/words.js";
import { radiusOf, within } from "./matching.js";

/** @typedef {import("../shared/frame.js").Box} Box */
/** @typedef {import("./matching.js").Spot} Spot */

const CLOSE_UP = 0.48; // of the shorter side of what was read
const STEP = 0.01;
const LARGE_STEP = 0.05;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pane {
  isClose = true;
  /** @type {HTMLImageElement | null} */
  image = null;
  /** @type {Box} */
  box = WHOLE;
  /** @type {[number, number]} */
  grid = [14, 14];
  /** @type {Spot | null} */
  spot = null;
  turn = 0;

  /**
   * `onMove(spot)` when a person moves its ring, `onStep(±1)` where ← and → lead to another picture instead.
   *
   * @param {string} side
   * @param {string} label
   * @param {{onMove: (spot: Spot) => void, onStep?: ((step: number) => void) | null}} hands
   */
  constructor(side, label, { onMove, onStep = null }) {
    this.side = side;
    this.label = label;
    this.onMove = onMove;
    this.onStep = onStep;
    this.canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": label });
    this.words = h("p", { class: "fg-compare-words", role: "status" });
    this.stage = h("div", { class: "fg-compare-stage" }, this.canvas, this.words);
    this.caption = h("div", { class: "fg-compare-caption" });
    this.element = h("figure", { class: `fg-compare-pane is-${side}` }, this.caption, this.stage);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.stage);
    this.#listen();
  }

  /** Show an Image that is decoded, or what lies at a URL. `box`: what was read of it. */
  async setPicture(source, box, grid) {
    const turn = ++this.turn;
    [this.box, this.grid] = [box ?? WHOLE, grid];
    if (source instanceof HTMLImageElement) this.image = source;
    else {
      this.image = null;
      this.draw();
      const { image, painted } = picture(source);
      const isWhole = await painted;
      if (turn !== this.turn) return;
      if (!isWhole) return this.say("This picture cannot be shown any more.");
      this.image = image;
    }
    this.draw();
  }

  /** Nothing but words. */
  clear(words) {
    this.turn += 1;
    this.image = this.spot = null;
    this.say(words);
    this.draw();
  }

  say(words) {
    this.words.textContent = words;
    this.words.hidden = !words;
  }

  /** Where its ring is; null: the place is not to be seen here. */
  setSpot(spot) {
    this.spot = spot;
    this.element.classList.toggle("is-hidden-here", !spot);
    const where = spot ? `the ring is ${percent(spot.x)} from the left, ${percent(spot.y)} from the top` : "the place is not visible here";
    this.canvas.setAttribute("aria-label", `${this.label}: ${where}`);
    this.draw();
  }

  setClose(isClose) {
    this.isClose = isClose;
    this.draw();
  }

  // --- drawing -------------------------------------------------------------------------------------------

  /** What was read of the picture, in pixels of it. */
  get #area() {
    const { naturalWidth: width, naturalHeight: height } = /** @type {HTMLImageElement} */ (this.image);
    const { left, top, right, bottom } = this.box;
    return { left: left * width, top: top * height, width: (right - left) * width, height: (bottom - top) * height };
  }

  /** Stage pixels for one of the picture, and where on the stage its corner is. */
  #frame() {
    const area = this.#area;
    const [across, down] = [this.stage.clientWidth, this.stage.clientHeight];
    const isClose = this.isClose && this.spot;
    const side = CLOSE_UP * Math.min(area.width, area.height);
    const scale = isClose ? Math.min(across, down) / side : Math.min(across / area.width, down / area.height);
    const spot = isClose && this.spot ? this.spot : { x: 0.5, y: 0.5 };
    const x = across / 2 - scale * (area.left + spot.x * area.width);
    const y = down / 2 - scale * (area.top + spot.y * area.height);
    return { area, scale, x, y };
  }

  draw() {
    const { canvas, stage, image } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    if (!width || !height) return;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    stage.dataset.drawn = image ? (this.spot ? "ring" : "picture") : "nothing";
    if (!image) return;
    context.scale(ratio, ratio);
    context.imageSmoothingQuality = "high";
    const { area, scale, x, y } = this.#frame();
    const shown = [x + scale * area.left, y + scale * area.top, scale * area.width, scale * area.height];
    context.globalAlpha = this.spot ? 1 : 0.35;
    context.drawImage(image, area.left, area.top, area.width, area.height, shown[0], shown[1], shown[2], shown[3]);
    context.globalAlpha = 1;
    if (!this.spot) return;
    const { x: across, y: down } = radiusOf(this.grid);
    const radius = (across * shown[2] + down * shown[3]) / 2;
    drawRing(context, shown[0] + this.spot.x * shown[2], shown[1] + this.spot.y * shown[3], radius, this.side);
  }

  // --- hands ---------------------------------------------------------------------------------------------

  #listen() {
    const { canvas } = this;
    /** @type {{scale: number, area: any, at: [number, number], from: Spot} | null} */
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.image || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      const { area, scale, x, y } = this.#frame();
      const spot = within({
        x: ((event.offsetX - x) / scale - area.left) / area.width,
        y: ((event.offsetY - y) / scale - area.top) / area.height,
      });
      held = { scale, area, at: [event.clientX, event.clientY], from: spot };
      this.onMove(spot);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held || !event.buttons) return;
      const moved = [event.clientX - held.at[0], event.clientY - held.at[1]].map((pixels) => pixels / (held?.scale ?? 1));
      this.onMove(within({ x: held.from.x + moved[0] / held.area.width, y: held.from.y + moved[1] / held.area.height }));
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (held = null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || !this.image) return;
    if (this.onStep && arrow[0] && !event.shiftKey) this.onStep(arrow[0]);
    else {
      const step = event.shiftKey && !this.onStep ? LARGE_STEP : STEP;
      const from = this.spot ?? { x: 0.5, y: 0.5 };
      this.onMove(within({ x: from.x + step * arrow[0], y: from.y + step * arrow[1] }));
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

/** White with a dark edge, so that it is seen on everything; its colour says whose picture it is. */
function drawRing(context, x, y, radius, side) {
  const colour = { own: "#ffffff", a: "#4f92ea", b: "#e58a35" }[side] ?? "#ffffff";
  for (const [width, stroke] of [
    [6, "rgb(8 12 12 / 0.75)"],
    [3.5, "#ffffff"],
    [side === "own" ? 0 : 2, colour],
  ]) {
    if (!width) continue;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = /** @type {number} */ (width);
    context.strokeStyle = /** @type {string} */ (stroke);
    context.stroke();
  }
}
