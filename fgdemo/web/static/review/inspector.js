// One picture closely: large, why the model says A and not B, and what was said about it. Beside the grid where there
// is room; over everything when it is asked to be large.

import { comparing } from "../compare/opening.js";
import { drawBars } from "../shared/bars.js";
import { FoldedCards } from "../cards/cards.js";
import { keepAsking } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { partLabels, partsLayer } from "../shared/layers.js";
import { pointWords } from "../points/placing.js";
import { iso } from "../shared/names.js";
import { PairMap } from "../maps/pair_map.js";
import { publishedWords } from "../shared/pictures.js";
import { Viewer } from "../shared/viewer.js";
import { percent } from "../shared/words.js";
import { linkTo } from "./route.js";

const REST_MS = 180;
const VIEWS = { picture: "Picture", contrast: "A − B", parts: "Parts" };
const SAID = {
  unsure: "unsure",
  skip: "looked at later",
  unusable: "unusable",
  none: "none of these",
  import: "no label",
  suggestion: "a suggestion",
};

export class Inspector {
  /** `onStep(key)` moves the cursor while it is large; `onClose()` when it is small again. */
  constructor(root, { onClose }) {
    this.root = root;
    this.onClose = onClose;
    this.view = "contrast";
    /** @type {(() => void) | null} */
    this.onRemove = null;
    /** @type {any} */
    this.tile = null;
    this.turn = 0;
    this.stage = h(
      "div",
      { class: "fg-stage" },
      h("canvas", { role: "img", "aria-label": "" }),
      h("p", { class: "fg-stage-note", hidden: true }),
    );
    this.views = h(
      "div",
      { class: "fg-segments", role: "group", "aria-label": "What is shown" },
      ...Object.entries(VIEWS).map(([name, words]) =>
        h("button", { type: "button", "data-view": name, onclick: () => this.show(name) }, words),
      ),
    );
    this.fills = h("button", { type: "button", class: "fg-link", "aria-pressed": "false", onclick: () => this.fill() }, "Fill");
    this.head = h("div", { class: "fg-inspector-head" });
    this.bars = h("div", { class: "fg-inspector-bars" });
    const cards = h("div", { class: "fg-cards" });
    this.cards = new FoldedCards(cards);
    this.past = h("div", { class: "fg-past" });
    this.close = h("button", { type: "button", class: "fg-button fg-inspector-close", onclick: () => this.setLarge(false) }, "Close");
    root.replaceChildren(
      h("div", { class: "fg-inspector-picture" }, this.stage, h("div", { class: "fg-inspector-views" }, this.views, this.fills)),
      h("div", { class: "fg-inspector-words" }, this.head, this.bars, cards, this.past, this.close),
    );
    this.viewer = new Viewer(this.stage);
    this.map = new PairMap(this.viewer, "review_spread");
    this.comparing = comparing(this.viewer, () => this.question());
    this.show(this.view);
  }

  get isLarge() {
    return this.root.classList.contains("is-large");
  }

  setLarge(isLarge) {
    if (isLarge === this.isLarge) return;
    this.root.classList.toggle("is-large", isLarge);
    for (const [name, value] of [
      ["role", "dialog"],
      ["aria-modal", "true"],
    ])
      isLarge ? this.root.setAttribute(name, value) : this.root.removeAttribute(name);
    if (isLarge) this.close.focus({ preventScroll: true });
    else this.onClose();
  }

  clear() {
    this.turn += 1;
    this.tile = this.explanation = null;
    this.map.clear();
    this.viewer.clear();
    this.root.classList.remove("is-filled");
    this.setLarge(false);
  }

