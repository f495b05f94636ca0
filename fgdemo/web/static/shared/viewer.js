// The one viewer of every tab: a picture, at most one map over it, at most one part in the spotlight,
// zoom, pan, and a crop box. It knows nothing of taxa; its owner says what to draw.
//
//   const viewer = new Viewer(stageElement, { onBox(box), onMode(name) });
//   await viewer.setPicture(url); viewer.setBox(box); viewer.setLayer(canvas); viewer.setSpotlight(canvas);
//
// A box is {left, top, right, bottom} in fractions of the picture. Layers cover the box, or the whole picture.

import { dragged, gripAt, grown, isLargeEnough, moved } from "./crop.js";
import { frameOf, keptInView, pointAt, rectOf, scaleThatFits, WHOLE } from "./frame.js";
import { drawBox, drawLabels } from "./marks.js";
import { picture } from "./pictures.js";

const MARGIN_PX = 12; // around the picture while a box is drawn, so that its edges can be reached
const REACH_PX = 18; // how near to a corner of the box a finger must be to take it
const STEP_PX = 40; // of an arrow key
const LARGEST_ZOOM = 12;
const BOX_SHARE = 0.86; // of the room that a box may fill, so that what is around it is seen too
const FADE_MS = 120;
const START = { left: 0.2, top: 0.2, right: 0.8, bottom: 0.8 }; // the box that the keyboard begins with

/** @param {any} told */
const NOTHING = (told) => told;

export class Viewer {
  constructor(stage, { onBox = NOTHING, onMode = NOTHING } = {}) {
    this.stage = stage;
    this.canvas = stage.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.onBox = onBox;
    this.onMode = onMode;
    this.picture = null;
    this.box = null;
    this.draft = null; // the box being drawn
    this.layer = null;
    this.labels = [];
    this.spotlight = null;
    this.opacity = 0.8;
    this.shown = 1; // how far the layer has faded in, 0 to 1
    this.cropping = false;
    this.zoom = 1; // 1 shows the whole picture, or the whole box
    /** @type {[number, number]} */
    this.centre = [0.5, 0.5]; // the point of the picture in the middle of the stage, in fractions
    this.pointers = new Map();
    new ResizeObserver(() => this.#resize()).observe(stage);
    this.#listen();
  }

  /** Show the picture at `url`; resolves when it is on the screen, or was overtaken by another. Keeps box and maps. */
  async setPicture(url) {
    const { image, painted } = picture(url);
    this.awaited = image;
    const isWhole = await painted;
    if (this.awaited !== image) return;
    if (!isWhole) throw new Error("The picture cannot be shown.");
    this.picture = image;
    this.#resize();
  }

  /** Show an Image that is decoded already, at once. */
  showPicture(image) {
    this.awaited = this.picture = image;
    this.box = this.draft = null;
    this.zoom = 1;
    this.centre = [0.5, 0.5];
    this.#resize();
  }

  clear() {
    this.awaited = this.picture = this.box = this.draft = this.layer = this.spotlight = null;
    this.draw();
  }

  get aspect() {
    const area = this.box ?? WHOLE;
    if (!this.picture) return 1;
    return ((area.right - area.left) * this.picture.naturalWidth) / ((area.bottom - area.top) * this.picture.naturalHeight);
  }

  setBox(box) {
    this.box = box;
    this.draft = null;
    this.fit();
  }

  /** `layer` is a canvas or null; `labels` are the names of parts (`marks.js`). */
  setLayer(layer, labels = []) {
    this.labels = labels;
    const fade = layer && !this.layer && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.layer = layer;
    this.shown = fade ? 0 : 1;
    if (fade) this.#fadeIn(performance.now());
    this.draw();
  }

  setSpotlight(layer) {
    if (this.spotlight === layer) return;
    this.spotlight = layer;
    this.draw();
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.draw();
  }

  setCropping(cropping) {
    if (this.cropping === cropping || (cropping && !this.picture)) return;
    this.cropping = cropping;
    this.draft = cropping ? this.box : null;
    this.stage.classList.toggle("is-cropping", cropping);
    this.onMode(cropping ? "crop" : "look");
    this.fit();
  }

  fit() {
    const area = (!this.cropping && this.box) || WHOLE;
    this.zoom = 1;
    this.centre = [(area.left + area.right) / 2, (area.top + area.bottom) / 2];
    this.draw();
  }

  /** Zoom by a factor, keeping the stage point (x, y) in CSS pixels where it is. */
  zoomBy(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    if (!this.picture) return;
    const before = pointAt(this.frame(), x, y);
    const least = Math.min(1, scaleThatFits(WHOLE, this.#pictureSize, this.#room) / this.#fitScale());
    this.zoom = Math.min(LARGEST_ZOOM, Math.max(least, this.zoom * factor));
    const after = pointAt(this.frame(), x, y);
    this.#moveTo([this.centre[0] + before[0] - after[0], this.centre[1] + before[1] - after[1]]);
  }

  // --- geometry ------------------------------------------------------------------------------------

  /** @returns {[number, number]} */
  get #stageSize() {
    return [this.canvas.clientWidth, this.canvas.clientHeight];
  }

  /** @returns {[number, number]} */
  get #pictureSize() {
    return [this.picture.naturalWidth, this.picture.naturalHeight];
  }

  /** @returns {[number, number]} */
  get #room() {
    const inset = this.cropping ? MARGIN_PX : 0;
    return [Math.max(1, this.canvas.clientWidth - 2 * inset), Math.max(1, this.canvas.clientHeight - 2 * inset)];
  }

