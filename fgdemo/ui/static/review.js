// The Review page: lists of confusions and kinds on the left, their pictures on the right, many re-labelled at once.

import { h, isTyping, percent } from "./dom.js";
import { historyList } from "./label.js";
import { ask } from "./label_queue.js";
import { gate, isShown, whoAmI } from "./nav.js";
import { drawCells, drawHead, drawKinds, drawPair, drawTile } from "./review_views.js";
import { taxonSearch } from "./taxon_search.js";

const PAGE = 120;
const STATES = { all: "All", unchecked: "Not checked", checked: "Checked", disputed: "Disputed", unlabelled: "Without label", unusable: "Unusable" };
const SORTS = { suspicion: "Most doubtful", similarity: "Alike together", newest: "Newest" };

export function mount(element, { server }) {
  return new ReviewPage(element.querySelector(".fg-review"), server);
}

class ReviewPage {
  constructor(root, server) {
    Object.assign(this, { root, server, tiles: [], total: 0, chosen: new Set(), anchor: 0, batches: [], list: "cells" });
    this.filter = { given: null, suggested: null, state: "unchecked", sort: "suspicion" };
    document.addEventListener("fg-page", (event) => event.detail === "review" && this.open());
    document.addEventListener("keydown", (event) => this.onKey(event));
    this.root.addEventListener("click", (event) => {
      const list = event.target.closest("[data-list]")?.dataset.list;
      if (list) this.showList(list);
    });
    new IntersectionObserver((seen) => seen[0].isIntersecting && this.more(), { rootMargin: "600px" }).observe(this.$(".fg-more"));
    this.root.dataset.ready = "true";
    if (isShown("review")) this.open();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  async open() {
    const me = await whoAmI();
    const body = this.$(".fg-review-body");
    const closed = this.$(".fg-review-gate");
    const overview = me.role === "visitor" ? null : await ask(this.server, "review_open", {});
    if (!overview || overview.error) {
      closed.replaceChildren(overview ? h("div", { class: "fg-gate" }, h("p", { class: "fg-error" }, overview.error)) : gate(me, "Look over many pictures at once"));
      [closed.hidden, body.hidden] = [false, true];
      return;
    }
    [closed.hidden, body.hidden] = [true, false];
    this.overview = overview;
    this.root.dataset.state = "ready";
    drawHead(this.$(".fg-review-head"), overview);
    this.names = new Map(overview.kinds.map((kind) => [kind.taxon, kind.name]));
    this.showList(this.list);
    this.load();
  }

  showList(list) {
    this.list = list;
    for (const tab of this.root.querySelectorAll("[data-list]")) tab.setAttribute("aria-selected", String(tab.dataset.list === list));
    const place = this.$(".fg-review-list");
    if (list === "cells") drawCells(place, this.overview, (cell) => this.look({ given: cell.given, suggested: cell.suggested, state: "all", pair: [cell.given, cell.suggested] }));
    else drawKinds(place, this.overview, (kind) => this.look({ given: kind.taxon, suggested: null, state: "all", pair: null }));
  }

  look({ pair, ...change }) {
    Object.assign(this.filter, change);
    this.pair = pair ?? null;
    this.load();
    this.root.scrollIntoView({ block: "start" });
  }

  // --- the grid ----------------------------------------------------------------------------------------

  async load() {
    this.tiles = [];
    this.chosen.clear();
    this.done = false;
    this.drawFilter();
    this.$(".fg-tiles").replaceChildren();
    this.drawBulk();
    const turn = (this.turn = (this.turn ?? 0) + 1);
    await this.more();
    const place = this.$(".fg-pair");
    place.hidden = !this.pair;
    if (!this.pair) return;
    place.replaceChildren(h("p", { class: "fg-quiet" }, "Comparing the two kinds…"));
    const found = await ask(this.server, "review_pair", { a: this.pair[0], b: this.pair[1] });
    if (turn === this.turn) drawPair(place, found, (tile) => this.openHistory(tile));
  }

  async more() {
    if (this.loading || this.done || !this.overview) return;
    this.loading = true;
    const { turn } = this;
    const reply = await ask(this.server, "review_grid", { ...this.filter, offset: this.tiles.length, limit: PAGE });
    this.loading = false;
    if (turn !== this.turn) return this.more();
    if (reply.error) return this.banner(reply.error);
    this.total = reply.total;
    const first = this.tiles.length;
    this.tiles.push(...reply.tiles);
    this.done = !reply.tiles.length || this.tiles.length >= reply.total;
    this.$(".fg-tiles").append(...reply.tiles.map((tile, at) => drawTile(tile, first + at, (event, index) => this.choose(event, index))));
    this.$(".fg-more").textContent = this.total ? (this.done ? "" : "…") : "No picture is like that.";
    this.$(".fg-count").textContent = this.total === 1 ? "1 picture" : `${this.total.toLocaleString("en")} pictures`;
  }

  drawFilter() {
    const select = (name, options) => {
      const field = h("select", { "aria-label": name, onchange: () => ((this.filter[name] = field.value), this.load()) }, ...Object.entries(options).map(([value, text]) => h("option", { value, selected: this.filter[name] === value }, text)));
      return field;
    };
    const chip = (name, words) => (this.filter[name] ? h("button", { type: "button", class: "fg-filter-chip", title: "Show all again", onclick: () => ((this.filter[name] = null), (this.pair = null), this.load()) }, words, h("b", {}, this.nameOf(this.filter[name])), " ×") : "");
    this.$(".fg-review-filter").replaceChildren(chip("given", "labelled "), chip("suggested", "taken for "), select("state", STATES), select("sort", SORTS), h("span", { class: "fg-count fg-quiet fg-num" }), h("a", { class: "fg-link", href: new URL("fgdemo/pictures.csv", document.baseURI), download: "" }, "All as CSV"));
  }

  nameOf(taxon) {
    return this.names.get(taxon) ?? this.tiles.find((tile) => tile.suggested === taxon)?.suggested_name ?? taxon.replaceAll("_", " ");
  }

  choose(event, index) {
    if (event.shiftKey) {
      const [from, to] = [Math.min(this.anchor, index), Math.max(this.anchor, index)];
      for (let at = from; at <= to; at++) this.chosen.add(at);
    } else {
      if (this.chosen.has(index)) this.chosen.delete(index);
      else this.chosen.add(index);
      this.anchor = index;
    }
    this.cursor = index;
    this.drawChosen();
  }

  drawChosen() {
    [...this.$(".fg-tiles").children].forEach((tile, at) => {
      tile.setAttribute("aria-selected", String(this.chosen.has(at)));
      tile.classList.toggle("is-cursor", at === this.cursor);
    });
    this.drawBulk();
  }

  /** The bar that says what a key will do with the chosen pictures. */
  drawBulk() {
    const bar = this.$(".fg-bulk");
    const chosen = [...this.chosen].map((at) => this.tiles[at]);
    bar.hidden = !chosen.length && !this.batches.length;
    const many = chosen.length === 1 ? "1 picture" : `${chosen.length} pictures`;
    const counts = new Map();
    for (const tile of chosen) for (const taxon of [tile.suggested, tile.given]) if (taxon) counts.set(taxon, (counts.get(taxon) ?? 0) + 1);
    this.likely = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5).map(([taxon]) => taxon);
    const button = (key, words, act) => h("button", { type: "button", class: "fg-keybutton", onclick: act }, h("kbd", {}, key), h("span", {}, words));
    const name = (taxon) => chosen.find((tile) => tile.suggested === taxon)?.suggested_name ?? this.nameOf(taxon);
    bar.replaceChildren(
      h("b", {}, chosen.length ? `${many} chosen` : "Nothing chosen"),
      ...(chosen.length
        ? [
            ...this.likely.map((taxon, at) => button(String(at + 1), name(taxon), () => this.relabel("label", taxon))),
            button("G", "All right as given", () => this.confirm()),
            button("/", "Another kind", () => this.openSearch()),
            button("X", "Unusable", () => this.relabel("unusable")),
            button("O", "None of these", () => this.relabel("none")),
            button("H", "History", () => this.openHistory(chosen.at(-1))),
            button("Esc", "Choose none", () => (this.chosen.clear(), this.drawChosen())),
          ]
        : []),
      ...(this.batches.length ? [button("Z", "Undo", () => this.undo())] : []),
    );
  }

