// The pictures that only one of two models has right: small ones, and one large, twice, with the maps of both.

import { keepAsking } from "../shared/client.js";
import { button, h } from "../shared/dom.js";
import { digitOf, keyOf } from "../shared/keyboard.js";
import { partLabels, partsLayer, signedLayer } from "../shared/layers.js";
import { strongest } from "../shared/maps.js";
import { iso } from "../shared/names.js";
import { Viewer } from "../shared/viewer.js";
import { percent } from "../shared/words.js";
import { shortName } from "./route.js";

const AT_FIRST = 24;
const MAPS_MS = 300_000; // a model that is not served has to be loaded first
const VIEWS = { picture: "Picture", said: "What it says", label: "The label", parts: "Parts" };
const SIDES = ["before", "after"];

export class Pictures {
  /** `verdict` has tiles as `fixed` and `broken`; `linkTo(image | null)` is the address of a picture, or of none. */
  constructor(verdict, { before, after, linkTo }) {
    this.verdict = verdict;
    this.versions = { before, after };
    this.linkTo = linkTo;
    this.view = "said";
    /** @type {any} */
    this.tile = null;
    /** @type {Record<string, any>} */
    this.found = {}; // what each side says of the picture at large
    /** @type {Viewer[]} */
    this.viewers = [];
    /** @type {any[]} */
    this.stages = [];
    /** @type {HTMLElement[]} */
    this.says = [];
    /** @type {HTMLButtonElement[]} */
    this.steps = [];
    this.title = h("p");
    this.views = h("div");
    this.known = new Map();
    this.tiles = [
      ...verdict.fixed.map((tile) => ({ ...tile, change: "newly right" })),
      ...verdict.broken.map((tile) => ({ ...tile, change: "newly wrong" })),
    ];
    this.dialog = h("dialog", { class: "fg-large", "aria-label": "One picture, by both models" });
    this.root = h("section", { class: "fg-swapped" }, this.strip("fixed", "Newly right"), this.strip("broken", "Newly wrong"), this.dialog);
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.leave();
    });
    this.dialog.addEventListener("keydown", (event) => this.key(event));
  }

  strip(side, words) {
    const tiles = this.verdict[side];
    const count = this.verdict[`${side}_count`];
    const picture = (tile) =>
      h(
        "a",
        { class: "fg-mini", href: this.linkTo(tile.image), "data-image": tile.image, title: tile.given_name },
        h("img", { src: new URL(tile.thumb, document.baseURI), alt: `${iso(tile.given_name)}, ${words.toLowerCase()}`, loading: "lazy" }),
        h("span", { class: "fg-small" }, tile.given_name),
      );
    const grid = h("div", { class: "fg-minis" }, ...tiles.slice(0, AT_FIRST).map(picture));
    const showAll = () => {
      grid.append(...tiles.slice(AT_FIRST).map(picture));
      if (more) more.remove();
    };
    const more = tiles.length > AT_FIRST ? button(`All ${tiles.length}`, showAll) : "";
    return h(
      "section",
      { class: "fg-swapped-side", "data-side": side },
      h("h2", {}, words, " ", h("span", { class: "fg-quiet fg-num" }, count.toLocaleString("en"))),
      tiles.length ? grid : h("p", { class: "fg-quiet" }, count ? "These pictures have left the workspace." : "None."),
      more,
    );
  }

  /** Open a picture, or close what is open. */
  show(image) {
    const tile = this.tiles.find((one) => one.image === image) ?? null;
    if (!tile) return this.close();
    if (this.tile === tile) return;
    if (!this.dialog.open) this.build();
    this.tile = tile;
    this.fill(tile);
  }

  close() {
    if (!this.dialog.open) return;
    this.dialog.close();
    const last = this.tile;
    this.tile = null;
    /** @type {HTMLElement | null} */ (this.root.querySelector(`[data-image="${last?.image}"]`))?.focus();
  }

  leave() {
    location.replace(this.linkTo(null));
  }

  step(by) {
    const next = this.tiles[this.tiles.indexOf(this.tile) + by];
    if (next) location.replace(this.linkTo(next.image));
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[keyOf(event)];
    const view = Object.keys(VIEWS)[(digitOf(event) ?? 0) - 1];
    if (by && !(event.target instanceof HTMLCanvasElement && this.viewers.some((viewer) => viewer.zoom > 1.01))) this.step(by);
    else if (view) this.choose(view);
  }

  build() {
    const stage = () =>
      h("div", { class: "fg-stage" }, h("canvas", { role: "img", tabindex: 0 }), h("p", { class: "fg-stage-note", hidden: true }));
    this.stages = SIDES.map(stage);
    this.says = SIDES.map(() => h("p", { class: "fg-large-said" }));
    this.title = h("p", { class: "fg-large-title" });
    this.views = h(
      "div",
      { class: "fg-segments", role: "group", "aria-label": "What is shown" },
      ...Object.entries(VIEWS).map(([view, words]) =>
        h("button", { type: "button", "data-view": view, onclick: () => this.choose(view) }, words),
      ),
    );
    this.steps = [-1, 1].map((by) =>
      h(
        "button",
        {
          type: "button",
          class: "fg-button",
          "aria-label": by < 0 ? "The picture before" : "The next picture",
          onclick: () => this.step(by),
        },
        by < 0 ? "←" : "→",
      ),
    );
    const close = button("Close", () => this.leave());
    this.dialog.replaceChildren(
      h(
        "div",
        { class: "fg fg-large-body" },
        h("header", {}, this.title, h("div", { class: "fg-large-acts" }, this.views, ...this.steps, close)),
        h(
          "div",
          { class: "fg-large-both" },
          ...SIDES.map((side, at) => h("figure", { "data-side": side }, h("figcaption", {}, this.says[at]), this.stages[at])),
        ),
      ),
    );
    this.dialog.showModal();
    this.viewers = this.stages.map((one) => new Viewer(one));
    this.choose(this.view);
    close.focus();
  }

  fill(tile) {
    const at = this.tiles.indexOf(tile);
    this.title.replaceChildren(
      h("b", {}, tile.given_name),
      h("span", { class: "fg-quiet fg-num" }, ` ${tile.change} · ${at + 1} of ${this.tiles.length}`),
    );
    for (const [place, by] of [-1, 1].entries()) this.steps[place].disabled = !this.tiles[at + by];
    for (const [place, side] of SIDES.entries()) this.fillSide(tile, side, place);
  }

  async fillSide(tile, side, place) {
    const [viewer, said] = [this.viewers[place], this.says[place]];
    const version = this.versions[side];
    const name = h("span", { class: "fg-quiet" }, `${version ? shortName(version) : "before"} `);
    said.replaceChildren(name, h("span", { class: "fg-quiet" }, "looks at it…"));
    viewer.setLayer(null);
    this.found[side] = null;
    viewer.fit();
    viewer.setPicture(new URL(tile.src, document.baseURI)).then(
      () => this.tile === tile && this.draw(place),
      () => this.tile === tile && this.note(place, "The picture cannot be shown."),
    );
    const reply = await this.maps(tile.image, version);
    if (this.tile !== tile) return;
    if (reply.error) return said.replaceChildren(name, h("span", { class: "fg-quiet" }, reply.error));
    this.found[side] = reply;
    const asked = reply.candidates.find((one) => one.taxon === reply.asked);
    const isRight = asked.taxon === tile.given;
    said.replaceChildren(
      name,
      h(
        "span",
        { class: "fg-said-sign", "data-right": String(isRight), role: "img", "aria-label": isRight ? "right" : "wrong" },
        isRight ? "✓" : "✗",
      ),
      h("b", {}, ` ${iso(asked.name)} `),
      h("span", { class: "fg-num fg-quiet" }, percent(asked.prob)),
    );
    this.stages[place].querySelector("canvas").setAttribute("aria-label", `${version} says ${iso(asked.name)}, ${percent(asked.prob)}`);
    this.draw(place);
  }

  /** Asked once; a failure is asked again. */
  async maps(image, version) {
    if (!version) return { error: "That model is not known any more." };
    const key = `${image} ${version}`;
    if (!this.known.has(key)) this.known.set(key, this.asked(image, version));
    const reply = await this.known.get(key);
    if (reply.error) this.known.delete(key);
    return reply;
  }

  asked(image, version) {
    const options = { isWanted: () => this.tile?.image === image, timeoutMs: MAPS_MS };
    return keepAsking("train_maps", { image, version, candidate: this.versions.after }, options);
  }

  choose(view) {
    this.view = view;
    for (const one of this.views.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one.dataset.view === view));
    for (const place of SIDES.keys()) this.draw(place);
  }

  draw(place) {
    const found = this.found[SIDES[place]];
    const viewer = this.viewers[place];
    this.note(place, "");
    if (!found || this.view === "picture") return viewer.setLayer(null);
    if (this.view === "parts")
      return viewer.setLayer(partsLayer(found.parts, found.grid, viewer.aspect), partLabels(found.parts, found.grid));
    const taxon = this.view === "said" ? found.asked : this.tile.given;
    const one = found.candidates.find((candidate) => candidate.taxon === taxon);
    if (!one) {
      viewer.setLayer(null);
      return this.note(place, `It knows no ${iso(this.tile.given_name)}.`);
    }
    viewer.setLayer(
      signedLayer(one.evidence, found.grid, viewer.aspect, {
        positive: "evidence",
        negative: "against",
        peak: strongest(one.evidence).peak,
      }),
    );
    return this.note(place, this.view === "label" ? `What speaks for ${iso(one.name)}` : "");
  }

  note(place, words) {
    const note = this.stages[place].querySelector(".fg-stage-note");
    note.textContent = words;
    note.hidden = !words;
  }
}
