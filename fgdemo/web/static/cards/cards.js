// Evidence cards: the crops of labelled pictures that spoke most for A and for B, each beside the place here that it is
// like, and the whole sum that they are a part of.

import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { creditLine } from "../shared/pictures.js";
import { signed } from "../shared/words.js";
import { openCard } from "./closely.js";
import { drawCrop, pictureOf } from "./crop.js";
import { drawFlip } from "./flip.js";

/** Nothing, while another picture is on the screen. */
export function clearCards(root) {
  root.replaceChildren();
}

/** Cards that are asked for only while they are unfolded, where the page has better to do than to read sixteen pictures. */
export class FoldedCards {
  /** @type {any} */
  offered = null; // {ask, a, b, src, isAsked}

  constructor(root) {
    this.inside = h("div", {});
    this.fold = h("details", { class: "fg-cards-fold", hidden: true }, h("summary", {}, "Crops that spoke for each"), this.inside);
    this.fold.addEventListener("toggle", () => this.#draw());
    root.replaceChildren(this.fold);
  }

  /** `ask()` gives the server's reply, `a`, `b` and `src` are as for `drawCards`; null while there is nothing to ask about. */
  offer(offered) {
    this.offered = offered;
    this.fold.hidden = !offered;
    clearCards(this.inside);
    this.#draw();
  }

  async #draw() {
    const { offered } = this;
    if (!offered || offered.isAsked || !this.fold.open) return;
    offered.isAsked = true;
    this.inside.replaceChildren(h("p", { class: "fg-quiet fg-small", role: "status" }, "Reading the pictures with the largest votes…"));
    const reply = await offered.ask();
    if (offered !== this.offered) return;
    drawCards(this.inside, { ...reply, ...offered });
    const none = reply.error ?? "No labelled picture of these two that taught the model is here.";
    if (!this.inside.children.length) this.inside.replaceChildren(h("p", { class: "fg-quiet fg-small" }, none));
  }
}

/**
 * Draw what spoke for A and for B. `cards` is {a, b} as the server says them, or null; `a`, `b` are named; `src` is where the
 * picture in question lies.
 */
export function drawCards(root, { cards, a, b, src }) {
  if (!cards || (!cards.a.cards.length && !cards.b.cards.length)) return clearCards(root);
  const own = pictureOf(src);
  root.replaceChildren(
    h("h2", {}, "Crops that spoke for each"),
    h("div", { class: "fg-cards-sides" }, side(cards.a, a, "a", own, cards, b), side(cards.b, b, "b", own, cards, a)),
    wholeSum(cards, a, b),
    whatIf(cards, a, b, own),
  );
}

function side(found, named, role, own, cards, rival) {
  const [first, second] = role === "a" ? [named, rival] : [rival, named];
  return h(
    "section",
    { class: `fg-cards-side fg-cards-${role}`, "aria-label": `Crops that spoke for ${iso(named.name)}` },
    h("p", { class: "fg-cards-head" }, h("b", { class: `fg-${role}` }, role.toUpperCase()), " ", named.name),
    ...found.cards.map((card) => {
      const now = cards.a.logit - cards.b.logit;
      return drawCard(card, named, own, () => openCard(card, { named, own, a: first, b: second, now }));
    }),
    found.cards.length ? "" : h("p", { class: "fg-quiet fg-small" }, "No crop to show spoke for it."),
  );
}

function drawCard(card, named, own, onOpen) {
  const theirs = pictureOf(new URL(`fgdemo/pictures/${card.image}/display`, document.baseURI));
  const words = `${iso(card.part)}: ${signed(card.of_part)} for ${iso(named.name)}`;
  return h(
    "div",
    { class: "fg-spoke" },
    h(
      "button",
      {
        type: "button",
        class: "fg-spoke-open",
        title: `${words}. Show both pictures`,
        "aria-label": `${words}. Show both pictures`,
        onclick: onOpen,
      },
      drawCrop(own, card.here),
      h("span", { class: "fg-spoke-like", "aria-hidden": "true" }, "↔"),
      drawCrop(theirs, card.there),
      h(
        "span",
        { class: "fg-spoke-words" },
        h(
          "span",
          { class: "fg-spoke-part" },
          h("span", { class: "fg-dot", style: { background: card.colour || "var(--fg-track)" } }),
          card.part,
        ),
        h("span", { class: "fg-num" }, signed(card.of_part)),
      ),
    ),
    creditLine(card.publication),
  );
}

/** What would have to look otherwise; drawn when it is unfolded. */
function whatIf(cards, a, b, own) {
  const other = cards.a.logit > cards.b.logit ? b : a;
  const inside = h("div", {});
  const fold = h("details", { class: "fg-cards-sum fg-cards-flip" }, h("summary", {}, `What would make it ${iso(other.name)}?`), inside);
  fold.addEventListener("toggle", () => fold.open && !inside.children.length && inside.append(drawFlip(cards.flip, other, own)));
  return fold;
}

/** Every term of both logits, so that they can be added up. */
function wholeSum({ a, b }, namedA, namedB) {
  const said = (found) => found.cards.reduce((sum, card) => sum + card.value, 0);
  /** @type {[string, number, number, string][]} */
  const terms = [
    ["these crops", said(a), said(b), "What the crops above say of each other, and nothing else of their pictures"],
    ["the same pictures besides", a.same, b.same, "All other pairs of places of the same labelled pictures"],
    [`other labelled pictures (${a.pictures} of A, ${b.pictures} of B)`, a.others, b.others, "Each has a vote for its own kind"],
    ["this picture itself", a.itself, b.itself, "It has taught the model, so it has a vote, too"],
    ["pictures not in this workspace", a.absent, b.absent, "Only their sum is left: they taught the model elsewhere"],
    ["starting point", a.start, b.start, "What is said of nothing but average background, less what both have alike"],
  ];
  const rows = terms.filter(([, x, y]) => Math.abs(x) + Math.abs(y) >= 0.005);
  /** @param {[string, number, number, string]} term */
  const line = ([words, x, y, title]) =>
    h("tr", { title }, h("th", { scope: "row" }, words), h("td", { class: "fg-num" }, signed(x)), h("td", { class: "fg-num" }, signed(y)));
  const difference = a.logit - b.logit;
  return h(
    "details",
    { class: "fg-cards-sum" },
    h("summary", {}, "The whole sum"),
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h("tr", {}, h("td", {}), h("th", { scope: "col", class: "fg-a" }, "A"), h("th", { scope: "col", class: "fg-b" }, "B")),
      ),
      h("tbody", {}, ...rows.map(line)),
      h("tfoot", {}, line(["in all", a.logit, b.logit, "Less what both have alike"])),
    ),
    h(
      "p",
      { class: "fg-quiet fg-small" },
      `${signed(a.logit)} − ${signed(b.logit)} = ${signed(difference)} log-odds for ${iso(namedA.name)} against ${iso(namedB.name)}.`,
    ),
  );
}
