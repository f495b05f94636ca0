// The Review page: its views, and the way between them. Each view is an address, so that links and Back work.

import { ask, keepAsking } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { gate, isShown, whoAmI } from "../head/nav.js";
import { showAnnotators } from "./annotators.js";
import { showConfusions } from "./confusions.js";
import { showKind, showPair } from "./kind.js";
import { showKinds } from "./kinds.js";
import { Pictures } from "./pictures.js";
import { linkTo, routeOf, VIEWS } from "./route.js";

const PAGES = { confusions: showConfusions, kinds: showKinds, kind: showKind, pair: showPair, annotators: showAnnotators };
const LOOK_AGAIN_MS = 3000;
const BELONGS = { kind: "kinds", pair: "confusions" };

export function mount(element) {
  return new ReviewPage(element.querySelector(".fg-review"));
}

class ReviewPage {
  constructor(root) {
    this.root = root;
    this.turn = 0;
    this.pictures = new Pictures(this.$(".fg-pictures"), this.$("dialog"), () => this.refreshHead());
    document.addEventListener("fg-page", (event) => event.detail === "review" && this.open());
    this.root.dataset.ready = "true";
    if (isShown("review")) this.open();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  async open() {
    const turn = ++this.turn;
    const me = await whoAmI();
    const isWanted = () => turn === this.turn && isShown("review");
    const overview = me.role === "visitor" ? null : await keepAsking("review_open", {}, { isWanted });
    if (turn !== this.turn) return;
    const [closed, body] = [this.$(".fg-review-gate"), this.$(".fg-review-body")];
    const isOpen = Boolean(overview && !overview.error);
    if (!isOpen)
      closed.replaceChildren(
        overview
          ? h("div", { class: "fg-gate" }, h("p", { class: "fg-error", role: "alert" }, overview.error))
          : gate(me, "Look over many pictures at once"),
      );
    [closed.hidden, body.hidden] = [isOpen, !isOpen];
    if (!isOpen) return;
    this.show(routeOf(location.hash), overview, turn, me.role === "maintainer");
    this.root.dataset.state = "ready";
    clearTimeout(this.later);
    if (!overview.is_ranked && overview.pictures)
      this.later = setTimeout(
        () => turn === this.turn && isShown("review") && !this.pictures.grid.chosen.size && this.open(),
        LOOK_AGAIN_MS,
      );
  }

  show(route, overview, turn, isMaintainer) {
    const isGrid = route.view === "pictures";
    const page = this.$(".fg-review-page");
    const tab = BELONGS[route.view] ?? route.view;
    this.$(".fg-tabs").replaceChildren(
      ...Object.entries(VIEWS).map(([view, name]) =>
        h("a", { href: linkTo({ view }), "aria-current": view === tab ? "page" : null }, name),
      ),
    );
    drawHead(this.$(".fg-review-head"), overview);
    this.$("dialog").close();
    [this.$(".fg-pictures").hidden, page.hidden] = [!isGrid, isGrid];
    if (isGrid) this.pictures.open(route, overview, isMaintainer);
    else {
      this.pictures.leave();
      page.replaceChildren(h("p", { class: "fg-quiet" }, "…"));
      PAGES[route.view]({ root: page, route, overview, isCurrent: () => turn === this.turn });
    }
  }

  async refreshHead() {
    const { turn } = this;
    const overview = await ask("review_open", {});
    if (!overview.error && turn === this.turn) drawHead(this.$(".fg-review-head"), overview);
  }
}

/** The workspace in numbers. */
function drawHead(root, { pictures, checked, suspects, disputed, accuracy, is_ranked, gold_check: gold }) {
  /** @param {number} number @param {string} words @param {object | null} [to] */
  const figure = (number, words, to = null) =>
    h(to ? "a" : "span", { href: to && linkTo(to) }, h("b", { class: "fg-num" }, number.toLocaleString("en")), ` ${words}`);
  const share = (value) => (100 * value).toFixed(1);
  const facts = [
    figure(pictures, pictures === 1 ? "picture" : "pictures"),
    is_ranked && figure(suspects, suspects === 1 ? "label looks wrong" : "labels look wrong", { state: "suspect" }),
    gold?.looks_wrong
      ? h(
          "a",
          { href: "#label/gold" },
          h("b", { class: "fg-num" }, gold.looks_wrong.toLocaleString("en")),
          ` of ${gold.labelled.toLocaleString("en")} gold ${gold.looks_wrong === 1 ? "looks" : "look"} wrong`,
        )
      : null,
    figure(checked, "checked", { state: "checked", sort: "newest" }),
    ...(disputed ? [figure(disputed, "disputed", { state: "disputed" })] : []),
    ...(is_ranked || !pictures ? [] : [h("span", { class: "fg-quiet" }, "the model is still looking at them…")]),
    accuracy
      ? h(
          "span",
          {
            class: "fg-quiet",
            title: `95 % interval, ${accuracy.n.toLocaleString("en")} pictures. It is measured on pictures by which it may have been chosen; Train measures models on gold pictures, by which none is`,
          },
          accuracy.on === "val"
            ? "the session’s model on held-out (val) pictures "
            : "the session’s model, each picture left out in turn, ",
          h("span", { class: "fg-num" }, `${share(accuracy.mean)} % [${share(accuracy.low)}, ${share(accuracy.high)}]`),
        )
      : null,
  ];
  root.replaceChildren(...facts.filter(Boolean));
}
