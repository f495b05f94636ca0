// The map of A against B over a picture of the workspace, on Label and Review: place by place at once, and on the pixels that
// decide as soon as the server has found them. They are asked for only where somebody looks at the map.

import { keepAsking } from "../shared/client.js";
import { EvidenceMap } from "./evidence_map.js";
import { asDrawn, difference, strongest } from "../shared/maps.js";

export class PairMap extends EvidenceMap {
  /** @type {any} */
  explanation = null;
  /** @type {any} */
  fine = undefined; // null: nothing tells on which pixels

  /**
   * @param {import("../shared/viewer.js").Viewer} viewer
   * @param {string} question that is asked for the map on its pixels
   */
  constructor(viewer, question) {
    super(viewer);
    this.question = question;
  }

  clear() {
    super.clear();
    this.explanation = null;
    this.fine = undefined;
  }

  /** @param {any} explanation of the picture on the screen: what the server said of it */
  showPair(explanation) {
    const isNew = this.explanation !== explanation;
    if (isNew) {
      this.clear();
      this.explanation = explanation;
    }
    const { asked, rival, grid } = explanation;
    const [a, b] = [asked, rival].map((taxon) => explanation.candidates.find((/** @type {any} */ one) => one.taxon === taxon));
    const drawn = asDrawn(difference(a, b), grid, this.fine);
    this.show({ key: "pair", ...drawn, scale: { positive: "a", negative: "b", peak: strongest(drawn.values).peak } });
    if (isNew) this.#ask(explanation);
    return [a, b];
  }

  /** @param {any} explanation */
  async #ask(explanation) {
    const { image, asked, rival, box } = explanation;
    const isWanted = () => this.explanation === explanation;
    const found = await keepAsking(this.question, { image, a: asked, b: rival, ...(box ? { closer: true } : {}) }, { isWanted });
    if (!isWanted() || found.error) return; // the map place by place is as right
    this.fine = found.contrast ?? null;
    if (this.fine && this.map) this.showPair(explanation);
  }
}
