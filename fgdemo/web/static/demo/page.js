// A demo: in the head of the page who one is, and below it what to try. It is loaded where the server is one, nowhere else.

import { get, loadAgain, needed, post } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { cardsOf, isEnough, isPair, pageOf } from "./cards.js";

const PREPARING_MS = 700;
const ASK_MS = 2500;
const ROLES = ["visitor", "expert", "maintainer"];
/** What this tab keeps: whether the cards are folded away, whether a pair was looked at, what is opened after a switch. */
const KEPT = { folded: "fgdemo-demo-folded", pair: "fgdemo-demo-pair", next: "fgdemo-demo-next" };

/**
 * Show it around the head of the page.
 *
 * @param {HTMLElement} head
 * @param {Promise<any>} person who is signed in, once the server says so
 */
export function mount(head, person) {
  const style = h("link", { rel: "stylesheet", href: new URL("page.css", import.meta.url).href });
  style.addEventListener("load", () => new Demo(head, person), { once: true });
  document.head.append(style);
}

class Demo {
  role = "";
  /** @type {any} */
  now = null;

  constructor(head, person) {
    this.folds = h("button", {
      type: "button",
      class: "fg-demo-folds",
      "aria-controls": "fg-demo",
      onclick: () => this.fold(!this.isFolded),
    });
    this.people = h(
      "span",
      { class: "fg-demo-people", role: "group", "aria-label": "Who you are in this demo" },
      ...ROLES.map((role) =>
        h("button", { type: "button", "data-role": role, "aria-pressed": "false", disabled: true, onclick: () => this.become(role) }, role),
      ),
    );
    head.querySelector(".fg-top").insertBefore(this.people, head.querySelector('[data-do="person"]'));
    head.querySelector(".fg-top").insertBefore(this.folds, this.people);
    document.body.classList.add("fg-has-demo");
    this.said = h("p", { class: "fg-demo-said", role: "status" });
    this.bar = h("progress", { max: 1, "aria-label": "Preparing the demo", hidden: true });
    this.list = h("ol", { class: "fg-demo-cards" });
    const away = h("button", { type: "button", class: "fg-link", onclick: () => this.fold(true) }, "Fold away");
    this.panel = h(
      "section",
      { class: "fg fg-demo", id: "fg-demo", "aria-label": "What to try" },
      h("div", { class: "fg-demo-head" }, this.said, away),
      this.bar,
      this.list,
    );
    head.append(this.panel);
    this.fold(this.isFolded);
    addEventListener("hashchange", ({ oldURL, newURL }) => {
      if (pageOf(oldURL) !== pageOf(newURL)) this.fold(true); // Label and Review need all of the window
      this.see();
    });
    const classify = /** @type {HTMLElement} */ (document.querySelector(".fg-classify"));
    const isRead = () => classify.dataset.state === "reading" && this.fold(true); // the answer comes into view
    new MutationObserver(isRead).observe(classify, { attributeFilter: ["data-state"] });
    person.then((me) => {
      this.role = me.role;
      this.draw();
      this.goOn();
    });
    this.follow();
  }

  /** What was chosen; else they are open on the first page alone. */
  get isFolded() {
    const chosen = sessionStorage.getItem(KEPT.folded);
    return chosen ? chosen === "yes" : pageOf(location.href) !== "classify";
  }

  fold(isFolded) {
    sessionStorage.setItem(KEPT.folded, isFolded ? "yes" : "no");
    this.panel.hidden = isFolded;
    this.folds.setAttribute("aria-expanded", String(!isFolded));
  }

  async follow() {
    if (!document.hidden || !this.now?.tried) {
      const reply = await get("fgdemo/demo");
      if (!reply.error) {
        this.now = reply;
        this.draw();
      }
    }
    setTimeout(() => this.follow(), this.now?.tried ? ASK_MS : PREPARING_MS);
  }

  /** A pair that is looked at has been tried. */
  see() {
    if (isPair(location.hash)) sessionStorage.setItem(KEPT.pair, "yes");
    this.draw();
  }

  draw() {
    const { now } = this;
    for (const button of this.people.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.role === this.role));
      button.disabled = !now?.tried || !this.role;
    }
    this.bar.hidden = Boolean(!now || now.tried);
    if (!now) return;
    if (!now.tried) return this.drawPreparing(now);
    const cards = cardsOf(now.tried, sessionStorage.getItem(KEPT.pair) === "yes");
    const done = cards.filter((card) => card.isDone).length;
    this.folds.textContent = `Try: ${done} of ${cards.length} done`;
    this.say(`A demo with ${now.tried.pictures} drawn birds, on this machine alone. All of it goes when the server ends.`);
    const drawn = JSON.stringify([cards, this.role]);
    if (drawn === this.drawn) return; // a card that has the focus keeps it
    this.drawn = drawn;
    this.list.replaceChildren(...cards.map((card) => this.card(card)));
  }

  drawPreparing({ stage, number, of }) {
    this.folds.textContent = "Preparing…";
    this.say(`This demo is being prepared. Step ${number} of ${of}: ${stage.name}.`);
    this.bar.value = (number - 1 + (stage.of ? stage.done / stage.of : 0)) / of;
  }

  /** Said once, or it would be read out again and again. */
  say(words) {
    if (this.said.textContent !== words) this.said.textContent = words;
  }

  card(card) {
    const as = isEnough(this.role, card.role) ? "" : `as ${card.role}`;
    const follow = (event) => {
      event.preventDefault();
      this.go(card);
    };
    return h(
      "li",
      { class: "fg-demo-card", "data-card": card.name, "data-done": card.isDone },
      h("a", { href: card.hash, onclick: follow }, card.title),
      h("p", { class: "fg-small" }, card.text),
      h("p", { class: "fg-small fg-demo-told" }, card.isDone ? h("b", { "aria-hidden": "true" }, "✓ ") : null, card.told || as),
    );
  }

  /** Carry a card out, as somebody who may. */
  async go(card) {
    this.fold(true);
    sessionStorage.setItem(KEPT.next, card.name);
    if (isEnough(this.role, card.role)) {
      location.hash = card.hash;
      this.see();
      this.goOn();
    } else await this.become(card.role, card.hash);
  }

  /** The page of somebody else is another one, so it is loaded again. */
  async become(role, hash = location.hash) {
    if (role === this.role) return;
    const reply = await post("fgdemo/demo/person", { role });
    if (reply.error) return this.say(reply.error);
    history.replaceState(null, "", `${location.pathname}${location.search}${hash}`);
    loadAgain();
  }

  /** What the card that was followed opens beside its page. */
  async goOn() {
    const card = sessionStorage.getItem(KEPT.next);
    sessionStorage.removeItem(KEPT.next);
    this.see();
    if (card !== "teach" || !isEnough(this.role, "expert")) return;
    const { openPoints } = await needed(() => import("../points/dialog.js"));
    openPoints(this.now.tried.teach);
  }
}
