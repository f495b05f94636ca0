// One model of the Train page closely, or one beside another: verdict, pictures, kinds, card.

import { keepAsking } from "../shared/client.js";
import { button, h } from "../shared/dom.js";
import { when } from "../shared/words.js";
import { Curves } from "./curves.js";
import { cardFields, changes } from "./models.js";
import { Pictures } from "./pictures.js";
import { linkTo, modelOf, shortName } from "./route.js";
import { drawSum, modelActions } from "./verdict.js";
import { PRESETS } from "./words.js";

const COMPARE_MS = 900_000; // two models look at all gold pictures

export class ModelView {
  constructor(root, acts) {
    this.root = root;
    this.acts = acts;
    this.key = null;
    this.gone = false;
    this.pictures = null;
    this.head = h("header", { class: "fg-model-head" });
    this.sum = h("section", { class: "fg-model-sum" });
    this.actions = h("section", { class: "fg-model-acts" });
    this.more = h("div", { class: "fg-model-more" });
    const back = h("p", {}, h("a", { class: "fg-link", href: linkTo({ view: "home" }) }, "‹ All models"));
    root.replaceChildren(back, this.head, this.sum, this.actions, this.more);
  }

  leave() {
    this.gone = true;
    this.pictures?.close();
  }

  show(route, now) {
    const [a, b] = [route.a, route.b].map((named) => (named ? modelOf(now.models, named) : null));
    const missing = route.a && !a ? route.a : b ? null : route.b;
    if (missing)
      return this.head.replaceChildren(
        h("h1", {}, `There is no model ${missing}`),
        h("p", { class: "fg-quiet" }, "It may have been deleted."),
      );
    const key = JSON.stringify([
      a?.version,
      b.version,
      b.state,
      b.promoted_at,
      b.gold_changed,
      b.verdict?.beside,
      b.verdict?.sentence,
      now.live,
      now.previous,
      Boolean(now.promoting),
    ]);
    if (!a && this.judged !== undefined && this.judged !== b.verdict?.sentence) this.again(a, b, now); // it was compared anew
    this.judged = b.verdict?.sentence;
    if (this.key !== key) {
      this.key = key;
      this.drawHead(a, b, now);
      this.actions.replaceChildren(a ? "" : modelActions(b, now, this.acts));
    }
    this.loading ??= this.load(a, b, now);
    this.picture = route.picture;
    return this.pictures?.show(route.picture);
  }

  drawHead(a, b, now) {
    if (a) {
      const swapped = linkTo({ view: "compare", a: shortName(b.version), b: shortName(a.version) });
      return this.head.replaceChildren(
        h("h1", {}, shortName(b.version), h("span", { class: "fg-quiet" }, " beside "), shortName(a.version)),
        h(
          "p",
          { class: "fg-quiet fg-small" },
          b.preset === "head" ? "Both as visitors have them. " : "Each with all labels of today in its head. ",
          h("a", { class: "fg-link", href: swapped }, "The other way round"),
        ),
      );
    }
    const facts = [
      b.preset ? PRESETS[b.preset]?.[0].toLowerCase() : "",
      b.parent ? `from ${shortName(b.parent)}` : "came from outside",
      b.asked_by ? `${b.asked_by}, ${when(b.created_at)}` : "",
      b.size_bytes ? `${(b.size_bytes / 1e6).toFixed(0)} MB` : "",
    ];
    const live = b.version === now.live ? h("span", { class: "fg-live-mark" }, "live") : "";
    const since = b.promoted_at
      ? `${b.version === now.live ? "live since" : "last went live"} ${when(b.promoted_at)} (${b.promoted_by})`
      : "";
    return this.head.replaceChildren(
      h("h1", {}, shortName(b.version), " ", live),
      h("p", { class: "fg-quiet fg-small fg-num" }, [...facts, since].filter(Boolean).join(" · ")),
    );
  }

  async load(a, b, now) {
    const isWanted = () => !this.gone;
    const about = a ? null : keepAsking("train_card", { version: b.version }, { isWanted });
    this.sum.replaceChildren(
      h(
        "p",
        { class: "fg-quiet", role: "status" },
        a ? "Both models look at the gold pictures. The first time that takes minutes; the page may be left meanwhile." : "…",
      ),
    );
    const reply = await keepAsking("train_compare", { a: a?.version ?? null, b: b.version }, { isWanted, timeoutMs: COMPARE_MS });
    if (this.gone) return;
    const { verdict } = reply;
    if (reply.error)
      this.sum.replaceChildren(
        h("p", { class: "fg-error", role: "alert" }, reply.error),
        h(
          "p",
          {},
          button("Try again", () => this.again(a, b, now)),
        ),
      );
    else if (!verdict)
      this.sum.replaceChildren(
        h(
          "p",
          { class: "fg-quiet" },
          "It was not trained here, so there is no verdict on it. Tick it and another on the page of all models to compare them.",
        ),
      );
    else {
      this.sum.replaceChildren(drawSum(verdict, b.version));
      this.drawMore(verdict, b, a);
    }
    const said = await about;
    if (said && !this.gone) this.drawCard(said);
  }

  again(a, b, now) {
    this.more.replaceChildren();
    this.loading = this.load(a, b, now);
  }

  drawMore(verdict, model, a) {
    const place = (picture) =>
      linkTo({ view: a ? "compare" : "model", a: a ? shortName(a.version) : null, b: shortName(model.version), picture });
    this.pictures = new Pictures(verdict, { before: verdict.beside, after: model.version, linkTo: place });
    const names = ({ a_name: one, b_name: other }) => h("span", {}, one, h("span", { class: "fg-quiet" }, " / "), other);
    const kinds = changes("Kinds: gold pictures that are right", verdict.kinds, (kind) => kind.taxon_name, "more");
    const pairs = changes("Look-alikes: taken for the other", verdict.pairs, names, "fewer");
    this.more.replaceChildren(this.pictures.root, h("div", { class: "fg-changes-columns" }, kinds, pairs));
    if (this.picture) this.pictures.show(this.picture);
  }

  drawCard({ card, job, error }) {
    if (error) return this.more.append(h("p", { class: "fg-error" }, error));
    const curves = new Curves();
    const epochs = job?.epochs ?? [];
    curves.show(epochs);
    const trained = epochs.length
      ? h("details", { class: "fg-fold" }, h("summary", {}, h("h2", {}, "How it was trained")), curves.root)
      : "";
    return this.more.append(trained, h("details", { class: "fg-fold" }, h("summary", {}, h("h2", {}, "Card")), cardFields(card)));
  }
}
