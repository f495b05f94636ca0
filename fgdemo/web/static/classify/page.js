// The Classify tab: what is asked of the server, what is remembered, and which panel shows what.
// Maps, bars, changes of A and B among the candidates, crops being drawn: all of it happens here, in the browser.

import { ask, askAbout, keepAsking, keepTrying, needed } from "../shared/client.js";
import { h, isTyping } from "../shared/dom.js";
import { digitOf, keyOf } from "../shared/keyboard.js";
import { partLabels, partsLayer, signedLayer, spotlightLayer } from "../shared/layers.js";
import { gradient, partSums } from "../shared/maps.js";
import { isShown } from "../head/nav.js";
import { taxonSearch } from "../shared/taxon_search.js";
import { Viewer } from "../shared/viewer.js";
import { signed } from "../shared/words.js";
import { showAnswer, showCandidates, showPredictionSet } from "./answer.js";
import { isFree, listenForPictures } from "./intake.js";
import { Methods } from "./methods.js";
import { showNeighbours, showReasons } from "./reasons.js";
import { describe, trustInWords, VIEWS } from "./views.js";

const SETTLE_MS = 300; // A and B must rest this long before the slow questions are asked
const FAITHLESS = 0.1;
const RECEIPT = "#classify&receipt="; // behind the hash, so that it stands in no log of any server
const READ_MS = 120_000; // there may be others before this one

/** Bring the tab to life. */
export function mount(element, { maxMb, keepDays }) {
  return new ClassifyTab(element.querySelector(".fg-classify"), { maxMb, keepDays });
}

/** In the head of the page: which model is served; null where none could be loaded. */
function showModel(about) {
  const place = document.querySelector(".fg-model");
  if (place) place.textContent = about ? `${about.model_version} · ${about.kinds_known} kinds` : "no model";
}

