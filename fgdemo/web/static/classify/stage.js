// The picture of the Classify tab and what is drawn over it: one view at a time, the part that is lit, and the map in words.

import { needed } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { partLabels, partsLayer, spotlightLayer } from "../shared/layers.js";
import { gradient } from "../shared/maps.js";
import { Viewer } from "../shared/viewer.js";
import { signed } from "../shared/words.js";
import { describe, trustInWords } from "./views.js";

const FAITHLESS = 0.1;
const FINE_VIEWS = ["class", "contrast"];
const DRAWN = { class: "drawn on the thing", contrast: "drawn where it decides" };

export class Stage {
  view = "class";
  /** @type {any} */
  result = null;
  /** @type {any} */
  a = null; // the candidates that are compared
  /** @type {any} */
  b = null;
  /** @type {{open: () => void} | null} */
  comparing = null; // whose script comes with the first answer
  /** @type {any} */
  map = null; // whose script comes with the first answer, too
  pinned = null; // ids of parts
  hovered = null;
  layers = new Map();
  /** @type {any} */
  methods = null; // whose script comes when the view is chosen first
  measured = new Map(); // trust by pair; null where nothing measures it
  fine = new Map(); // maps on the finer grid by what is drawn; null where nothing tells on which pixels

  /** `onBox(box)` and `onMode(name)` as the viewer says them; `ask(name, question, isWanted)` puts a question about the picture. */
  constructor(root, { onBox, onMode, ask }) {
    this.root = root;
    this.viewer = new Viewer(this.$(".fg-stage"), { onBox, onMode });
    this.ask = ask;
    this.$(".fg-opacity input").addEventListener("input", () => this.fill(true));
    this.$(".fg-fill input").addEventListener("change", (event) => this.fill(event.target.checked));
  }

  /** What draws maps and compares places, once it is here. */
  equip({ EvidenceMap, lookedAt, comparing }) {
    this.map ??= new EvidenceMap(this.viewer, () => this.$(".fg-opacity input").value / 100);
    this.comparing ??= comparing(this.viewer, () => this.question());
    this.lookedAt = lookedAt;
  }

  get isFilled() {
    return this.map.isFilled;
  }

  /** What is compared with pictures of A and of B; null where no answer is on the screen. */
  question() {
    const { result, a, b } = this;
    if (!a || this.isReading() || this.view === "methods" || this.$(".fg-reading").dataset.folded === "true") return null;
    const load = (box) => this.ask("compare", { box, a: a.taxon, b: b.taxon }, () => result === this.result);
    const { box: area, grid, parts, is_sum: isSum } = result;
    return { picture: this.viewer.picture, area, frame: this.lookedAt(result), grid, parts, isSum, a, b, load };
  }