  /** Look at a picture; its map and its history come when it has rested. */
  look(tile) {
    if (this.tile && this.tile.image === tile.image && this.tile.version === tile.version) return;
    const turn = ++this.turn;
    [this.tile, this.explanation] = [tile, null];
    this.root.classList.add("is-filled");
    this.map.clear();
    this.map.showInstead();
    this.note("");
    this.stage
      .querySelector("canvas")
      ?.setAttribute("aria-label", `Labelled ${iso(tile.given_name)}${tile.suggested ? `, looks like ${iso(tile.suggested_name)}` : ""}`);
    this.drawHead(tile);
    drawBars(this.bars, null);
    this.cards.offer(null);
    this.past.replaceChildren();
    this.viewer.setPicture(new URL(tile.src, document.baseURI)).catch(() => {
      if (turn !== this.turn) return;
      this.viewer.clear();
      this.note("The picture cannot be shown. Press X if it is unusable.");
    });
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.study(tile, turn), REST_MS);
  }

  /** What is shown of it was learned anew. */
  lookAgain(tile) {
    this.tile = null;
    this.look(tile);
  }

  async study(tile, turn) {
    // The picture can be answered without them, so nothing on the page asks for patience.
    const isShown = { isWanted: () => turn === this.turn, onTrouble: (reply) => this.note(`${reply.error} Trying again…`) };
    const history = keepAsking("review_history", { image: tile.image }, isShown);
    const a = tile.suggested;
    const b = tile.given && tile.given !== a ? tile.given : tile.rival;
    let reply = a ? await keepAsking("review_explain", { image: tile.image, a, b }, isShown) : null;
    // A group, or a kind without pictures, has no map: then against the next likeliest.
    if (reply?.error && b !== tile.rival) reply = await keepAsking("review_explain", { image: tile.image, a, b: tile.rival }, isShown);
    if (turn !== this.turn) return;
    if (reply && !reply.error) {
      this.explanation = reply;
      drawBars(this.bars, reply);
      this.draw();
      this.offerCards(tile, isShown);
    } else this.note(reply ? reply.error : "The model has not looked at this picture yet.");
    const past = await history;
    if (turn === this.turn) drawHistory(this.past, past);
  }

  /** What is compared with pictures of A and of B; null until the model has said what it sees. */
  question() {
    const { tile, explanation, turn } = this;
    if (!tile || !explanation) return null;
    const { asked, rival, candidates, grid, parts } = explanation;
    const [a, b] = [asked, rival].map((taxon) => candidates.find((one) => one.taxon === taxon));
    const load = () => keepAsking("compare_known", { image: tile.image, a: asked, b: rival }, { isWanted: () => turn === this.turn });
    return { picture: this.viewer.picture, area: null, frame: null, grid, parts, a, b, load };
  }

  offerCards(tile, isShown) {
    const { asked, rival, candidates } = this.explanation;
    const find = (taxon) => candidates.find((one) => one.taxon === taxon);
    const ask = () => keepAsking("label_cards", { image: tile.image, a: asked, b: rival }, isShown);
    this.cards.offer({ ask, a: find(asked), b: find(rival), src: new URL(tile.src, document.baseURI) });
  }

  drawHead(tile) {
    const line = (role, words, name, taxon, share) =>
      h(
        "p",
        {},
        h("span", { class: "fg-quiet" }, words),
        taxon ? h("a", { class: role ? `fg-${role}` : null, href: linkTo({ view: "kind", taxon }) }, name) : h("b", {}, name),
        share === null ? "" : h("span", { class: "fg-num fg-quiet" }, ` ${percent(share)}`),
      );
    const differs = tile.suggested && tile.given && tile.suggested !== tile.given;
    this.head.replaceChildren(
      line(differs ? "b" : "a", tile.checked ? "checked: " : "labelled ", tile.given_name, tile.given, null),
      tile.suggested
        ? line(differs || !tile.given ? "a" : "", "looks like ", tile.suggested_name, tile.suggested, tile.suggested_prob)
        : "",
      tile.rival && tile.rival !== tile.given && tile.rival_prob >= 0.01
        ? line("", "or ", tile.rival_name, tile.rival, tile.rival_prob)
        : "",
      h(
        "p",
        { class: "fg-quiet fg-small" },
        [
          tile.suspicion === null || tile.checked ? "" : `label looks wrong: ${percent(tile.suspicion)}`,
          tile.split,
          tile.disputed ? (tile.checked ? "experts disagree" : "an expert disagrees with the label that it came with") : "",
          tile.suggestion ? "a visitor suggests something" : "",
        ]
          .filter(Boolean)
          .join(" · "),
      ),
      this.onRemove ? h("button", { type: "button", class: "fg-link fg-small", onclick: this.onRemove }, "Remove for good…") : "",
    );
  }

  show(view) {
    this.view = view;
    this.fills.hidden = view !== "contrast";
    for (const button of this.views.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    this.draw();
  }

  /** The map in its colours, or its outline alone. */
  fill() {
    this.map.fill(!this.map.isFilled);
    this.fills.setAttribute("aria-pressed", String(this.map.isFilled));
  }

  next() {
    const names = Object.keys(VIEWS);
    this.show(names[(names.indexOf(this.view) + 1) % names.length]);
  }

  draw() {
    const found = this.explanation;
    if (!found) return;
    this.note("");
    if (this.view === "picture") this.map.showInstead();
    else if (this.view === "parts")
      this.map.showInstead(partsLayer(found.parts, found.grid, this.viewer.aspect), partLabels(found.parts, found.grid));
    else {
      const [a, b] = this.map.showPair(found);
      this.note(h("span", {}, h("b", { class: "fg-a" }, a.name), " against ", h("b", { class: "fg-b" }, b.name)));
    }
  }

  note(content) {
    const note = /** @type {HTMLElement} */ (this.stage.querySelector(".fg-stage-note"));
    note.replaceChildren(content);
    note.hidden = !content;
  }
}

/** What was said about a picture, newest first. */
function drawHistory(root, reply) {
  if (reply.error) return root.replaceChildren(h("p", { class: "fg-quiet fg-small" }, reply.error));
  const undone = new Set(reply.events.map((event) => event.undoes));
  const line = (event) => {
    const words = { adjudication: " (adjudicated)", suggestion: " (suggested)" }[event.kind] ?? "";
    const isUndone = undone.has(event.id);
    return h(
      "li",
      { class: isUndone ? "is-undone" : null },
      h("b", {}, pointWords(event.point) ?? publishedWords(event) ?? event.name ?? SAID[event.kind] ?? event.kind),
      h(
        "span",
        { class: "fg-quiet" },
        `${words} · ${event.kind === "import" ? "came with the picture" : iso(event.annotator)}, ${new Date(event.when).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}${isUndone ? ", taken back" : ""}`,
      ),
      event.comment ? h("p", {}, `“${event.comment}”`) : "",
    );
  };
  root.replaceChildren(
    h("h2", { class: "fg-small" }, "History"),
    h(
      "ol",
      {},
      ...reply.events
        .filter((event) => event.kind !== "undo")
        .reverse()
        .map(line),
    ),
  );
}
