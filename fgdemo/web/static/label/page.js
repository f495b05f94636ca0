// The Label page: one key a picture. This module holds what is on the screen and what each key does.

import { ask, keepAsking } from "../shared/client.js";
import { focusedIn, h, isTyping } from "../shared/dom.js";
import { digitOf } from "../shared/keyboard.js";
import { iso } from "../shared/names.js";
import { gate, isShown, whoAmI } from "../head/nav.js";
import { taxonSearch } from "../shared/taxon_search.js";
import { openHistory, openNewKind } from "./dialogs.js";
import { actionOf, isChosen, openKeys, readKeys, storeKeys } from "./keys.js";
import { LabelQueue } from "./queue.js";
import { Study } from "./study.js";
import { accuracySentence, drawChoices, drawKeys, drawPlan, drawReading, drawStanding, drawWhy, offered } from "./views.js";

const TAP_MS = 300; // a shorter press of "why" leaves it on
const REPORT_EVERY = 5;
const WAIT_MS = 3000;
const READING_MS = 1500;

export { historyList } from "./dialogs.js";

export function mount(element) {
  return new LabelPage(element.querySelector(".fg-label"));
}

class LabelPage {
  constructor(root) {
    this.root = root;
    /** @type {any} */
    this.item = null;
    /** @type {any} */
    this.report = null;
    this.turn = 0;
    this.shownAt = 0;
    this.comment = "";
    this.keys = readKeys();
    this.queue = new LabelQueue({
      onItems: (reply) => this.onItems(reply),
      onSaving: () => this.showStanding(),
      onRefused: (answer, reply) => this.onRefused(answer, reply),
    });
    this.study = new Study(root);
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
    for (const [name, selector] of Object.entries({
      gate: ".fg-label-gate",
      plan: ".fg-plan",
      sitting: ".fg-sitting",
      finished: ".fg-finished",
    }))
      this.$(selector).hidden = name !== state;
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
    await this.queue.resume(me.name);
    const reply = await keepAsking("label_open", {}, { isWanted: () => isShown("label") });
    if (reply.error) {
      this.opened = false;
      this.$(".fg-label-gate").replaceChildren(h("div", { class: "fg-gate" }, h("p", { class: "fg-error" }, reply.error)));
      this.show("gate");
    } else if (reply.starting) this.wait(reply.starting);
    else if (reply.session) this.begin(reply.session);
    else this.plan(reply);
  }

  /** There is no order to ask in yet: say how far the model is, and ask again. */
  wait(starting) {
    drawReading(this.$(".fg-plan"), starting);
    this.show("plan");
    this.opened = false;
    setTimeout(() => isShown("label") && this.open(), READING_MS);
  }

  openAgain() {
    this.opened = false;
    return this.open();
  }

  plan(reply) {
    const message = h("p", { class: "fg-form-message", role: "alert" });
    drawPlan(this.$(".fg-plan"), reply, async (plan) => {
      const started = await ask("label_start", plan);
      // A session that was begun although its answer was lost is found by asking.
      if (started.lost) return this.openAgain();
      if (started.error) return message.replaceChildren(started.error);
      return this.begin(started.session);
    });
    this.$(".fg-plan").append(message);
    this.show("plan");
  }

  begin(report) {
    this.takeReport(report);
    this.turn = 0;
    this.queue.begin(report.id, report.done);
    drawKeys(this.$(".fg-label-keys"), this.keys, (action) => this.act(action, true));
    this.show("sitting");
    this.showStanding();
    if (this.refused) this.banner(`An answer from before could not be kept. ${this.refused}`);
    this.refused = "";
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
    clearTimeout(this.waiting);
    this.root.dataset.image = item.image;
    this.study.show(item);
    drawWhy(this.root, item);
    this.$('[data-action="keep"]').ariaDisabled = String(!item.given); // pressed all the same, it says why
    drawChoices(this.$(".fg-choices"), item, (choice) => this.answer("label", choice.taxon));
  }

  showWaiting() {
    this.item = null;
    this.study.clear();
    this.root.dataset.image = "";
    this.$(".fg-choices").replaceChildren();
    this.$(".fg-given").replaceChildren();
    this.$(".fg-reason").textContent = "Looking for the next picture…";
  }

