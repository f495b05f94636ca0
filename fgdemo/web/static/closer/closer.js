// A closer look on the Classify tab: by itself where the first answer is unsure and the thing is small, by L at will.

import { h } from "../shared/dom.js";
import { Frame } from "./frame.js";
import { firstSight, others, whyNot } from "./words.js";

export class CloserLook {
  /** @type {any} */
  result = null;
  isLooking = false; // a closer look was asked for, and the first answer stands until it is here
  isUnfolded = false;
  /** @type {string | null} */
  view = null; // that was left because what it shows is of no kind here

  /**
   * @param {HTMLElement} root
   * @param {{viewer: import("../shared/viewer.js").Viewer, view: string, setView: (view: string) => any}} stage
   * @param {{reread: (question: any) => any, askLater: () => any}} tab asks about the same picture again, and for what
   *   stands beside the answer
   */
  constructor(root, stage, tab) {
    this.root = root;
    this.stage = stage;
    this.tab = tab;
    this.frame = new Frame(stage.viewer);
    this.$('[data-do="unfold"]').addEventListener("click", () => {
      this.fold(this.isUnfolded);
      if (this.isUnfolded) this.tab.askLater();
    });
  }

  $(/** @type {string} */ selector) {
    return /** @type {any} */ (this.root.querySelector(selector));
  }

  /** Whether there is nothing to ask yet about what stands beside the answer. */
  get isQuiet() {
    return this.isLooking || this.$(".fg-reading").dataset.folded === "true";
  }

  /** Another picture is read. */
  clear() {
    this.result = null;
    this.frame.show(null);
  }

  /**
   * What a question about the picture asks for. Where nobody says it, the look stays as it is; a part has none.
   *
   * @param {any} question
   */
  asked({ closer, box }) {
    if (closer) return closer;
    return box || !this.result?.closer?.is_taken ? "never" : "always";
  }

  /**
   * A result is on the screen. `isFresh`: of a picture, or a part, about which nobody has asked for less.
   *
   * @param {any} result
   * @param {boolean} isFresh
   */
  show(result, isFresh) {
    this.result = result;
    const { closer } = result;
    this.isLooking = Boolean(isFresh && closer?.is_worth && !closer.is_taken);
    this.frame.show(closer && (closer.is_taken || this.isLooking) ? closer.box : null);
    this.$('[data-do="closer"]').setAttribute("aria-pressed", String(Boolean(closer?.is_taken)));
    this.#say(closer);
    this.fold(result.answer.kind === "unknown");
    if (this.isLooking) this.tab.reread({ closer: "always" });
  }

  /** The other look: closer, or at first sight alone. Gives back why there is none, or nothing. */
  toggle() {
    const { result } = this;
    if (!result) return "";
    if (!result.closer) return whyNot(result);
    this.tab.reread({ closer: result.closer.is_taken ? "never" : "always" });
    return "";
  }

  /** @param {any} closer */
  #say(closer) {
    const line = this.$(".fg-closer");
    const parts = [];
    if (this.isLooking) parts.push("Looking closer…");
    else if (closer?.is_taken) parts.push(firstSight(this.result));
    if (closer?.others.length && (closer.is_taken || this.isLooking)) {
      const look = () => this.tab.reread({ box: closer.others[0] });
      const link = h(
        "button",
        { type: "button", class: "fg-link", onclick: look },
        closer.others.length === 1 ? "Look at that one" : "Look at the next",
      );
      parts.push(` ${others(closer.others.length)} `, link);
    }
    line.replaceChildren(...parts);
    line.hidden = !parts.length;
    if (closer?.is_taken || this.isLooking) this.$(".fg-crop-hint").hidden = true;
  }

  /** What is none of the kinds is compared with none of them, unless somebody wants to see it. @param {boolean} isFolded */
  fold(isFolded) {
    const isUnknown = this.result?.answer.kind === "unknown";
    this.isUnfolded = isUnknown && !isFolded;
    this.$(".fg-reading").dataset.folded = String(isUnknown && isFolded);
    this.$(".fg-unfold").hidden = !isUnknown;
    const button = this.$('[data-do="unfold"]');
    button.setAttribute("aria-expanded", String(this.isUnfolded));
    button.textContent = this.isUnfolded ? "Hide what it resembles" : "Show what it resembles all the same";
    if (isUnknown && isFolded && ["class", "contrast"].includes(this.stage.view)) {
      this.view = this.stage.view;
      this.stage.setView("picture");
    } else if (!isUnknown && this.view) {
      if (this.stage.view === "picture") this.stage.setView(this.view);
      this.view = null;
    }
  }
}
