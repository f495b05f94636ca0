// What is ahead and what is still to be saved. Items are held with their pictures decoded, so that the next one paints
// at once; answers are sent strictly one after another, and an answer counts only when the server has said so.

import { address, ask, isLoadingAgain, keepAsking, keepTrying, pause } from "../shared/client.js";
import { isSignedOut } from "../head/nav.js";
import { picture } from "../shared/pictures.js";
import { keep, kept } from "./unsent.js";

const AHEAD = 5;

/** @typedef {{image: string, src: string, picture?: HTMLImageElement, painted?: Promise<boolean>, [more: string]: any}} Item */
/** @typedef {{image: string, [more: string]: any}} Answer */
/** @typedef {import("../shared/client.js").Reply} Reply */

export class LabelQueue {
  /**
   * `onItems` when items arrive, or when they do not; `onSaving` when the number of unsaved answers changes.
   *
   * @param {{onItems: (reply: any) => void, onSaving: () => void, onRefused: (answer: Answer, reply: any) => void}} told
   */
  constructor({ onItems, onSaving, onRefused }) {
    this.onItems = onItems;
    this.onSaving = onSaving;
    this.onRefused = onRefused;
    /** @type {number | null} */
    this.session = null;
    /** @type {string | null} */
    this.person = null;
    /** @type {Item | null} */
    this.shown = null; // the item on the screen
    /** @type {Promise<void> | null} */
    this.filling = null;
    this.empty = false;
    /** @type {Item[]} */
    this.items = [];
    /** @type {Answer[]} */
    this.unsaved = [];
    this.confirmed = 0; // answers of the session that stand, as the server counts them
    this.offline = false;
    /** @type {string | null} */
    this.problem = null; // why the oldest unsaved answer is not saved, in a sentence
    /** @type {Promise<any>} */
    this.sending = Promise.resolve();
    /** @type {number[]} */
    this.saved = []; // ids of the answers that this page has given and the server has kept
    addEventListener("beforeunload", (event) => this.unsaved.length && !isLoadingAgain && event.preventDefault());
  }

  /** @param {number | null} session @param {number} done answers of it that stand */
  begin(session, done) {
    this.session = session;
    this.confirmed = done;
    this.items = [];
    this.saved = [];
    this.filling = null;
    this.empty = false;
  }

  /** Answers that this tab could not send before the page was loaded again go first; resolves when they are saved. @param {string} person */
  resume(person) {
    if (this.person === person) return this.sending;
    this.person = person;
    for (const answer of kept(person)) this.send(answer);
    return this.sending;
  }

  /** Answers of the session that stand, with those on their way. */
  get done() {
    return this.confirmed + this.unsaved.length;
  }

  /** The next item, or null where none is here yet. */
  take() {
    const item = this.items.shift() ?? null;
    this.fill(item);
    return item;
  }

  /** An item to be shown before all others. @param {Item} item */
  putBack(item) {
    this.items.unshift(withPicture(item));
  }

  /** Ask for more, one request at a time. `shown` is the item on the screen. @param {Item | null} shown */
  fill(shown = this.shown ?? null) {
    this.shown = shown;
    const missing = AHEAD - this.items.length;
    if (this.filling || missing <= 0 || this.session === null) return this.filling;
    const have = [...this.items, ...(shown ? [shown] : [])].map((item) => item.image);
    const session = this.session;
    // Answers first: the server would give an unsaved picture once more.
    this.filling = this.settled().then(async () => {
      const question = () => ({ session, have: [...have, ...this.unsaved.map((one) => one.image)].slice(0, 12), count: missing });
      const reply = await keepTrying(() => ask("label_next", question()), { isWanted: () => session === this.session });
      if (session !== this.session) return;
      this.filling = null;
      const known = new Set([...this.items, ...(this.shown ? [this.shown] : [])].map((item) => item.image));
      /** @type {Item[]} */
      const items = reply.items ?? [];
      const fresh = items.filter((item) => !known.has(item.image) && !this.unsaved.some((one) => one.image === item.image));
      this.items.push(...fresh.map(withPicture));
      this.empty = !fresh.length;
      this.onItems(reply);
    });
    return this.filling;
  }

  /** Resolves when nothing waits to be sent at this moment. */
  settled() {
    return this.unsaved.length > 2 ? Promise.resolve() : this.sending;
  }

  /** @param {Answer} answer */
  send(answer) {
    this.unsaved.push(answer);
    keep(this.person, this.unsaved);
    this.onSaving();
    this.sending = this.sending.then(() => this.deliver(answer));
    return this.sending;
  }

  /** @param {Answer} answer */
  async deliver(answer) {
    let isDoubted = false; // it was refused, and its person is signed in: perhaps only since then
    for (let failures = 1; ; failures += 1) {
      const reply = await ask("label_answer", answer);
      // Signed out is no reason to lose an answer: it waits until the person has signed in again.
      const out = reply.code === "forbidden" && (await isSignedOut());
      if (reply.again || reply.code === "outdated" || out) {
        this.offline = true;
        const count = this.unsaved.length === 1 ? "One answer is" : `${this.unsaved.length} answers are`;
        const why = out ? `${reply.error} You can do that here or in another window.` : reply.error;
        this.problem = `${count} not saved yet. ${why} They are kept here and sent again.`;
        this.onSaving();
        await pause(reply, failures);
        isDoubted = false;
        continue;
      }
      if (reply.code === "forbidden" && !isDoubted) {
        isDoubted = true;
        continue;
      }
      this.offline = false;
      this.problem = null;
      this.unsaved.shift();
      keep(this.person, this.unsaved);
      if (reply.saved) [this.confirmed, this.saved] = [reply.done, [...this.saved, reply.saved]];
      else this.onRefused(answer, reply);
      this.onSaving();
      return;
    }
  }

  /** Take back the last answer, after everything before it is saved. One that is named is taken back once, however often it is asked. */
  undo() {
    const undone = this.sending.then(() => {
      const answer = this.saved.at(-1) ?? null;
      const question = { session: this.session, answer };
      return answer === null ? ask("label_undo", question) : keepAsking("label_undo", question);
    });
    this.sending = undone.then((reply) => {
      if (reply.item) [this.confirmed, this.saved] = [reply.done, this.saved.filter((id) => id !== reply.undone.id)];
    });
    return undone;
  }
}

/** @param {Item} item @returns {Item} */
function withPicture(item) {
  if (item.picture) return item;
  const { image, painted } = picture(address(item.src));
  return { ...item, picture: image, painted };
}
