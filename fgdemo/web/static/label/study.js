// Why the model says what it says about the picture on the screen: maps over it, part bars, pictures of both kinds.
// The slow questions are asked only about a picture that has rested for a moment.

import { Frame } from "../closer/frame.js";
import { comparing } from "../compare/opening.js";
import { drawBars } from "../shared/bars.js";
import { FoldedCards } from "../cards/cards.js";
import { keepAsking } from "../shared/client.js";
import { partLabels, partsLayer } from "../shared/layers.js";
import { iso } from "../shared/names.js";
import { PairMap } from "../maps/pair_map.js";
import { Viewer } from "../shared/viewer.js";
import { drawReferences } from "./views.js";

const REST_MS = 250;
const TAP_MS = 300; // a shorter press of the key leaves the map on

export class Study {
  /** @type {string | null} */
  held = null; // the key that is down for the map
  heldSince = 0;

  constructor(root) {
    this.root = root;
    /** @type {any} */
    this.item = null;
    /** @type {any} */
    this.asking = null; // {item, done}
    /** @type {any} */
    this.explanation = null;
    this.view = null;
    this.viewer = new Viewer(this.$(".fg-stage"));
    this.cards = new FoldedCards(this.$(".fg-item-cards"));
    this.map = new PairMap(this.viewer, "label_spread");
    this.frame = new Frame(this.viewer, false);
    this.isCloser = false; // the frame around the thing is explained too; what is learned is the whole picture
    this.comparing = comparing(this.viewer, () => this.#question());
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  /** Put a picture on the screen at once; no map yet. */
  show(item) {
    this.clear();
    this.item = item;
    if (item.picture.complete && item.picture.naturalWidth) this.viewer.showPicture(item.picture);
    else
      item.painted.then(
        (whole) =>
          this.item === item &&
          (whole ? this.viewer.showPicture(item.picture) : this.note("The picture cannot be shown. Press X if it is unusable.")),
      );
    this.$("canvas").setAttribute("aria-label", item.sentence);
    this.later = setTimeout(() => this.#rested(item), REST_MS);
  }

  clear() {
    clearTimeout(this.later);
    this.item = this.explanation = this.view = null;
    this.isCloser = false;
    this.frame.show(null);
    this.map.clear();
    this.viewer.clear();
    this.note("");
    this.$(".fg-refs").replaceChildren();
    drawBars(this.$(".fg-item-bars"), null);
    this.cards.offer(null);
  }

  /** null, "contrast" or "parts". */
  setView(view) {
    this.view = view;
    if (!view) this.note("");
    if (view && !this.explanation && this.item?.choices.length) this.#explain(this.item);
    this.#drawMap();
  }

  /** The map comes, or goes. `code`: of the key that is down for it. */
  toggle(code) {
    this.held = code;
    this.heldSince = performance.now();
    this.setView(this.view ? null : "contrast");
  }

  /** A key is up: the map goes, too, where it was held for it. */
  release(code) {
    if (!this.held || code !== this.held) return;
    this.held = null;
    if (performance.now() - this.heldSince > TAP_MS) this.setView(null);
  }

  /** The map in its colours, or its outline alone. */
  fill() {
    this.map.fill(!this.map.isFilled);
  }

  /** Looks closer at the thing, or at the whole picture again; the map comes with it. */
  async lookCloser() {
    const { item } = this;
    if (!item?.choices.length) return;
    this.isCloser = !this.isCloser;
    this.explanation = this.asking = null;
    this.frame.show(null);
    this.view ??= "contrast";
    await this.#explain(item);
    if (this.item !== item || !this.isCloser || !this.explanation || this.explanation.box) return;
    this.isCloser = false;
    this.note("Nothing stands out in this picture to look at closer.");
  }

  note(text) {
    const note = this.$(".fg-stage-note");
    note.textContent = text;
    note.hidden = !text;
  }

  async #rested(item) {
    if (!item.choices.length) return;
    await this.#explain(item);
    if (this.item !== item || !this.explanation) return;
    const { asked, rival, candidates } = this.explanation;
    const found = await keepAsking("label_references", { image: item.image, a: asked, b: rival }, this.#whileShown(item));
    const find = (taxon) => candidates.find((one) => one.taxon === taxon);
    if (this.item === item && !found.error) drawReferences(this.$(".fg-refs"), found, [find(asked), find(rival)]);
    const ask = () => keepAsking("label_cards", { image: item.image, a: asked, b: rival }, this.#whileShown(item));
    if (this.item === item) this.cards.offer({ ask, a: find(asked), b: find(rival), src: item.picture.src });
  }

  /** A is the likeliest kind, B the given label where that is another kind. Asked once an item. */
  #explain(item) {
    if (this.asking?.item === item) return this.asking.done;
    const { isCloser } = this;
    const [a, second] = item.choices;
    const compare = (b) => keepAsking("label_explain", { image: item.image, a: a.taxon, b, closer: isCloser }, this.#whileShown(item));
    const given = item.given && item.given.taxon !== a.taxon ? item.given.taxon : null;
    const asked = given
      ? compare(given).then((reply) => (reply.code === "bad" ? compare(second?.taxon ?? null) : reply))
      : compare(second?.taxon ?? null);
    const done = asked.then((reply) => {
      if (this.item !== item || this.isCloser !== isCloser) return;
      if (reply.error) {
        this.asking = null;
        if (this.view) this.note(reply.error);
        return;
      }
      this.explanation = reply;
      this.frame.show(reply.box ?? null);
      drawBars(this.$(".fg-item-bars"), reply);
      this.#drawMap();
    });
    this.asking = { item, done };
    return done;
  }

  /** What is compared with pictures of A and of B; null until the model has said what it sees. */
  #question() {
    const { item, explanation } = this;
    if (!item || !explanation) return null;
    const { asked, rival, candidates, grid, parts } = explanation;
    const [a, b] = [asked, rival].map((taxon) => candidates.find((one) => one.taxon === taxon));
    const load = () => keepAsking("compare_known", { image: item.image, a: asked, b: rival }, { isWanted: () => this.item === item });
    return { picture: this.viewer.picture, area: null, frame: null, grid, parts, a, b, load };
  }

  /** The picture can be answered without its map, so that nothing on the page asks for patience. */
  #whileShown(item) {
    return { isWanted: () => this.item === item, onTrouble: (reply) => this.view && this.note(`${reply.error} Trying again…`) };
  }

  #drawMap() {
    const { explanation } = this;
    if (!this.view || !explanation) return this.map.showInstead();
    if (this.view === "parts") {
      const { parts, grid } = explanation;
      this.map.showInstead(partsLayer(parts, grid, this.viewer.aspect), partLabels(parts, grid));
      return this.note("Parts");
    }
    const [a, b] = this.map.showPair(explanation);
    const closer = explanation.box ? "Closer: " : "";
    return this.note(`${closer}${closer ? "blue" : "Blue"} speaks for ${iso(a.name)}, orange for ${iso(b.name)}`);
  }
}
