// A map with a sign over the picture of a viewer: its outline first, so that the picture is seen; its colours while a mouse
// is over it, and where somebody wants them to stay.

import { outlineLayer, signedLayer } from "../shared/layers.js";

const OPACITY = 0.8;

/** @typedef {{key: string, values: number[], grid: import("../shared/maps.js").Grid, scale: {positive: string, negative: string, peak: number}}} DrawnMap `key` tells maps of one picture apart */

export class EvidenceMap {
  isFilled = false;
  isHovered = false;
  /** @type {DrawnMap | null} */
  map = null;
  layers = new Map();

  /**
   * @param {import("../shared/viewer.js").Viewer} viewer
   * @param {() => number} [opacity] of colours
   */
  constructor(viewer, opacity = () => OPACITY) {
    this.viewer = viewer;
    this.opacity = opacity;
    for (const [name, isHovered] of /** @type {[string, boolean][]} */ ([
      ["pointerenter", true],
      ["pointerleave", false],
    ]))
      viewer.canvas.addEventListener(name, ({ pointerType }) => pointerType === "mouse" && this.hover(isHovered));
  }

  get isOutline() {
    return !this.isFilled && !this.isHovered;
  }

  /** Another picture is on the screen: nothing that was drawn is about it. */
  clear() {
    this.map = null;
    this.layers.clear();
  }

  /** @param {DrawnMap} map */
  show(map) {
    this.map = map;
    this.draw();
  }

  /** Something else is drawn over the picture. @param {HTMLCanvasElement | null} [layer] @param {any[]} [labels] */
  showInstead(layer = null, labels = []) {
    this.map = null;
    this.viewer.setOpacity(this.opacity());
    this.viewer.setLayer(layer, labels);
    this.#say("", "");
  }

  /** @param {boolean} isFilled */
  fill(isFilled) {
    this.isFilled = isFilled;
    this.draw();
  }

  /** @param {boolean} isHovered */
  hover(isHovered) {
    this.isHovered = isHovered;
    this.draw();
  }

  draw() {
    if (!this.map) return;
    const { isOutline } = this;
    const { key, values, grid, scale } = this.map;
    const { aspect } = this.viewer;
    const drawn = `${key} ${grid} ${isOutline}`;
    if (!this.layers.has(drawn)) this.layers.set(drawn, (isOutline ? outlineLayer : signedLayer)(values, grid, aspect, scale));
    this.viewer.setOpacity(isOutline ? 1 : this.opacity());
    this.viewer.setLayer(this.layers.get(drawn));
    this.#say(isOutline ? "outline" : "colours", grid.join(" "));
  }

  /** What is on the screen, for whoever reads the page. @param {string} map @param {string} grid */
  #say(map, grid) {
    Object.assign(this.viewer.stage.dataset, { map, grid });
  }
}
