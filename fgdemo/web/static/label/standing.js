// How far the session is: as the server last said, less what was answered since. And the sentences over the picture.

import { ask } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { isShown } from "../head/nav.js";
import { drawStanding } from "./report.js";

const SAID_MS = 8000;
const READING_MS = 1500;

/** @typedef {import("./report.js").Report} Report */

export class Standing {
  /** @type {any} a Report, once there is a session */
  report = null;
  turn = 0;
  /** @type {string | null} */
  problem = "";

  /**
   * `onStop` when the person ends the session.
   *
   * @param {any} root
   * @param {import("./queue.js").LabelQueue} queue
   * @param {() => void} onStop
   */
  constructor(root, queue, onStop) {
    this.root = root;
    this.queue = queue;
    this.onStop = onStop;
  }

  /**
   * A sentence over the picture, for some seconds or for as long as it `stays` true, with what to do about it.
   *
   * @param {string} text
   * @param {boolean} [stays]
   * @param {string | Node} [action]
   */
  say(text, stays = false, action = "") {
    const banner = this.root.querySelector(".fg-banner");
    banner.replaceChildren(text, " ", action);
    banner.hidden = !text;
    clearTimeout(this.timer);
    if (text && !stays) this.timer = setTimeout(() => (banner.hidden = true), SAID_MS);
  }

  /** One less is left, before the server has said so. */
  countDown() {
    if (this.report.left !== null) this.report = { ...this.report, left: Math.max(0, this.report.left - 1) };
  }

  async refresh() {
    await this.queue.sending;
    const turn = ++this.turn;
    const reply = await ask("label_report", { session: this.report.id });
    if (!reply.error && turn === this.turn) {
      this.take(reply.session);
      if (!this.queue.unsaved.length) this.queue.confirmed = reply.session.done;
    }
    this.show();
  }

  /** While the server still reads the workspace it does not know how many are left: what was known before stays. @param {Report} report */
  take(report) {
    clearTimeout(this.learning);
    if (report.left === null) this.learning = setTimeout(() => isShown("label") && this.refresh(), READING_MS);
    const known = this.report?.id === report.id ? this.report.left : null;
    this.report = { ...report, left: report.left ?? known };
  }

  show() {
    if (this.report) drawStanding(this.root.querySelector(".fg-standing"), this.report, this.queue, this.onStop);
    this.root.dataset.unsaved = String(this.queue.unsaved.length);
    const { problem } = this.queue;
    const again = h("button", { type: "button", class: "fg-link", onclick: () => document.dispatchEvent(new Event("fg-try")) }, "Try now");
    if (problem) this.say(problem, true, again);
    else if (this.problem) this.say("Saved again.");
    this.problem = problem;
  }
}