  /** Whether maps are shown in their colours, and not only by their outline. */
  fill(isFilled) {
    this.$(".fg-fill input").checked = this.map.isFilled = isFilled;
    if (this.result) this.show();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  /** Another picture is coming. */
  clear() {
    this.map?.clear();
    this.viewer.clear();
  }

  /** What is drawn from now on is about this result; nothing is drawn yet. */
  take(result) {
    this.result = result;
    this.pinned = this.hovered = null;
    this.layers.clear();
    this.map.clear();
    this.measured.clear();
    this.fine.clear();
    this.fine.set(`class ${result.asked}`, result.spread ?? null);
  }

  /** Whether a new picture is on the screen that the current result is not about. */
  isReading() {
    return this.root.dataset.state === "reading";
  }

  showPair(a, b) {
    [this.a, this.b] = [a, b];
    this.show();
  }

  setView(view) {
    this.view = view;
    this.show();
  }

  show() {
    if (this.isReading()) return;
    const { result } = this;
    const what = this.describe();
    this.showMap(what);
    this.showSpotlight();
    this.root.dataset.view = this.view;
    this.$(`.fg-views input[value="${this.view}"]`).checked = true;
    this.showNote(what.note);
    this.$(".fg-map-words").textContent = what.words;
    this.$('[data-live="map"]').textContent = what.words;
    this.$("canvas").setAttribute("aria-label", `${result.answer.sentence}. ${what.words}`.trim());
    this.showScale(what.scale);
    this.showTrust();
    this.showMethods();
    this.askFine();
  }

  describe() {
    return describe(this.view, this.result, this.a, this.b, this.fine.get(this.drawn));
  }

  /** @param {any} what */
  showMap({ values, grid, scale, parts }) {
    if (values) this.map.show({ key: this.drawn, values, grid, scale });
    else if (parts) {
      const layer = this.layer("parts", () => partsLayer(parts, this.result.grid, this.viewer.aspect));
      this.map.showInstead(layer, partLabels(parts, this.result.grid));
    } else this.map.showInstead();
  }

  /** The view with what it is about: what a map is remembered by. */
  get drawn() {
    return this.view === "class" ? `class ${this.a.taxon}` : `${this.view} ${this.pair}`;
  }

  /** On which pixels the map is drawn comes after the answer; it is drawn place by place until then. */
  async askFine() {
    const { drawn, result, view } = this;
    if (!FINE_VIEWS.includes(view) || this.fine.has(drawn) || !result.spread) return; // nothing tells where
    const [a, b] = [this.a.taxon, this.b.taxon];
    const found = await this.ask("spread", { a, b }, () => result === this.result && drawn === this.drawn);
    if (result !== this.result || found.error) return;
    this.fine.set(`class ${a}`, found.class ?? null);
    this.fine.set(`contrast ${a} ${b}`, found.contrast ?? null);
    if (drawn === this.drawn) this.show();
  }

  layer(key, make) {
    if (!this.layers.has(key)) this.layers.set(key, make());
    return this.layers.get(key);
  }

  get pair() {
    return `${this.a.taxon} ${this.b.taxon}`;
  }

  /** What is written over the picture. */
  showNote(sentence) {
    const note = this.$(".fg-stage-note");
    note.textContent = sentence;
    note.hidden = !sentence;
  }

  // --- the part that is lit ----------------------------------------------------------------------------

  /** What happened to the bar of a part: "hover", "leave" or "press". */
  onPart(part, what) {
    if (what === "press") {
      this.pinned = this.pinned === part ? null : part;
      for (const bar of this.root.querySelectorAll("[data-part]")) {
        bar.setAttribute("aria-pressed", String(bar.dataset.part === String(this.pinned)));
      }
      if (this.pinned === null) this.hovered = null;
    } else this.hovered = what === "hover" ? part : null;
    if (!this.isReading()) this.showSpotlight();
  }

  showSpotlight() {
    const id = this.hovered ?? this.pinned;
    const part = this.result?.parts.find((one) => one.id === id);
    this.viewer.setSpotlight(part ? this.layer(`part ${id}`, () => spotlightLayer(part, this.result.grid, this.viewer.aspect)) : null);
    this.root.dataset.part = part ? String(id) : "";
  }

  // --- beside the map ----------------------------------------------------------------------------------

  async showMethods() {
    if (this.view !== "methods") {
      this.methods?.hide();
      return;
    }
    const { Methods } = await needed(() => import("./methods.js"));
    if (this.view !== "methods" || this.isReading()) return;
    this.methods ??= new Methods(this.$(".fg-methods"), this.ask);
    const { result } = this;
    const box = this.lookedAt(result);
    const [a, b] = [this.a.taxon, this.b.taxon];
    this.methods.show({
      key: JSON.stringify([result.image_id, result.model_version, box, a, b]),
      a,
      b,
      picture: this.viewer.picture,
      box,
      grid: result.grid,
      unit: result.is_sum ? " log-odds" : "",
      known: this.measured.get(this.pair),
    });
  }

  showScale(scale) {
    const bar = this.$(".fg-scale");
    bar.hidden = !scale;
    if (!scale) return;
    const what = this.result.is_sum ? "Evidence of one place of the grid, in log-odds" : "Grad-CAM of one place of the grid, in no unit";
    bar.title =
      `${what}; zero is clear, and the line runs at half of the strongest.` +
      (this.view === "class" ? " The positive part is what Grad-CAM shows." : "");
    this.$(".fg-drawn").textContent = this.fine.get(this.drawn) ? DRAWN[this.view] : "drawn by places";
    const ends = this.view === "contrast" ? [h("b", { class: "fg-b" }, "B"), h("b", { class: "fg-a" }, "A")] : ["", ""];
    this.$(".fg-low").replaceChildren(ends[0], " ", signed(-scale.peak));
    this.$(".fg-high").replaceChildren(signed(scale.peak), " ", ends[1]);
    this.$(".fg-ramp").style.background = gradient(scale.negative, scale.positive);
  }

  /** How faithful the maps of this pair are, as it was measured. */
  takeTrust(pair, trust) {
    this.measured.set(pair, trust);
    if (pair === this.pair) this.showTrust();
  }

  showTrust() {
    const line = this.$(".fg-trust");
    const trust = this.measured.get(this.pair);
    line.hidden = !["class", "contrast"].includes(this.view) || trust === null;
    if (line.hidden) return;
    const score = trust?.[this.view]?.score;
    const faithless = score < FAITHLESS;
    line.classList.toggle("is-faithless", faithless);
    const text = score === undefined ? "trust: measuring…" : trustInWords(score);
    this.$(".fg-trust-text").textContent = faithless ? `${text}: this map is not faithful for this picture` : text;
  }
}