  #fitScale() {
    const area = (!this.cropping && this.box) || WHOLE;
    return (area === WHOLE ? 1 : BOX_SHARE) * scaleThatFits(area, this.#pictureSize, this.#room);
  }

  /** Where the picture lies on the stage. */
  frame() {
    return frameOf(this.#fitScale() * this.zoom, this.#pictureSize, this.centre, this.#stageSize);
  }

  /** @param {[number, number]} by in CSS pixels, as the picture is drawn along */
  #pan(by) {
    const frame = this.frame();
    this.#moveTo([this.centre[0] - by[0] / frame.width, this.centre[1] - by[1] / frame.height]);
  }

  #moveTo(centre) {
    this.centre = keptInView(centre, this.frame(), this.#stageSize, Boolean(this.box));
    this.draw();
  }

  // --- drawing -------------------------------------------------------------------------------------

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    if (!width || !height) return;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.draw();
  }

  #fadeIn(start) {
    requestAnimationFrame((now) => {
      this.shown = Math.min(1, Math.max(0, (now - start) / FADE_MS));
      this.draw();
      if (this.shown < 1) this.#fadeIn(start);
    });
  }

  draw() {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    this.stage.dataset.drawn = !this.picture ? "nothing" : this.layer && this.shown === 1 ? "map" : "picture";
    if (!this.picture || !canvas.clientWidth) return;
    const ratio = canvas.width / canvas.clientWidth;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingQuality = "high";
    const frame = this.frame();
    context.drawImage(this.picture, frame.x, frame.y, frame.width, frame.height);
    const area = rectOf(this.box ?? WHOLE, frame);
    if (this.spotlight && !this.cropping) context.drawImage(this.spotlight, ...area);
    else if (this.layer && !this.cropping) {
      context.globalAlpha = this.opacity * this.shown;
      context.drawImage(this.layer, ...area);
      context.globalAlpha = 1;
      drawLabels(context, this.labels, area, this.#stageSize, getComputedStyle(this.stage).fontFamily);
    }
    const box = this.cropping ? this.draft : this.box;
    if (box) drawBox(context, rectOf(box, frame), frame, this.cropping);
    this.stage.dispatchEvent(new CustomEvent("fg-drawn", { detail: frame }));
  }

  // --- pointer and keys ------------------------------------------------------------------------------

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.#up(event));
    canvas.addEventListener("dblclick", (event) => {
      if (this.cropping) return;
      if (this.zoom > 1.01) this.fit();
      else this.zoomBy(2.5, event.offsetX, event.offsetY);
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        // A plain wheel scrolls the page; with Ctrl (or a pinch on a track pad), or once zoomed, it zooms.
        if (!this.picture || this.cropping || !(event.ctrlKey || event.metaKey || this.zoom > 1.01)) return;
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), event.offsetX, event.offsetY);
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #at(event) {
    const bounds = this.canvas.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  }

  #down(event) {
    if (!this.picture || (event.pointerType === "mouse" && event.button !== 0)) return;
    const [x, y] = this.#at(event);
    this.pointers.set(event.pointerId, [x, y]);
    this.canvas.setPointerCapture(event.pointerId);
    if (!this.cropping || this.pointers.size > 1) return;
    const frame = this.frame();
    const reach = [REACH_PX / frame.width, REACH_PX / frame.height];
    this.grip = gripAt(this.draft, pointAt(frame, x, y), reach);
  }

  #move(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const [x, y] = this.#at(event);
    const [oldX, oldY] = this.pointers.get(event.pointerId);
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers.entries()].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const spread = (px, py) => Math.hypot(px - other[0], py - other[1]) || 1;
      if (!this.cropping) this.zoomBy(spread(x, y) / spread(oldX, oldY), (x + other[0]) / 2, (y + other[1]) / 2);
    } else if (this.cropping && this.grip) {
      this.draft = dragged(this.grip, pointAt(this.frame(), x, y));
      this.draw();
    } else if (this.zoom > 1.01 || this.box) this.#pan([x - oldX, y - oldY]);
    this.pointers.set(event.pointerId, [x, y]);
    this.stage.classList.toggle("is-zoomed", this.zoom > 1.01);
  }

  #up(event) {
    if (!this.pointers.delete(event.pointerId) || !this.cropping || !this.grip) return;
    const { before } = this.grip;
    this.grip = null;
    if (event.type !== "pointercancel" && isLargeEnough(this.draft)) {
      this.onBox(this.draft);
    } else {
      this.draft = before;
      this.draw();
    }
  }

  /** With the picture focused: arrows pan, or in crop mode move the box (with Shift: its size), Enter takes it. */
  #key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = arrows[event.key];
    if (!this.picture || (!step && event.key !== "Enter")) return;
    if (!this.cropping) {
      if (!step || this.zoom <= 1.01) return;
      this.#pan([-STEP_PX * step[0], -STEP_PX * step[1]]);
    } else if (event.key === "Enter") {
      if (this.draft) this.onBox(this.draft);
    } else {
      this.draft = event.shiftKey ? grown(this.draft ?? START, step) : moved(this.draft ?? START, step);
    }
    event.preventDefault();
    this.draw();
  }
}
