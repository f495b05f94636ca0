// The Classify tab: what is asked of the server, what is remembered, and which panel shows what.
// Maps, bars, changes of A and B among the candidates, crops being drawn: all of it happens here, in the browser.

import { ask, askAbout, keepTrying, needed } from "../shared/client.js";
import { isTyping } from "../shared/dom.js";
import { digitOf, keyOf } from "../shared/keyboard.js";
import { partSums } from "../shared/maps.js";
import { isShown } from "../head/nav.js";
import { introduceModel, showModel } from "./about.js";
import { followReceipt, openCompare, photograph, showKeys, suggest } from "./dialogs.js";
import { isFree, listenForPictures } from "./intake.js";
import { Stage } from "./stage.js";
import { VIEWS } from "./views.js";

const SETTLE_MS = 300; // A and B must rest this long before the slow questions are asked
const READ_MS = 120_000; // there may be others before this one
const ONE_PICTURE = new Set(["crop", "in", "out", "fit", "side"]); // what needs one large picture to draw on

/** Bring the tab to life. */
export function mount(element, { maxMb, keepDays }) {
  return new ClassifyTab(element.querySelector(".fg-classify"), { maxMb, keepDays });
}

const search = (query) => ask("search_taxa", { query });

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
    /** @type {any} */
    this.panels = null; // what draws an answer; its scripts come while the first picture is read
    /** @type {any} */
    this.closer = null; // comes with them
    this.later = 0;
    this.turn = 0; // the latest question; older answers are dropped
    this.stage = new Stage(this.root, {
      onBox: (box) => this.reread({ box }),
      onMode: (mode) => this.showMode(mode),
      ask: (name, question, isWanted) => this.keep(this.upright, name, { ...this.panels.about(name, this.result), ...question }, isWanted),
    });
    this.intake = listenForPictures(this.root, (file) => this.open(file));
    this.listen();
    document.addEventListener("fg-live", () => this.introduce());
    this.introduce();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  // --- asking the server -----------------------------------------------------------------------------

  async introduce() {
    const before = this.result;
    const trouble = await introduceModel(this.$(".fg-knows"), () => this.result === before);
    if (trouble && this.root.dataset.state === "empty") this.showError(trouble);
  }

  /** Read a new picture. What was shown before stays where this one cannot be read. */
  async open(file) {
    if (file.size > this.maxMb * 1e6) {
      return this.showError(`This file has ${Math.ceil(file.size / 1e6)} MB; the largest that can be read here has ${this.maxMb} MB.`);
    }
    const turn = this.begin();
    const picture = { file, name: file.name, path: null };
    const url = URL.createObjectURL(file);
    this.root.dataset.state = "reading";
    this.stage.viewer.setCropping(false);
    this.stage.clear();
    this.closer?.clear();
    this.stage.viewer.setPicture(url).catch(() => {}); // some formats only the server can show
    const panels = needed(() => import("./panels.js"));
    const reply = await this.read(picture, {}, turn);
    this.equip(await panels);
    URL.revokeObjectURL(url);
    if (turn !== this.turn) return;
    if (!reply.error) this.upright = picture;
    await this.settle(reply);
  }

  equip(panels) {
    this.panels = panels;
    this.stage.equip(panels);
    this.closer ??= new panels.CloserLook(this.root, this.stage, this);
  }

  /** Ask again about the same picture: another box, another A and B, or closer. */
  async reread({ box = this.result?.box ?? null, asked = null, rival = null, closer = null }) {
    if (!this.upright) return;
    const turn = this.begin();
    const isFresh = box !== this.result?.box;
    const reply = await this.read(this.upright, { box, asked, rival, closer: this.closer.asked({ box, closer }) }, turn);
    if (turn !== this.turn) return;
    this.stage.viewer.setCropping(false);
    await this.settle(reply, isFresh);
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

  async settle(reply, isFresh = true) {
    this.root.removeAttribute("aria-busy");
    this.$(".fg-progress").hidden = true;
    if (reply.error) this.showError(reply.error);
    if (!reply.error) await this.showResult(reply, isFresh);
    else if (this.result) await this.showPicture();
    else {
      this.stage.clear();
      this.root.dataset.state = "empty";
    }
  }

  // --- showing ---------------------------------------------------------------------------------------

  /** The picture of the current result, with its map; also what is gone back to when another one cannot be read. */
  async showPicture() {
    const { result, turn } = this;
    await this.stage.viewer.setPicture(result.display).catch(() => this.showError("The picture cannot be shown here."));
    if (turn !== this.turn) return;
    this.root.dataset.state = "answered";
    for (const selector of [".fg-tools", ".fg-reading"]) this.$(selector).hidden = false;
    this.$('[data-do="whole"]').hidden = !result.box;
    this.stage.viewer.setBox(result.box);
    this.stage.showPair(this.candidate(this.a), this.candidate(this.b));
  }

  async showResult(result, isFresh) {
    this.result = result;
    showModel(result); // another one may have gone live since the page was opened
    [this.a, this.b] = [result.asked, result.rival];
    this.stage.take(result);
    for (const panel of [".fg-cards", ".fg-neighbours"]) this.$(panel).replaceChildren();
    const { turn } = this;
    await this.showPicture();
    if (turn !== this.turn) return;
    const { showAnswer, showPredictionSet } = this.panels;
    showAnswer(this.$(".fg-answer"), result);
    showPredictionSet(this.$(".fg-set"), result);
    this.closer.show(result, isFresh);
    this.showPair();
  }

  candidate(taxon) {
    return this.result.candidates.find((one) => one.taxon === taxon);
  }

  pick(side, taxon) {
    if (this.stage.isReading() || taxon === (side === "a" ? this.a : this.b)) return;
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
    const { showCandidates, showReasons } = this.panels;
    const [a, b] = [this.candidate(this.a), this.candidate(this.b)];
    const sums = partSums(this.result.parts, a, b);
    showCandidates(this.$(".fg-candidates"), this.result, { a: this.a, b: this.b }, (side, taxon) => this.pick(side, taxon));
    showReasons(this.$(".fg-reasons"), { a, b, sums, pinned: this.stage.pinned, isSum: this.result.is_sum }, (part, what) =>
      this.stage.onPart(part, what),
    );
    this.stage.showPair(a, b);
    this.askLater();
  }

  /** Neighbours, cards and trust come after the answer, never with it. */
  askLater() {
    clearTimeout(this.later);
    if (this.closer.isQuiet) return;
    const { result, upright, a, b } = this;
    const { about } = this.panels;
    const isCurrent = () => result === this.result && this.a === a && this.b === b;
    this.later = setTimeout(async () => {
      const near = await this.keep(upright, "neighbours", { ...about("neighbours", result), taxa: [a, b] }, isCurrent);
      if (!isCurrent()) return;
      const named = { a: this.candidate(a), b: this.candidate(b) };
      this.panels.showNeighbours(this.$(".fg-neighbours"), named, near.error ? null : near);
      const found = await this.keep(upright, "cards", { ...about("cards", result), a, b }, isCurrent);
      if (!isCurrent()) return;
      this.panels.drawCards(this.$(".fg-cards"), { ...found, ...named, src: result.display });
      if (this.stage.measured.has(`${a} ${b}`)) return;
      const trust = await this.keep(upright, "trust", { ...about("trust", result), a, b }, isCurrent);
      if (result !== this.result) return;
      this.stage.takeTrust(`${a} ${b}`, trust.error || !trust.class ? null : trust); // null: nothing measures it here
    }, SETTLE_MS);
  }

  showError(sentence) {
    Object.assign(this.$(".fg-error"), { textContent: sentence, hidden: !sentence });
  }

  showMode(mode) {
    const cropping = mode === "crop";
    this.$('[data-do="crop"]').setAttribute("aria-pressed", String(cropping));
    const stop = matchMedia("(pointer: coarse)").matches ? "" : " Esc to stop.";
    this.stage.showNote(cropping ? `Drag a box around the subject.${stop}` : "");
    if (cropping) this.$("canvas").focus({ preventScroll: true });
    else if (this.result && this.root.dataset.state === "answered") this.stage.show();
  }

  // --- the person's hands ----------------------------------------------------------------------------

  listen() {
    this.root.addEventListener("click", (event) => this.act(event.target.closest("[data-do]")?.dataset.do));
    this.root.addEventListener("change", (event) => {
      if (event.target.name === "fg-view") this.stage.setView(event.target.value);
    });
    this.$('[data-do="camera"]').hidden = !navigator.mediaDevices?.getUserMedia;
    document.addEventListener("keydown", (event) => isFree(this.root) && this.key(event));
    followReceipt(this.$('[data-dialog="receipt"]'));
    this.root.dataset.ready = "true";
  }

  act(action) {
    if (this.stage.isReading() && !["new", "keys"].includes(action)) return;
    const { viewer } = this.stage;
    if (this.stage.view === "methods" && ONE_PICTURE.has(action)) this.stage.setView("class");
    const actions = {
      choose: () => this.intake.choose(),
      new: () => this.intake.choose(),
      camera: () =>
        photograph(
          this.$('[data-dialog="camera"]'),
          (file) => this.open(file),
          (sentence) => this.showError(sentence),
        ),
      crop: () => viewer.setCropping(!viewer.cropping),
      in: () => viewer.zoomBy(1.5),
      out: () => viewer.zoomBy(1 / 1.5),
      fit: () => viewer.fit(),
      closer: () => this.showError(this.closer.toggle()),
      fill: () => this.stage.fill(!this.stage.isFilled),
      side: () => this.stage.comparing?.open(),
      whole: () => this.reread({ box: null }),
      compare: () => openCompare(this.$(".fg-compare"), search, (taxon) => this.pick("b", taxon)),
      wrong: () => this.wrong(),
      keys: () => showKeys(this.$('[data-dialog="keys"]')),
    };
    actions[action]?.();
  }

  key(event) {
    const key = keyOf(event);
    if (isTyping(event) || key === null || (!this.result && key !== "?")) return;
    const digit = digitOf(event);
    const action =
      digit === 0 ? "fit" : { "+": "in", "=": "in", "-": "out", c: "crop", f: "fill", l: "closer", m: "side", "?": "keys" }[key];
    if (digit && VIEWS[digit - 1]) this.stage.setView(VIEWS[digit - 1]);
    else if (action) this.act(action);
    else if (key === "Escape") this.escape();
    else return;
    event.preventDefault();
  }

  /** Esc undoes one thing at a time: the crop mode, the lit part, the zoom. */
  escape() {
    const { stage } = this;
    if (stage.viewer.cropping) stage.viewer.setCropping(false);
    else if (stage.pinned !== null) stage.onPart(stage.pinned, "press");
    else stage.viewer.fit();
  }

  wrong() {
    const { result, upright } = this;
    suggest(this.$('[data-dialog="wrong"]'), {
      answered: result.answer.sentence,
      keepDays: this.keepDays,
      search,
      save: (suggestion) => {
        const likeliest = result.path.at(-1)?.taxon ?? null;
        const question = { ...suggestion, answered: likeliest, box: result.box, model_version: result.model_version };
        return askAbout(upright, "suggest", question);
      },
    });
  }
}
