// The Label page: one key a picture. This module holds what is on the screen and what each key does.

import { h, isTyping, percent } from "./dom.js";
import { partLabels, partsLayer, signedLayer } from "./layers.js";
import { ACTIONS, openKeys, readKeys, storeKeys } from "./label_keys.js";
import { LabelQueue, ask } from "./label_queue.js";
import { accuracySentence, drawBars, drawChoices, drawKeys, drawPlan, drawReferences, drawStanding, drawWhy, offered } from "./label_views.js";
import { difference, strongest } from "./maps.js";
import { gate, isShown, whoAmI } from "./nav.js";
import { taxonSearch } from "./taxon_search.js";
import { Viewer } from "./viewer.js";

const REST_MS = 250; // an item must rest this long before the slow questions are asked about it
const TAP_MS = 300; // a shorter press of "why" leaves it on
const REPORT_EVERY = 5;
const WAIT_MS = 3000;
const PROGRESS_MS = 1000;

export function mount(element, { server }) {
  return new LabelPage(element.querySelector(".fg-label"), server);
}

class LabelPage {
  constructor(root, server) {
    Object.assign(this, { root, server, item: null, report: null, view: null, explanation: null, comment: "", keys: readKeys() });
    this.queue = new LabelQueue(server, {
      onItems: (reply) => this.onItems(reply),
      onSaving: () => this.showStanding(),
      onRefused: (answer, reply) => this.onRefused(answer, reply),
    });
    this.viewer = new Viewer(this.$(".fg-stage"));
    this.viewer.setOpacity(0.8);
    document.addEventListener("fg-page", (event) => event.detail === "label" && this.open());
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("keyup", (event) => this.onKeyUp(event));
    this.root.dataset.ready = "true";
    if (isShown("label")) this.open();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  show(state) {
    this.root.dataset.state = state;
    for (const [name, selector] of Object.entries({ gate: ".fg-label-gate", plan: ".fg-plan", sitting: ".fg-sitting", finished: ".fg-finished" })) this.$(selector).hidden = name !== state;
  }

  async open() {
    if (this.opened) return;
    const me = await whoAmI();
    if (me.role === "visitor") {
      this.$(".fg-label-gate").replaceChildren(gate(me, "Put labels right, one key a picture"));
      this.show("gate");
      return;
    }
    this.opened = true;
    const reply = await ask(this.server, "label_open", {});
    if (reply.error) {
      this.opened = false;
      this.$(".fg-label-gate").replaceChildren(h("div", { class: "fg-gate" }, h("p", { class: "fg-error" }, reply.error)));
      this.show("gate");
    } else if (reply.starting) this.await(reply.starting);
    else if (reply.session) this.begin(reply.session);
    else this.plan(reply);
  }

  /** The model still learns from the workspace: say how far it is, and ask again. */
  await({ done, of }) {
    const place = this.$(".fg-label-gate");
    if (!place.querySelector("progress")) place.replaceChildren(h("div", { class: "fg-gate" }, h("h1", {}, "One moment"), h("p", { class: "fg-quiet", role: "status" }), h("progress", { class: "fg-progress", "aria-label": "Learning from the workspace" })));
    place.querySelector("p").textContent = done ? `The model is learning from the pictures of the workspace: ${percent(done / of)}` : "Reading the workspace…";
    if (done) Object.assign(place.querySelector("progress"), { max: of, value: done });
    this.show("gate");
    this.opened = false;
    setTimeout(() => isShown("label") && this.open(), PROGRESS_MS);
  }

  plan(reply) {
    drawPlan(this.$(".fg-plan"), reply, async (plan) => {
      const started = await ask(this.server, "label_start", plan);
      if (started.error) this.$(".fg-plan").append(h("p", { class: "fg-error", role: "alert" }, started.error));
      else this.begin(started.session);
    });
    this.show("plan");
  }

  begin(report) {
    this.report = report;
    this.queue.begin(report.id, report.done);
    drawKeys(this.$(".fg-label-keys"), this.keys, (action) => this.act(action, true));
    this.show("sitting");
    this.showStanding();
    this.next();
  }

  // --- one item after another --------------------------------------------------------------------------

  next() {
    const item = this.queue.take();
    this.comment = "";
    this.closeField();
    if (!item) return this.showWaiting();
    this.showItem(item);
  }

  showItem(item) {
    this.item = item;
    if (item.notice) this.banner(item.notice);
    this.shownAt = performance.now();
    this.explanation = this.view = null;
    clearTimeout(this.later);
    clearTimeout(this.waiting);
    this.viewer.setLayer(null);
    this.$(".fg-stage-note").hidden = true;
    this.root.dataset.image = item.image;
    if (item.picture.complete && item.picture.naturalWidth) this.viewer.showPicture(item.picture);
    else item.painted.then((whole) => this.item === item && (whole ? this.viewer.showPicture(item.picture) : this.note("The picture cannot be shown. Press X if it is unusable.")));
    this.$("canvas").setAttribute("aria-label", item.sentence);
    drawWhy(this.root, item);
    drawChoices(this.$(".fg-choices"), item, (choice) => this.answer("label", choice.taxon));
    this.$(".fg-refs").replaceChildren();
    drawBars(this.$(".fg-item-bars"), null);
    this.later = setTimeout(() => this.study(), REST_MS);
  }

  showWaiting() {
    this.item = null;
    this.viewer.clear();
    this.root.dataset.image = "";
    this.$(".fg-choices").replaceChildren();
    this.$(".fg-refs").replaceChildren();
    this.$(".fg-given").replaceChildren();
    drawBars(this.$(".fg-item-bars"), null);
    this.$(".fg-reason").textContent = "Looking for the next picture…";
  }

  onItems(reply) {
    if (reply.error) this.banner(reply.error);
    if (this.item || this.root.dataset.state !== "sitting") return;
    if (this.queue.items.length) return this.next();
    this.refreshReport().then(() => {
      if (this.item) return;
      if (this.report.left === 0 && !reply.waiting) return this.finish();
      this.$(".fg-reason").textContent = "Others are looking at the pictures that are left, or new ones are being ranked.";
      this.waiting = setTimeout(() => this.queue.fill(null), WAIT_MS);
    });
  }

  /** References and maps, when the item has rested. */
  async study() {
    const { item } = this;
    if (!item?.choices.length) return;
    await this.explain();
    if (this.item !== item || !this.explanation) return;
    const { asked, rival } = this.explanation;
    const found = await ask(this.server, "label_references", { image: item.image, a: asked, b: rival });
    const name = (taxon) => this.explanation?.candidates.find((one) => one.taxon === taxon);
    if (this.item === item && !found.error) drawReferences(this.$(".fg-refs"), found, [name(asked), name(rival)]);
  }

  /** A is the likeliest kind, B the given label where that differs. */
  explain() {
    const { item } = this;
    if (this.explaining?.item === item) return this.explaining.done;
    const [a, second] = item.choices;
    const b = item.given && item.given.taxon !== a.taxon && item.choices.some((one) => one.taxon === item.given.taxon) ? item.given.taxon : (second?.taxon ?? null);
    const done = ask(this.server, "label_explain", { image: item.image, a: a.taxon, b }).then((reply) => {
      if (this.item !== item || reply.error) return;
      this.explanation = reply;
      drawBars(this.$(".fg-item-bars"), reply);
      this.showMap();
    });
    this.explaining = { item, done };
    return done;
  }

  showMap() {
    const { explanation } = this;
    if (!this.view || !explanation) return this.viewer.setLayer(null);
    const find = (taxon) => explanation.candidates.find((one) => one.taxon === taxon);
    const [a, b] = [find(explanation.asked), find(explanation.rival)];
    if (this.view === "parts") {
      this.viewer.setLayer(partsLayer(explanation.parts, explanation.grid, this.viewer.aspect), partLabels(explanation.parts, explanation.grid));
      this.note("Parts");
    } else {
      const values = difference(a, b);
      this.viewer.setLayer(signedLayer(values, explanation.grid, this.viewer.aspect, { positive: "a", negative: "b", peak: strongest(values).peak }));
      this.note(`Blue speaks for ${a.name}, orange for ${b.name}`);
    }
  }

  note(text) {
    const note = this.$(".fg-stage-note");
    note.textContent = text;
    note.hidden = !text;
  }

  /** A sentence over the picture, for some seconds or for as long as it `stays` true. */
  banner(text, stays = false) {
    const banner = this.$(".fg-banner");
    banner.textContent = text;
    banner.hidden = !text;
    clearTimeout(this.bannerTimer);
    if (text && !stays) this.bannerTimer = setTimeout(() => (banner.hidden = true), 8000);
  }

  // --- answering ---------------------------------------------------------------------------------------

  answer(kind, taxon = null) {
    const { item } = this;
    if (!item) return;
    const isLabel = kind === "label" && this.report.order === "adjudication" && item.reason === "adjudication";
    this.queue.send({
      session: this.report.id,
      key: newKey(),
      image: item.image,
      shown_version: item.version,
      kind: isLabel ? "adjudication" : kind,
      taxon,
      comment: this.comment || null,
      seconds: (performance.now() - this.shownAt) / 1000,
      reason: item.reason,
      blind: item.blind,
    });
    this.report = { ...this.report, left: Math.max(0, this.report.left - (kind === "skip" || kind === "unsure" ? 0 : 1)) };
    if (this.queue.done % REPORT_EVERY === 0) this.refreshReport();
    this.showStanding();
    if (this.report.goal && this.queue.done === this.report.goal) this.banner(`Goal reached: ${this.report.goal} pictures. Go on as long as you like.`);
    this.next();
  }

  onRefused(answer, reply) {
    if (!reply.stale) this.banner(reply.error ?? "The answer was not kept.");
    if (!reply.stale) return;
    // It comes next: a picture changed under the fingers would get the answer meant for the one before it.
    this.queue.putBack({ ...reply.stale, notice: reply.error });
    if (!this.item) this.next();
  }

  /** Keys pressed until the picture is back are meant for that picture: they wait. */
  async undo() {
    if (this.queue.offline) return this.banner("Answers still wait to be saved. They can be taken back after that.");
    this.undoing = this.takeBack();
    await this.undoing;
  }

  async takeBack() {
    const reply = await this.queue.undo();
    this.undoing = null;
    if (reply.error) return this.banner(reply.error);
    if (reply.nothing) return this.banner("There is nothing to take back in this session.");
    if (this.item) this.queue.items.unshift(this.item);
    this.queue.putBack(reply.item);
    this.next();
    this.note(`Taken back: ${reply.undone.name ?? reply.undone.kind}`);
    this.refreshReport();
  }

  async refreshReport() {
    await this.queue.sending;
    const reply = await ask(this.server, "label_report", { session: this.report.id });
    if (!reply.error) this.report = reply.session;
    this.showStanding();
  }

  showStanding() {
    if (this.report) drawStanding(this.$(".fg-standing"), this.report, this.queue, () => this.finish());
    this.root.dataset.unsaved = String(this.queue.unsaved.length);
    const { problem } = this.queue;
    if (problem) this.banner(problem, true);
    else if (this.problem) this.banner("Saved again.");
    this.problem = problem;
  }

  async finish() {
    await this.queue.sending;
    const reply = await ask(this.server, "label_close", { session: this.report.id });
    const report = reply.session ?? this.report;
    this.queue.begin(null, 0);
    this.item = null;
    const again = async () => {
      this.opened = false;
      await this.open();
    };
    this.$(".fg-finished").replaceChildren(
      h("h1", {}, report.done === 1 ? "One picture done" : `${report.done} pictures done`),
      ...[accuracySentence(report), report.sentence].filter(Boolean).map((text) => h("p", {}, text)),
      h("p", { class: "fg-quiet" }, "Every answer is saved."),
      h("p", { class: "fg-row-actions" }, h("button", { type: "button", class: "fg-button fg-primary", onclick: again }, "Another session"), h("a", { class: "fg-button", href: "#review" }, "Review")),
    );
    this.show("finished");
  }

  // --- keys --------------------------------------------------------------------------------------------

  onKey(event) {
    if (!isShown("label") || this.root.dataset.state !== "sitting" || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = Object.keys(this.keys).find((one) => this.keys[one] === key);
    if (!action && !/^[0-9]$/.test(key)) return;
    if ((key === "Enter" || key === " ") && isReachedByTab(event.target)) return;
    event.preventDefault(); // also keeps Enter and Space from pressing the button that has the focus
    if (!event.repeat) this.press(key, action);
  }

  press(key, action) {
    if (this.undoing) return this.undoing.then(() => this.press(key, action));
    if (action) return this.act(action, false);
    if (key === "0") return this.act("none", false);
    const choice = this.item && offered(this.item)[Number(key) - 1];
    if (choice) this.answer("label", choice.taxon);
    return undefined;
  }

  onKeyUp(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key !== this.keys.explain || !this.heldSince) return;
    if (performance.now() - this.heldSince > TAP_MS) this.setView(null);
    this.heldSince = null;
  }

  setView(view) {
    this.view = view;
    if (!view) this.note("");
    if (view && !this.explanation && this.item?.choices.length) this.explain();
    this.showMap();
  }

  act(action, byTouch) {
    const { item } = this;
    const actions = {
      accept: () => item?.choices.length && this.answer("label", item.choices[0].taxon),
      keep: () => item?.given && this.answer("label", item.given.taxon),
      unsure: () => this.answer("unsure"),
      skip: () => this.answer("skip"),
      unusable: () => this.answer("unusable"),
      none: () => this.answer("none"),
      search: () => this.openSearch(),
      create: () => this.openNewKind(),
      comment: () => this.openComment(),
      undo: () => this.undo(),
      explain: () => {
        this.heldSince = byTouch ? null : performance.now();
        this.setView(this.view ? null : "contrast");
      },
      view: () => this.setView(this.view === "contrast" ? "parts" : "contrast"),
      history: () => this.openHistory(),
      help: () => openKeys(this.$("dialog"), this.keys, (keys) => this.changeKeys(keys)),
    };
    actions[action]?.();
  }

  changeKeys(keys) {
    this.keys = storeKeys(keys);
    drawKeys(this.$(".fg-label-keys"), this.keys, (action) => this.act(action, true));
    return this.keys;
  }

  search(query) {
    return ask(this.server, "label_search", { query }).then((reply) => reply.taxa ?? []);
  }

  closeField() {
    for (const selector of [".fg-find", ".fg-comment"]) {
      const field = this.$(selector);
      if (field.hidden) continue;
      field.hidden = true;
      field.replaceChildren();
    }
    if (this.root.contains(document.activeElement)) document.activeElement.blur();
  }

  openSearch() {
    if (!this.item) return;
    const place = this.$(".fg-find");
    const picker = taxonSearch({ label: "Kind or group", search: (query) => this.search(query), onPick: (taxon) => this.answer("label", taxon.taxon) });
    picker.field.addEventListener("keydown", (event) => event.key === "Escape" && this.closeField());
    place.replaceChildren(picker);
    place.hidden = false;
    picker.field.focus();
  }

  openComment() {
    if (!this.item) return;
    const place = this.$(".fg-comment");
    const field = h("textarea", { rows: 2, maxlength: 2000, placeholder: "Comment, kept with your answer. Esc when done.", "aria-label": "Comment" });
    field.value = this.comment;
    field.addEventListener("input", () => (this.comment = field.value.trim()));
    field.addEventListener("keydown", (event) => event.key === "Escape" && field.blur());
    place.replaceChildren(field);
    place.hidden = false;
    field.focus();
  }

  openNewKind() {
    const { item } = this;
    if (!item) return;
    const dialog = this.$("dialog");
    let parent = null;
    const name = h("input", { type: "text", id: "fg-kind", maxlength: 120, required: true });
    const latin = h("input", { type: "text", id: "fg-latin", maxlength: 120, class: "fg-latin-field" });
    const message = h("p", { class: "fg-form-message", role: "alert" });
    const group = taxonSearch({ label: "Group it belongs to (may be left empty)", search: async (query) => (await this.search(query)).filter((taxon) => !taxon.is_leaf), onPick: (taxon) => (parent = taxon.taxon), onText: () => (parent = null) });
    const submit = async (event) => {
      event.preventDefault();
      const reply = await ask(this.server, "label_new_taxon", { name: name.value, latin: latin.value || null, parent });
      if (reply.error) return (message.textContent = reply.error);
      dialog.close();
      return this.item === item ? this.answer("label", reply.taxon.taxon) : this.banner("The kind is there now; the picture had changed meanwhile.");
    };
    dialog.onkeydown = (event) => event.stopPropagation();
    dialog.replaceChildren(
      h("form", { onsubmit: submit }, h("h2", {}, "A new kind"), h("label", { for: "fg-kind" }, "Name"), name, h("label", { for: "fg-latin" }, "Latin name"), latin, group, message, h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Cancel"), h("button", { type: "submit", class: "fg-button fg-primary" }, "Make it, and label this picture so"))),
    );
    dialog.showModal();
    name.focus();
  }

  async openHistory() {
    if (!this.item) return;
    const dialog = this.$("dialog");
    const reply = await ask(this.server, "label_history", { image: this.item.image });
    if (reply.error) return this.banner(reply.error);
    const events = this.item.blind ? [] : reply.events;
    dialog.onkeydown = (event) => event.stopPropagation();
    dialog.replaceChildren(historyList(events, this.item.blind), h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button fg-primary", onclick: () => dialog.close() }, "Close")));
    dialog.showModal();
  }
}

/** Whether the focus was brought to a button by keys, so that Enter and Space mean that button. */
function isReachedByTab(target) {
  return target.matches?.("a:focus-visible, button:focus-visible") ?? false;
}

/** A picture's events, newest first. */
export function historyList(events, blind = false) {
  const undone = new Set(events.map((event) => event.undoes));
  const rows = events
    .filter((event) => event.kind !== "undo")
    .reverse()
    .map((event) => h("li", { class: undone.has(event.id) ? "is-undone" : null }, h("b", {}, event.name ?? { import: "no label", ...ACTION_WORDS }[event.kind] ?? event.kind), h("span", { class: "fg-quiet" }, ` ${event.kind === "import" ? "came with the picture" : event.annotator}, ${new Date(event.when).toLocaleString()}${undone.has(event.id) ? ", taken back" : ""}`), event.comment ? h("p", {}, `“${event.comment}”`) : null));
  return h("div", { class: "fg-history" }, h("h2", {}, "What was said about this picture"), blind ? h("p", { class: "fg-quiet" }, "Hidden until you have given your opinion.") : h("ol", {}, ...rows));
}

const ACTION_WORDS = Object.fromEntries(["unsure", "skip", "unusable", "none"].map((kind) => [kind, ACTIONS[kind][2].toLowerCase()]));

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
