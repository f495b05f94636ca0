// The Label page: one key a picture. This module holds what is on the screen and what each key does.

import { ask, keepAsking, newKey } from "../shared/client.js";
import { h, isTyping } from "../shared/dom.js";
import { digitOf } from "../shared/keyboard.js";
import { iso } from "../shared/names.js";
import { gate, isShown, whoAmI } from "../head/nav.js";
import { Fields } from "./fields.js";
import { actionOf, isChosen, isReachedByTab, openKeys, readKeys, storeKeys } from "./keys.js";
import { LabelQueue } from "./queue.js";
import { drawFinished } from "./report.js";
import { Standing } from "./standing.js";
import { Study } from "./study.js";
import { drawChoices, drawNothing, drawKeys, drawPlan, drawReading, drawWhy, offered } from "./views.js";

const REPORT_EVERY = 5;
const WAIT_MS = 3000;
const READING_MS = 1500;
const HIDDEN = "This is a second opinion: what others said is hidden, so say what it is.";
const NO_LABEL = "This picture has no label yet that could be right.";
const PLACES = { gate: ".fg-label-gate", plan: ".fg-plan", sitting: ".fg-sitting", finished: ".fg-finished" };

export function mount(element) {
  return new LabelPage(element.querySelector(".fg-label"));
}