  onItems(reply) {
    if (reply.error) return this.banner(reply.error, !this.item);
    if (this.item || this.root.dataset.state !== "sitting") return;
    if (this.queue.items.length) return this.next();
    return this.refreshReport().then(() => {
      if (this.item) return undefined;
      if (this.report.left === 0 && !reply.waiting) return this.finish();
      this.$(".fg-reason").textContent = "Others are looking at the pictures that are left, or new ones are being ranked.";
      this.waiting = setTimeout(() => this.queue.fill(null), WAIT_MS);
      return undefined;
    });
  }

  /** A sentence over the picture, for some seconds or for as long as it `stays` true, with what to do about it. */
  banner(text, stays = false, action = "") {
    const banner = this.$(".fg-banner");
    banner.replaceChildren(text, " ", action);
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
    const isFromElsewhere = ["second", "audit"].includes(item.reason) && !["gold", "audit"].includes(this.report.order);
    if (!isFromElsewhere && !["skip", "unsure"].includes(kind) && this.report.left !== null)
      this.report = { ...this.report, left: Math.max(0, this.report.left - 1) };
    if (this.queue.done % REPORT_EVERY === 0) this.refreshReport();
    this.showStanding();
    if (this.report.goal && this.queue.done === this.report.goal)
      this.banner(`Goal reached: ${this.report.goal} pictures. Go on as long as you like.`);
    this.next();
  }

  onRefused(answer, reply) {
    if (answer.session !== this.queue.session) {
      this.refused = reply.error;
      return;
    }
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
    if (reply.lost) this.refreshReport();
    if (reply.error) return this.banner(reply.lost ? `${reply.error} See by how many are done whether it was taken back.` : reply.error);
    if (reply.nothing) return this.banner("There is nothing to take back in this session.");
    if (this.item) this.queue.items.unshift(this.item);
    this.queue.putBack(reply.item);
    this.next();
    this.study.note(`Taken back: ${iso(reply.undone.name ?? reply.undone.kind)}`);
    this.refreshReport();
  }

  async refreshReport() {
    await this.queue.sending;
    const turn = ++this.turn;
    const reply = await ask("label_report", { session: this.report.id });
    if (!reply.error && turn === this.turn) {
      this.takeReport(reply.session);
      if (!this.queue.unsaved.length) this.queue.confirmed = reply.session.done;
    }
    this.showStanding();
  }

  /** While the server still reads the workspace it does not know how many are left: what was known before stays. */
  takeReport(report) {
    clearTimeout(this.learning);
    if (report.left === null) this.learning = setTimeout(() => isShown("label") && this.refreshReport(), READING_MS);
    const known = this.report?.id === report.id ? this.report.left : null;
    this.report = { ...report, left: report.left ?? known };
  }

  showStanding() {
    if (this.report) drawStanding(this.$(".fg-standing"), this.report, this.queue, () => this.finish());
    this.root.dataset.unsaved = String(this.queue.unsaved.length);
    const { problem } = this.queue;
    const again = h("button", { type: "button", class: "fg-link", onclick: () => document.dispatchEvent(new Event("fg-try")) }, "Try now");
    if (problem) this.banner(problem, true, again);
    else if (this.problem) this.banner("Saved again.");
    this.problem = problem;
  }

  async finish() {
    await this.queue.sending;
    const reply = await keepAsking("label_close", { session: this.report.id });
    if (reply.error) return this.banner(reply.error);
    const report = reply.session;
    this.queue.begin(null, 0);
    this.item = null;
    this.$(".fg-finished").replaceChildren(
      h("h1", {}, report.done === 1 ? "One picture done" : `${report.done} pictures done`),
      ...[accuracySentence(report), report.sentence].filter(Boolean).map((text) => h("p", {}, text)),
      h("p", { class: "fg-quiet" }, "Every answer is saved."),
      h(
        "p",
        { class: "fg-row-actions" },
        h("button", { type: "button", class: "fg-button fg-primary", onclick: () => this.openAgain() }, "Another session"),
        h("a", { class: "fg-button", href: "#review" }, "Review"),
      ),
    );
    return this.show("finished");
  }

  // --- keys --------------------------------------------------------------------------------------------

