// The frame of a closer look on the photograph: it settles on the thing, and taken by its edge it becomes the crop box.

import { rectOf, WHOLE } from "../shared/frame.js";
import { h } from "../shared/dom.js";

const SETTLE_MS = 420; // as in closer.css

export class Frame {
  /** @type {import("../shared/frame.js").Box | null} */
  box = null;
  /** @type {import("../shared/frame.js").Frame | null} */
  picture = null; // where the whole picture lies on the stage

  /** @param {import("../shared/viewer.js").Viewer} viewer @param {boolean} [isTaken] whether its edge makes it the crop box */
  constructor(viewer, isTaken = true) {
    this.viewer = viewer;
    const sides = ["top", "right", "bottom", "left", "top-left", "top-right", "bottom-left", "bottom-right"];
    this.element = h(
      "div",
      { class: "fg-frame", "aria-hidden": "true", hidden: true },
      ...(isTaken ? sides : []).map((side) =>
        h("span", { class: "fg-frame-grip", "data-side": side, title: "Drag to choose another part" }),
      ),
    );
    viewer.stage.append(this.element);
    viewer.stage.addEventListener("fg-drawn", (event) => this.#follow(/** @type {CustomEvent} */ (event).detail));
    this.element.addEventListener("pointerdown", (event) => this.#take(event));
  }

  /** @param {import("../shared/frame.js").Box | null} box */
  show(box) {
    const isNew = box !== null && this.box === null;
    this.box = box;
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (isNew && this.picture && !isStill) {
      this.#place(WHOLE);
      this.element.hidden = false;
      this.element.getBoundingClientRect(); // it is there before it moves
      this.element.classList.add("is-settling");
      setTimeout(() => this.element.classList.remove("is-settling"), SETTLE_MS);
    }
    this.#follow(this.picture);
  }

  /** @param {import("../shared/frame.js").Frame | null} picture */
  #follow(picture) {
    this.picture = picture;
    this.element.hidden = !this.box || !picture || this.viewer.cropping || this.viewer.box !== null;
    if (this.box && picture) this.#place(this.box);
  }

  /** @param {import("../shared/frame.js").Box} box */
  #place(box) {
    if (!this.picture) return;
    const [left, top, width, height] = rectOf(box, this.picture);
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  }

  /** What is taken hold of is the crop box from now on, which starts where the frame was. @param {PointerEvent} event */
  #take(event) {
    if (!this.box || event.button !== 0) return;
    event.preventDefault();
    const { viewer, box } = this;
    viewer.setCropping(true);
    viewer.draft = { ...box };
    viewer.draw();
    viewer.canvas.dispatchEvent(new PointerEvent("pointerdown", event));
  }
}