class LabelPage {
  constructor(root) {
    this.root = root;
    /** @type {any} */
    this.item = null;
    this.shownAt = 0;
    this.keys = readKeys();
    this.queue = new LabelQueue({
      onItems: (reply) => this.onItems(reply),
      onSaving: () => this.standing.show(),
      onRefused: (answer, reply) => this.onRefused(answer, reply),
    });
    this.standing = new Standing(root, this.queue, () => this.finish());
    this.banner = (text, stays = false) => this.standing.say(text, stays);
    this.fields = new Fields(root, {
      onTaxon: (taxon) => this.answer("label", taxon),
      onSay: (sentence) => this.banner(sentence),
    });
    this.study = new Study(root);
    document.addEventListener("fg-page", (event) => event.detail === "label" && this.open());
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("keyup", (event) => this.study.release(event.code));
    this.root.dataset.ready = "true";
    if (isShown("label")) this.open();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  show(state) {
    this.root.dataset.state = state;
    for (const [name, selector] of Object.entries(PLACES)) this.$(selector).hidden = name !== state;
  }

  /** Why the page cannot be used. */
  shut(why) {
    this.$(".fg-label-gate").replaceChildren(why);
    this.show("gate");
  }

  async open() {
    if (this.opened) return;
    const me = await whoAmI();
    if (me.role === "visitor") return this.shut(gate(me, "Put labels right, one key a picture"));
    this.opened = true;
    await this.queue.resume(me.name);
    const reply = await keepAsking("label_open", {}, { isWanted: () => isShown("label") });
    if (reply.error) {
      this.opened = false;
      return this.shut(h("div", { class: "fg-gate" }, h("p", { class: "fg-error" }, reply.error)));
    }
    if (reply.starting) return this.wait(reply.starting);
    return reply.session ? this.begin(reply.session) : this.plan(reply);
  }

  /** There is no order to ask in yet: say how far the model is, and ask again. */
  wait(starting) {
    drawReading(this.$(".fg-plan"), starting);
    this.show("plan");
    this.askAgain();
  }

  askAgain() {
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
    if (reply.works.every((work) => work.left === 0)) this.askAgain(); // pictures may have come in just now
  }

  begin(report) {
    this.standing.turn = 0;
    this.standing.take(report);
    this.queue.begin(report.id, report.done);
    drawKeys(this.$(".fg-label-keys"), this.keys, (action) => this.act(action, true));
    this.show("sitting");
    this.standing.show();
    if (this.refused) this.banner(`An answer from before could not be kept. ${this.refused}`);
    this.refused = "";
    this.next();
  }

  // --- one item after another --------------------------------------------------------------------------

  next() {
    const item = this.queue.take();
    this.fields.begin(item);
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
    drawNothing(this.root);
  }

  onItems(reply) {
    if (reply.error) return this.banner(reply.error, !this.item);
    if (this.item || this.root.dataset.state !== "sitting") return;
    if (this.queue.items.length) return this.next();
    return this.standing.refresh().then(() => {
      if (this.item) return undefined;
      if (this.standing.report.left === 0 && !reply.waiting) return this.finish();
      this.$(".fg-reason").textContent = "Others are looking at the pictures that are left, or new ones are being ranked.";
      this.waiting = setTimeout(() => this.queue.fill(null), WAIT_MS);
      return undefined;
    });
  }

  // --- answering ---------------------------------------------------------------------------------------

  /** @param {string} kind @param {string | null} [taxon] */
  answer(kind, taxon = null) {
    const { item, standing } = this;
    const { report } = standing;
    if (!item) return;
    const isLabel = kind === "label" && report.order === "adjudication" && item.reason === "adjudication";
    this.queue.send({
      session: report.id,
      key: newKey(),
      image: item.image,
      shown_version: item.version,
      kind: isLabel ? "adjudication" : kind,
      taxon,
      comment: this.fields.comment || null,
      seconds: (performance.now() - this.shownAt) / 1000,
      reason: item.reason,
      blind: item.blind,
    });
    const isFromElsewhere = ["second", "audit"].includes(item.reason) && !["gold", "audit"].includes(report.order);
    if (!isFromElsewhere && !["skip", "unsure"].includes(kind)) standing.countDown();
    if (this.queue.done % REPORT_EVERY === 0) standing.refresh();
    standing.show();
    if (report.goal && this.queue.done === report.goal) this.banner(`Goal reached: ${report.goal} pictures. Go on as long as you like.`);
    this.next();
  }

  onRefused(answer, reply) {
    if (answer.session !== this.queue.session) {
      this.refused = reply.error;
      return;
    }
    if (!reply.stale) return this.banner(reply.error ?? "The answer was not kept.");
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
    if (reply.lost) this.standing.refresh();
    if (reply.error) return this.banner(reply.lost ? `${reply.error} See by how many are done whether it was taken back.` : reply.error);
    if (reply.nothing) return this.banner("There is nothing to take back in this session.");
    if (this.item) this.queue.items.unshift(this.item);
    this.queue.putBack(reply.item);
    this.next();
    this.study.note(`Taken back: ${iso(reply.undone.name ?? reply.undone.kind)}`);
    this.standing.refresh();
  }

  async finish() {
    await this.queue.sending;
    const reply = await keepAsking("label_close", { session: this.standing.report.id });
    if (reply.error) return this.banner(reply.error);
    this.queue.begin(null, 0);
    this.item = null;
    drawFinished(this.$(".fg-finished"), reply.session, () => this.openAgain());
    return this.show("finished");
  }

  // --- keys --------------------------------------------------------------------------------------------

  onKey(event) {
    if (!isShown("label") || this.root.dataset.state !== "sitting" || isTyping(event) || document.querySelector("dialog[open]")) return;
    const [action, number] = [actionOf(event, this.keys), digitOf(event)];
    if (!action && !number) return;
    if (["Enter", " "].includes(event.key) && isReachedByTab(event.target)) return;
    event.preventDefault(); // also keeps Enter and Space from pressing the button that has the focus
    this.code = event.code;
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

  act(action, byTouch) {
    const { item } = this;
    const actions = {
      accept: () =>
        item?.choices.length
          ? this.answer("label", item.choices[0].taxon)
          : this.nothingTo("The model has not looked at this picture yet, so there is no likeliest kind to accept."),
      keep: () => (item?.given ? this.answer("label", item.given.taxon) : this.nothingTo(item?.blind ? HIDDEN : NO_LABEL)),
      unsure: () => this.answer("unsure"),
      skip: () => this.answer("skip"),
      unusable: () => this.answer("unusable"),
      none: () => this.answer("none"),
      search: () => this.fields.openSearch(),
      create: () => this.fields.openNewKind(),
      comment: () => this.fields.openComment(),
      undo: () => this.undo(),
      explain: () => this.study.toggle(byTouch ? null : this.code),
      fill: () => this.study.fill(),
      closer: () => this.study.lookCloser(),
      view: () => this.study.setView(this.study.view === "contrast" ? "parts" : "contrast"),
      compare: () => this.study.comparing.open(),
      history: () => this.fields.openHistory(),
      points: () => this.fields.openPoints((item) => this.study.show(item)),
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
}