  onKey(event) {
    if (!isShown("label") || this.root.dataset.state !== "sitting" || isTyping(event) || document.querySelector("dialog[open]")) return;
    const action = actionOf(event, this.keys);
    const number = digitOf(event);
    if (!action && !number) return;
    if (["Enter", " "].includes(event.key) && isReachedByTab(event.target)) return;
    event.preventDefault(); // also keeps Enter and Space from pressing the button that has the focus
    if (action === "explain") this.held = event.code;
    this.press(isChosen(action, this.keys) ? null : number, action);
  }

  /** A number comes before what its key writes besides, as "/" on a Thai keyboard. */
  press(number, action) {
    if (this.undoing) return this.undoing.then(() => this.press(number, action));
    const choice = number && this.item && offered(this.item)[number - 1];
    if (choice) return this.answer("label", choice.taxon);
    if (action) return this.act(action, false);
    return this.item && this.banner(`No kind has the number ${number} here. Press / to search all of them.`);
  }

  onKeyUp(event) {
    if (event.code !== this.held || !this.heldSince) return;
    if (performance.now() - this.heldSince > TAP_MS) this.study.setView(null);
    this.heldSince = this.held = null;
  }

  act(action, byTouch) {
    const { item } = this;
    const actions = {
      accept: () =>
        item?.choices.length
          ? this.answer("label", item.choices[0].taxon)
          : this.nothingTo("The model has not looked at this picture yet, so there is no likeliest kind to accept."),
      keep: () =>
        item?.given
          ? this.answer("label", item.given.taxon)
          : this.nothingTo(
              item?.blind
                ? "This is a second opinion: what others said is hidden, so say what it is."
                : "This picture has no label yet that could be right.",
            ),
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
        this.study.setView(this.study.view ? null : "contrast");
      },
      view: () => this.study.setView(this.study.view === "contrast" ? "parts" : "contrast"),
      history: () => this.openHistory(),
      help: () => openKeys(this.$("dialog"), this.keys, (keys) => this.changeKeys(keys)),
    };
    actions[action]?.();
  }

  nothingTo(sentence) {
    if (this.item) this.banner(`${sentence} Press a number, or / to search.`);
  }

  changeKeys(keys) {
    this.keys = storeKeys(keys);
    drawKeys(this.$(".fg-label-keys"), this.keys, (action) => this.act(action, true));
    return this.keys;
  }

  search(query) {
    return ask("label_search", { query });
  }

  closeField() {
    for (const selector of [".fg-find", ".fg-comment"]) {
      const field = this.$(selector);
      if (field.hidden) continue;
      field.hidden = true;
      field.replaceChildren();
    }
    focusedIn(this.root)?.blur();
  }

  openSearch() {
    if (!this.item) return;
    const place = this.$(".fg-find");
    const picker = taxonSearch({
      label: "Kind or group",
      search: (query) => this.search(query),
      onPick: (taxon) => this.answer("label", taxon.taxon),
    });
    picker.field.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && this.closeField());
    place.replaceChildren(picker);
    place.hidden = false;
    picker.field.focus();
  }

  openComment() {
    if (!this.item) return;
    const place = this.$(".fg-comment");
    const field = h("textarea", {
      rows: 2,
      maxlength: 2000,
      placeholder: "Comment, kept with your answer. Esc when done.",
      "aria-label": "Comment",
    });
    field.value = this.comment;
    field.addEventListener("input", () => (this.comment = field.value.trim()));
    field.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && field.blur());
    place.replaceChildren(field);
    place.hidden = false;
    field.focus();
  }

  openNewKind() {
    const { item } = this;
    if (!item) return;
    openNewKind(this.$("dialog"), {
      search: (query) => this.search(query),
      make: (kind) => ask("label_new_taxon", kind),
      onMade: (taxon) =>
        this.item === item ? this.answer("label", taxon.taxon) : this.banner("The kind is there now; the picture had changed meanwhile."),
    });
  }

  async openHistory() {
    const { item } = this;
    if (!item) return;
    if (item.blind) return openHistory(this.$("dialog"), [], true);
    const reply = await ask("label_history", { image: item.image });
    if (reply.error) return this.banner(reply.error);
    openHistory(this.$("dialog"), reply.events, false);
  }
}

/** Whether the focus was brought to a button by keys, so that Enter and Space mean that button. */
function isReachedByTab(target) {
  return target.matches?.("a:focus-visible, button:focus-visible") ?? false;
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