class ClassifyTab {
  constructor(root, { maxMb, keepDays }) {
    this.root = root;
    this.maxMb = maxMb;
    this.keepDays = keepDays;
    /** @type {any} */
    this.upright = null; // {file, name, path} of the picture that is shown
    /** @type {any} */
    this.result = null;
    this.a = this.b = null; // taxon ids
    this.view = "class";
    this.pinned = this.hovered = null; // part ids
    /** @type {Record<string, any> | null} */
    this.sums = null; // what the parts add to A and to B
    this.later = 0;
    this.turn = 0; // the latest question; older answers are dropped
    this.layers = new Map();
    this.measured = new Map();
    this.viewer = new Viewer(this.$(".fg-stage"), {
      onBox: (box) => this.reread({ box }),
      onMode: (mode) => this.showMode(mode),
    });
    this.methods = new Methods(this.$(".fg-methods"), (name, question, isWanted) =>
      this.keep(this.upright, name, { box: this.result.box, ...question }, isWanted),
    );
    this.intake = listenForPictures(this.root, (file) => this.open(file));
    this.listen();
    document.addEventListener("fg-live", () => this.introduce());
    this.introduce();
    this.showReceipt();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  // --- asking the server -----------------------------------------------------------------------------

  /** What the model knows. The server is here sooner than its model: the answer comes when that is loaded. */
  async introduce() {
    const before = this.result;
    const about = await keepAsking("about");
    if (this.result !== before) return; // which says it already, and later
    if (!about.error) {
      showModel(about);
      this.$(".fg-knows").textContent = about.sentence;
      return;
    }
    showModel(null);
    if (this.root.dataset.state === "empty") this.showError(about.error);
  }

  /** Read a new picture. What was shown before stays where this one cannot be read. */
  async open(file) {
    if (file.size > this.maxMb * 1e6) {
      this.showError(`This file has ${Math.ceil(file.size / 1e6)} MB; the largest that can be read here has ${this.maxMb} MB.`);
      return;
    }
    const turn = this.begin();
    const picture = { file, name: file.name, path: null };
    const url = URL.createObjectURL(file);
    this.root.dataset.state = "reading";
    this.viewer.setCropping(false);
    this.viewer.clear();
    this.viewer.setPicture(url).catch(() => {}); // some formats only the server can show
    const reply = await this.read(picture, {}, turn);
    URL.revokeObjectURL(url);
    if (turn !== this.turn) return;
    if (!reply.error) this.upright = picture;
    await this.settle(reply);
  }

  /** Ask again about the same picture: another box, or another A and B. */
  async reread({ box = this.result?.box ?? null, asked = null, rival = null }) {
    if (!this.upright) return;
    const turn = this.begin();
    const reply = await this.read(this.upright, { box, asked, rival }, turn);
    if (turn !== this.turn) return;
    this.viewer.setCropping(false);
    await this.settle(reply);
  }

  /** Asked again for as long as the person waits for this one. */
  read(picture, question, turn) {
    return this.keep(picture, "classify", question, () => turn === this.turn && isShown("classify"));
  }

  keep(picture, name, question, isWanted) {
    return keepTrying(() => askAbout(picture, name, question, { timeoutMs: READ_MS }), { isWanted });
  }

  begin() {
    this.showError("");
    this.root.setAttribute("aria-busy", "true");
    this.$(".fg-progress").hidden = false;
    return ++this.turn;
  }

  async settle(reply) {
    this.root.removeAttribute("aria-busy");
    this.$(".fg-progress").hidden = true;
    if (reply.error) this.showError(reply.error);
    if (!reply.error) await this.showResult(reply);
    else if (this.result) await this.showPicture();
    else {
      this.viewer.clear();
      this.root.dataset.state = "empty";
    }
  }

  // --- showing ---------------------------------------------------------------------------------------

  /** The picture of the current result, with its map; also what is gone back to when another one cannot be read. */
  async showPicture() {
    const { result, turn } = this;
    await this.viewer.setPicture(result.display).catch(() => this.showError("The picture cannot be shown here."));
    if (turn !== this.turn) return;
    this.root.dataset.state = "answered";
    for (const selector of [".fg-tools", ".fg-reading"]) this.$(selector).hidden = false;
    this.$('[data-do="whole"]').hidden = !result.box;
    this.viewer.setBox(result.box);
    this.showView();
  }

  async showResult(result) {
    this.result = result;
    showModel(result); // another one may have gone live since the page was opened
    [this.a, this.b] = [result.asked, result.rival];
    this.pinned = this.hovered = null;
    this.layers.clear();
    this.measured.clear();
    this.$(".fg-neighbours").replaceChildren();
    const { turn } = this;
    await this.showPicture();
    if (turn !== this.turn) return;
    showAnswer(this.$(".fg-answer"), result);
    showPredictionSet(this.$(".fg-set"), result);
    showModel(result);
    this.showPair();
  }

  /** Whether a new picture is on the screen that the current result is not about. */
  isReading() {
    return this.root.dataset.state === "reading";
  }

  candidate(taxon) {
    return this.result.candidates.find((one) => one.taxon === taxon);
  }

  pick(side, taxon) {
    if (this.isReading() || taxon === (side === "a" ? this.a : this.b)) return;
    const [a, b] = side === "a" ? [taxon, taxon === this.b ? this.a : this.b] : [taxon === this.a ? this.b : this.a, taxon];
    if (!this.candidate(a) || !this.candidate(b)) {
      this.reread({ asked: a, rival: b });
      return;
    }
    [this.a, this.b] = [a, b];
    this.showPair();
  }

  /** Everything that depends on which A and B are compared. */
  showPair() {
    const [a, b] = [this.candidate(this.a), this.candidate(this.b)];
    this.sums = partSums(this.result.parts, a, b);
    showCandidates(this.$(".fg-candidates"), this.result, { a: this.a, b: this.b }, (side, taxon) => this.pick(side, taxon));
    this.showReasons();
    this.showView();
    this.askLater();
  }

  showReasons() {
    const [a, b] = [this.candidate(this.a), this.candidate(this.b)];
    showReasons(this.$(".fg-reasons"), { a, b, sums: this.sums, pinned: this.pinned }, (part, what) => this.onPart(part, what));
  }

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

  layer(key, make) {
    if (!this.layers.has(key)) this.layers.set(key, make());
    return this.layers.get(key);
  }

  showView() {
    if (this.isReading()) return;
    const { grid } = this.result;
    const [a, b] = [this.candidate(this.a), this.candidate(this.b)];
    const what = describe(this.view, this.result, a, b);
    const key = `${this.view} ${this.a} ${this.b}`;
    let layer = null;
    if (what.values) layer = this.layer(key, () => signedLayer(what.values, grid, this.viewer.aspect, what.scale));
    else if (what.parts) layer = this.layer("parts", () => partsLayer(what.parts, grid, this.viewer.aspect));
    this.viewer.setLayer(layer, what.parts ? partLabels(what.parts, grid) : []);
    this.showSpotlight();
    this.root.dataset.view = this.view;
    this.$(`.fg-views input[value="${this.view}"]`).checked = true;
    const note = this.$(".fg-stage-note");
    note.textContent = what.note;
    note.hidden = !what.note;
    this.$(".fg-map-words").textContent = what.words;
    this.$('[data-live="map"]').textContent = what.words;
    this.$("canvas").setAttribute("aria-label", `${this.result.answer.sentence}. ${what.words}`.trim());
    this.showScale(what.scale);
    this.showTrust();
    this.showMethods();
  }

  showMethods() {
    const { a, b, result } = this;
    if (this.view !== "methods") {
      this.methods.hide();
      return;
    }
    const key = JSON.stringify([result.image_id, result.model_version, result.box, a, b]);
    this.methods.show({
      key,
      a,
      b,
      picture: this.viewer.picture,
      box: result.box,
      grid: result.grid,
      known: this.measured.get(`${a} ${b}`),
    });
  }

  showScale(scale) {
    const bar = this.$(".fg-scale");
    bar.hidden = !scale;
    if (!scale) return;
    bar.title =
      "Evidence of one place of the grid, in log-odds; zero is clear, and the line runs at half of the strongest." +
      (this.view === "class" ? " The positive part is what Grad-CAM shows." : "");
    const ends = this.view === "contrast" ? [h("b", { class: "fg-b" }, "B"), h("b", { class: "fg-a" }, "A")] : ["", ""];
    this.$(".fg-low").replaceChildren(ends[0], " ", signed(-scale.peak));
    this.$(".fg-high").replaceChildren(signed(scale.peak), " ", ends[1]);
    this.$(".fg-ramp").style.background = gradient(scale.negative, scale.positive);
  }

  showTrust() {
    const line = this.$(".fg-trust");
    const trust = this.measured.get(`${this.a} ${this.b}`);
    line.hidden = !["class", "contrast"].includes(this.view) || trust === null;
    if (line.hidden) return;
    const score = trust?.[this.view]?.score;
    const faithless = score < FAITHLESS;
    line.classList.toggle("is-faithless", faithless);
    const text = score === undefined ? "trust: measuring…" : trustInWords(score);
    this.$(".fg-trust-text").textContent = faithless ? `${text}: this map is not faithful for this picture` : text;
  }

  /** Trust and neighbours come after the answer, never with it. */
  askLater() {
    clearTimeout(this.later);
    const pair = { a: this.a, b: this.b };
    const key = `${pair.a} ${pair.b}`;
    const { result, upright } = this;
    const isCurrent = () => result === this.result && this.a === pair.a && this.b === pair.b;
    this.later = setTimeout(async () => {
      const near = await this.keep(upright, "neighbours", { box: result.box, taxa: [pair.a, pair.b] }, isCurrent);
      if (isCurrent()) {
        const [a, b] = [this.candidate(pair.a), this.candidate(pair.b)];
        showNeighbours(this.$(".fg-neighbours"), { a, b }, near.error ? null : near);
      }
      if (!isCurrent() || this.measured.has(key)) return;
      const trust = await this.keep(upright, "trust", { box: result.box, ...pair }, isCurrent);
      if (result !== this.result) return;
      this.measured.set(key, trust.error || !trust.class ? null : trust); // null: nothing measures it here
      if (isCurrent()) this.showTrust();
    }, SETTLE_MS);
  }

  showError(sentence) {
    const line = this.$(".fg-error");
    line.textContent = sentence;
    line.hidden = !sentence;
  }

  showMode(mode) {
    const cropping = mode === "crop";
    this.$('[data-do="crop"]').setAttribute("aria-pressed", String(cropping));
    const note = this.$(".fg-stage-note");
    const stop = matchMedia("(pointer: coarse)").matches ? "" : " Esc to stop.";
    note.textContent = cropping ? `Drag a box around the animal or object.${stop}` : "";
    note.hidden = !cropping;
    if (cropping) this.$("canvas").focus({ preventScroll: true });
    else if (this.result && this.root.dataset.state === "answered") this.showView();
  }

  // --- the person's hands ----------------------------------------------------------------------------

  listen() {
    this.root.addEventListener("click", (event) => this.act(event.target.closest("[data-do]")?.dataset.do));
    this.root.addEventListener("change", (event) => {
      if (event.target.name !== "fg-view") return;
      this.view = event.target.value;
      this.showView();
    });
    const opacity = this.$(".fg-opacity input");
    opacity.addEventListener("input", () => this.viewer.setOpacity(opacity.value / 100));
    this.viewer.setOpacity(opacity.value / 100);
    this.$('[data-do="camera"]').hidden = !navigator.mediaDevices?.getUserMedia;
    document.addEventListener("keydown", (event) => isFree(this.root) && this.key(event));
    addEventListener("hashchange", () => this.showReceipt());
    this.root.dataset.ready = "true";
  }

  act(action) {
    if (this.isReading() && !["new", "keys"].includes(action)) return;
    if (this.view === "methods" && ["crop", "in", "out", "fit"].includes(action)) {
      this.view = "class"; // which has one large picture to draw on
      this.showView();
    }
    const actions = {
      choose: () => this.intake.choose(),
      new: () => this.intake.choose(),
      camera: () => this.photograph(),
      crop: () => this.viewer.setCropping(!this.viewer.cropping),
      in: () => this.viewer.zoomBy(1.5),
      out: () => this.viewer.zoomBy(1 / 1.5),
      fit: () => this.viewer.fit(),
      whole: () => this.reread({ box: null }),
      compare: () => this.compare(),
      wrong: () => this.wrong(),
      keys: async () => (await needed(() => import("./keys.js"))).openKeys(this.$('[data-dialog="keys"]')),
    };
    actions[action]?.();
  }

  key(event) {
    const key = keyOf(event);
    if (isTyping(event) || key === null || (!this.result && key !== "?")) return;
    const digit = digitOf(event);
    const view = VIEWS[(digit ?? 0) - 1];
    const action = digit === 0 ? "fit" : { "+": "in", "=": "in", "-": "out", c: "crop", "?": "keys" }[key];
    if (view) {
      this.view = view;
      this.showView();
    } else if (action) this.act(action);
    else if (key === "Escape") this.escape();
    else return;
    event.preventDefault();
  }

  /** Esc undoes one thing at a time: the crop mode, the lit part, the zoom. */
  escape() {
    if (this.viewer.cropping) this.viewer.setCropping(false);
    else if (this.pinned !== null) this.onPart(this.pinned, "press");
    else this.viewer.fit();
  }

  async photograph() {
    const { takePhoto } = await needed(() => import("./camera.js"));
    try {
      const file = await takePhoto(this.$('[data-dialog="camera"]'));
      if (file) this.open(file);
    } catch {
      this.showError("The camera cannot be used here. Choose a picture instead.");
    }
  }

  search(query) {
    return ask("search_taxa", { query });
  }

  /** At once: what is typed next belongs into the field, not to the keys of the page. */
  compare() {
    const place = this.$(".fg-compare");
    place.hidden = !place.hidden;
    if (place.hidden) return;
    const search = taxonSearch({
      label: "Compare with…",
      search: async (query) => {
        const reply = await this.search(query);
        return reply.error ? reply : { taxa: reply.taxa.filter((taxon) => taxon.is_leaf) };
      },
      onPick: (taxon) => {
        place.hidden = true;
        this.pick("b", taxon.taxon);
      },
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Escape") place.hidden = true;
    });
    place.replaceChildren(search);
    search.field.focus();
  }

  /** A visitor has opened the link to a picture that was left here. */
  async showReceipt() {
    if (!location.hash.startsWith(RECEIPT)) return;
    const { openReceipt } = await needed(() => import("./receipt.js"));
    openReceipt(this.$('[data-dialog="receipt"]'), location.hash.slice(RECEIPT.length));
  }

  async wrong() {
    const { result, upright } = this;
    const { openSuggestion } = await needed(() => import("./suggest.js"));
    openSuggestion(this.$('[data-dialog="wrong"]'), {
      answered: result.answer.sentence,
      keepDays: this.keepDays,
      search: (query) => this.search(query),
      save: (suggestion) => {
        const likeliest = result.path.at(-1)?.taxon ?? null;
        const question = { ...suggestion, answered: likeliest, box: result.box, model_version: result.model_version };
        return askAbout(upright, "suggest", question);
      },
    });
  }
}
