// The Train page: what is live, a training as it goes, its verdict, and all models. A training runs on the server in a
// process of its own, so the page may be left meanwhile, and any other page finds it.

import { ask, keepAsking } from "../shared/client.js";
import { confirmIn, h } from "../shared/dom.js";
import { gate, isShown, whoAmI } from "../head/nav.js";
import { JobPanel } from "./job.js";
import { ModelView } from "./model.js";
import { drawHistory } from "./models.js";
import { drawState, drawSwap, Starter } from "./now.js";
import { linkTo, modelOf, routeOf, shortName } from "./route.js";
import { onWord } from "./verdict.js";
import { costOfStopping } from "./words.js";

const BUSY_MS = 2000;
const IDLE_MS = 15_000;
const DEED_MS = 120_000; // the machines of Hugging Face take their time
const OPEN = ["waiting", "running"];
const PARTS = ["state", "job", "starter", "history"];

export function mount(element) {
  return new TrainPage(element.querySelector(".fg-train"));
}

class TrainPage {
  constructor(root) {
    this.root = root;
    /** @type {any} */
    this.now = null;
    /** @type {any} */
    this.route = null;
    /** @type {any} */
    this.view = null; // of a model, or null on the first page
    /** @type {any} */
    this.jobs = null;
    /** @type {any} */
    this.starter = null;
    this.place = "";
    this.shown = {};
    this.turn = 0;
    this.acts = {
      start: (preset) => this.act("train_start", { preset }),
      cancel: (job) =>
        confirmIn(this.dialog, "Stop this training?", costOfStopping(job), "Stop it", () => this.act("train_cancel", { job: job.id })),
      resume: (job) => this.act("train_resume", { job: job.id }),
      log: (job) => this.showLog(job),
      judge: (version) => this.act("train_judge", { version }),
      promote: (version) => this.act("train_promote", { version }),
      promoteOnWord: ({ version, verdict }) =>
        confirmIn(
          this.dialog,
          `Make ${shortName(version)} live without proof?`,
          onWord(verdict, shortName(this.now.live)),
          "Make it live on my word",
          () => this.act("train_promote", { version, accept_loss: verdict.loss_limit }),
        ),
      rollBack: () => this.act("train_roll_back", {}),
      remove: (version) =>
        confirmIn(
          this.dialog,
          `Delete ${shortName(version)}?`,
          "Its weights and what it has seen are removed for good. Your labels stay.",
          "Delete it",
          () => this.remove(version),
        ),
    };
    document.addEventListener("fg-page", (event) => event.detail === "train" && this.open());
    document.addEventListener("visibilitychange", () => this.isWatched && this.follow());
    this.root.dataset.ready = "true";
    if (isShown("train")) this.open();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  get dialog() {
    return this.$("dialog.fg-dialog"); // a model has another one, for pictures at large
  }

  get isWatched() {
    return isShown("train") && document.visibilityState === "visible" && this.root.dataset.state === "ready";
  }

  async open() {
    const me = await whoAmI();
    const isMaintainer = me.role === "maintainer";
    [this.$(".fg-train-gate").hidden, this.$(".fg-train-body").hidden] = [isMaintainer, !isMaintainer];
    this.root.dataset.state = isMaintainer ? "ready" : "gate";
    if (!isMaintainer) {
      const words =
        me.role === "expert"
          ? h(
              "div",
              { class: "fg-gate" },
              h("h1", {}, "Train a better model"),
              h("p", { class: "fg-quiet" }, "Only maintainers may train models. What you label is what they learn from."),
            )
          : gate(me, "Train a better model");
      return this.$(".fg-train-gate").replaceChildren(words);
    }
    if (this.now) this.show();
    return this.follow();
  }

  /** Look again every now and then, sooner while something goes on, and not at all while nobody looks. */
  async follow() {
    clearTimeout(this.timer);
    const turn = ++this.turn;
    const reply = await keepAsking("train_now", {}, { isWanted: () => turn === this.turn && this.isWatched });
    if (turn !== this.turn) return;
    if (!reply.again) this.take(reply);
    this.wait();
  }

  wait() {
    clearTimeout(this.timer);
    const busy = this.now && (OPEN.includes(this.now.jobs[0]?.state) || this.now.promoting);
    if (this.isWatched) this.timer = setTimeout(() => this.isWatched && this.follow(), busy ? BUSY_MS : IDLE_MS);
  }

  /** Do something, then show how everything stands after it. */
  async act(question, asked) {
    const turn = ++this.turn;
    const reply = await ask(question, asked, { timeoutMs: DEED_MS });
    if (turn !== this.turn && !reply.error) return this.follow();
    this.take(reply);
    // What became of a deed whose answer was lost is seen from how everything stands now.
    if (reply.lost) this.follow().then(() => this.say(`${reply.error} This is how everything stands now: look before you try again.`));
    else this.wait();
    return !reply.error;
  }

  async remove(version) {
    const gone = await this.act("train_delete", { version });
    if (gone && this.route.view !== "home") location.hash = linkTo({ view: "home" });
  }

  take(reply) {
    this.say(reply.error ?? "");
    if (reply.error) return;
    const before = this.now?.live;
    this.now = reply;
    if (before && before !== reply.live) document.dispatchEvent(new Event("fg-live")); // for the head of the page
    this.show();
  }

  say(sentence) {
    const message = this.$(".fg-train-message");
    message.textContent = sentence;
    message.hidden = !sentence;
  }

  // --- what is shown -----------------------------------------------------------------------------------

  show() {
    const route = routeOf(location.hash);
    const place = linkTo({ ...route, picture: null });
    if (this.place !== place) this.enter(route, place);
    this.route = route;
    if (this.now.trouble) this.say(this.now.trouble);
    drawSwap(this.$(".fg-train-swap"), this.now);
    if (route.view !== "home") return this.view.show(route, this.now);
    return this.showHome();
  }

  enter(route, place) {
    [this.place, this.shown] = [place, {}];
    this.view?.leave();
    const page = this.$(".fg-train-page");
    if (route.view === "home") {
      page.replaceChildren(...PARTS.map((part) => h("section", { class: `fg-train-${part}` })));
      this.jobs = new JobPanel(this.$(".fg-train-job"), this.acts);
      this.starter = new Starter(this.$(".fg-train-starter"), this.acts.start, () =>
        keepAsking("train_offer", {}, { isWanted: () => this.isWatched }),
      );
      this.view = null;
    } else {
      this.view = new ModelView(page, this.acts);
      scrollTo(0, 0);
    }
  }

  /** A part is drawn again only when it would look different, so that nobody loses the button he is on. */
  showHome() {
    const { now } = this;
    const job = jobToShow(now);
    const models = now.models.map((model) => [
      model.version,
      model.state,
      model.gold_changed,
      model.verdict?.beside,
      model.verdict?.sentence,
    ]);
    this.part(
      "state",
      [now.live, now.newer, now.train, now.val, now.checked, now.gold, now.models.find((model) => model.version === now.live)?.promoted_at],
      (root) => drawState(root, now),
    );
    this.jobs.show(job, now);
    this.part(
      "starter",
      [now.train, now.val, now.gold, now.device, now.estimates, OPEN.includes(now.jobs[0]?.state), now.jobs[0]?.state === "interrupted"],
      () => this.starter.show(now),
    );
    this.part("history", [models, now.previous, now.jobs.length, Boolean(now.promoting)], (root) => drawHistory(root, now, this.acts));
  }

  part(name, depends, draw) {
    const key = JSON.stringify(depends);
    if (this.shown[name] === key) return;
    this.shown[name] = key;
    draw(this.$(`.fg-train-${name}`));
  }

  async showLog(job) {
    const text = h("pre", { class: "fg-log", tabindex: 0 }, "…");
    const load = async () => {
      const reply = await ask("train_log", { job: job.id });
      text.textContent = reply.error ?? reply.log;
      text.scrollTop = text.scrollHeight;
    };
    const close = h("button", { type: "button", class: "fg-button fg-primary", onclick: () => this.dialog.close() }, "Close");
    this.dialog.replaceChildren(
      h(
        "div",
        { class: "fg" },
        h("h2", {}, `Log of training ${job.id}`),
        text,
        h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button", onclick: load }, "Look again"), close),
      ),
    );
    this.dialog.showModal();
    close.focus();
    await load();
  }
}

/** The newest training, unless all that it left has been deleted since. */
function jobToShow({ jobs, models }) {
  const job = jobs[0] ?? null;
  if (!job?.candidate) return job;
  return modelOf(models, job.candidate) ? job : null;
}