  async relabel(kind, taxon = null) {
    const at = [...this.chosen];
    if (!at.length || this.busy) return;
    this.busy = true;
    const key = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16)).join("");
    const reply = await ask(this.server, "review_relabel", { key, kind, taxon, items: at.map((index) => ({ image: this.tiles[index].image, version: this.tiles[index].version })) });
    this.busy = false;
    if (reply.error) return this.banner(reply.code === "stale" ? `${reply.error} Nothing was changed.` : reply.error);
    this.batches.push(reply.batch);
    this.chosen.clear();
    this.take(reply.tiles);
    this.banner(`${reply.tiles.length === 1 ? "1 picture" : `${reply.tiles.length} pictures`} ${kind === "label" ? `labelled ${reply.tiles[0].given_name}` : kind === "none" ? "marked as none of these" : "marked as unusable"}. Saved.`);
  }

  /** Each chosen picture keeps its own label, now checked: one answer a label. */
  async confirm() {
    const groups = new Map();
    for (const at of this.chosen) if (this.tiles[at].given) groups.set(this.tiles[at].given, [...(groups.get(this.tiles[at].given) ?? []), at]);
    for (const [taxon, group] of groups) {
      this.chosen = new Set(group);
      await this.relabel("label", taxon);
    }
  }

  async undo() {
    const batch = this.batches.pop();
    if (!batch) return;
    const reply = await ask(this.server, "review_undo", { batch });
    if (reply.error) this.banner(reply.error);
    else {
      this.take(reply.tiles);
      this.banner(`Taken back: ${reply.tiles.length === 1 ? "1 picture" : `${reply.tiles.length} pictures`}.`);
    }
  }

  /** Draw tiles as they are now. */
  take(now) {
    const place = this.$(".fg-tiles");
    for (const tile of now) {
      const at = this.tiles.findIndex((one) => one.image === tile.image);
      if (at < 0) continue;
      this.tiles[at] = tile;
      place.children[at].replaceWith(drawTile(tile, at, (event, index) => this.choose(event, index)));
    }
    this.drawChosen();
  }

  banner(text) {
    const banner = this.$(".fg-banner");
    banner.textContent = text;
    banner.hidden = !text;
  }

  openSearch() {
    const dialog = this.$("dialog");
    const picker = taxonSearch({
      label: "Kind or group",
      search: (query) => ask(this.server, "label_search", { query }).then((reply) => reply.taxa ?? []),
      onPick: (taxon) => {
        dialog.close();
        this.relabel("label", taxon.taxon);
      },
    });
    dialog.onkeydown = (event) => event.stopPropagation();
    dialog.replaceChildren(h("h2", {}, `What are these ${this.chosen.size}?`), picker, h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Cancel")));
    dialog.showModal();
    picker.field.focus();
  }

  async openHistory(tile) {
    const dialog = this.$("dialog");
    const reply = await ask(this.server, "label_history", { image: tile.image });
    if (reply.error) return this.banner(reply.error);
    const doubt = tile.suspicion === null ? "" : `The model doubts the label by ${percent(tile.suspicion)}; it would say ${tile.suggested_name}.`;
    dialog.onkeydown = (event) => event.stopPropagation();
    dialog.replaceChildren(h("img", { class: "fg-large", src: new URL(tile.src, document.baseURI), alt: tile.given_name }), h("p", {}, doubt), historyList(reply.events), h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button fg-primary", onclick: () => dialog.close() }, "Close")));
    dialog.showModal();
  }

  // --- keys --------------------------------------------------------------------------------------------

  onKey(event) {
    if (!isShown("review") || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    const steps = { arrowright: 1, arrowleft: -1, arrowdown: this.columns(), arrowup: -this.columns() };
    const acts = { g: () => this.confirm(), x: () => this.relabel("unusable"), o: () => this.relabel("none"), z: () => this.undo(), "/": () => this.chosen.size && this.openSearch(), h: () => this.chosen.size && this.openHistory(this.tiles[[...this.chosen].at(-1)]), escape: () => (this.chosen.clear(), this.drawChosen()), a: () => this.chooseAll(), " ": () => this.cursor !== undefined && this.choose({}, this.cursor) };
    if (steps[key] && this.tiles.length) {
      const next = Math.max(0, Math.min(this.tiles.length - 1, (this.cursor ?? -1) + steps[key]));
      if (event.shiftKey) this.choose({ shiftKey: true }, next);
      else this.anchor = this.cursor = next;
      this.drawChosen();
      this.$(".fg-tiles").children[next]?.scrollIntoView({ block: "nearest" });
    } else if (/^[1-5]$/.test(key) && this.likely?.[Number(key) - 1]) this.relabel("label", this.likely[Number(key) - 1]);
    else if (acts[key]) acts[key]();
    else return;
    event.preventDefault();
  }

  chooseAll() {
    this.chosen = new Set(this.tiles.keys());
    this.drawChosen();
  }

  columns() {
    const tiles = [...this.$(".fg-tiles").children];
    const top = tiles[0]?.offsetTop;
    const second = tiles.findIndex((tile) => tile.offsetTop !== top);
    return second > 0 ? second : Math.max(1, tiles.length);
  }
}
