// What is ahead and what is still to be saved. Items are held with their pictures decoded, so that the next one paints
// at once; answers are sent strictly one after another, and an answer counts only when the server has said so.

const AHEAD = 5;
const LONGEST_WAIT_MS = 15_000;

export class LabelQueue {
  /** `onItems()` when items arrive; `onSaving()` when the number of unsaved answers changes; `onRefused(answer, reply)`. */
  constructor(server, { onItems, onSaving, onRefused }) {
    Object.assign(this, { server, onItems, onSaving, onRefused });
    this.session = null;
    this.items = [];
    this.unsaved = [];
    this.confirmed = 0; // answers of the session that stand, as the server counts them
    this.offline = false;
    this.problem = null; // why the oldest unsaved answer is not saved, in a sentence
    this.sending = Promise.resolve();
    addEventListener("beforeunload", (event) => this.unsaved.length && event.preventDefault());
  }

  begin(session, done) {
    this.session = session;
    this.confirmed = done;
    this.items = [];
    this.filling = null;
    this.empty = false;
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

  /** An item to be shown before all others. */
  putBack(item) {
    this.items.unshift(withPicture(item));
  }

  /** Ask for more, one request at a time. `shown` is the item on the screen. */
  fill(shown = this.shown ?? null) {
    this.shown = shown;
    const missing = AHEAD - this.items.length;
    if (this.filling || missing <= 0 || this.session === null) return this.filling;
    const have = [...this.items, ...(shown ? [shown] : [])].map((item) => item.image);
    const session = this.session;
    // Answers first: the server would give an unsaved picture once more.
    this.filling = this.settled().then(async () => {
      const reply = await ask(this.server, "label_next", { session, have: [...have, ...this.unsaved.map((one) => one.image)].slice(0, 12), count: missing });
      this.filling = null;
      if (session !== this.session) return;
      const known = new Set([...this.items, ...(this.shown ? [this.shown] : [])].map((item) => item.image));
      const fresh = (reply.items ?? []).filter((item) => !known.has(item.image) && !this.unsaved.some((one) => one.image === item.image));
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

  send(answer) {
    this.unsaved.push(answer);
    this.onSaving();
    this.sending = this.sending.then(() => this.deliver(answer));
    return this.sending;
  }

  async deliver(answer) {
    for (let wait = 500; ; wait = Math.min(LONGEST_WAIT_MS, 2 * wait)) {
      const reply = await ask(this.server, "label_answer", answer);
      // Signed out is no reason to lose an answer: it waits until the person has signed in again.
      const out = reply.code === "forbidden" && (await isSignedOut());
      if (reply.lost || reply.code === "failed" || out) {
        this.offline = true;
        const count = this.unsaved.length === 1 ? "One answer is" : `${this.unsaved.length} answers are`;
        const why = out ? `${reply.error} Do that in another window and leave this one open.` : (reply.error ?? "The server does not take answers now.");
        this.problem = `${count} not saved yet. ${why} They are kept here and sent again.`;
        this.onSaving();
        await new Promise((resolve) => setTimeout(resolve, wait));
        continue;
      }
      this.offline = false;
      this.problem = null;
      this.unsaved.shift();
      if (reply.saved) this.confirmed = reply.done;
      else this.onRefused(answer, reply);
      this.onSaving();
      return;
    }
  }

  /** Take back the last answer, after everything before it is saved. */
  undo() {
    const undone = this.sending.then(() => ask(this.server, "label_undo", { session: this.session }));
    this.sending = undone.then((reply) => {
      if (reply.item) this.confirmed = reply.done;
    });
    return undone;
  }
}

async function isSignedOut() {
  try {
    const reply = await fetch(new URL("fgdemo/me", document.baseURI), { cache: "no-store" });
    return !reply.ok || (await reply.json()).role === "visitor";
  } catch {
    return true;
  }
}

/** The reply, or {lost: true, error} where the server did not answer. */
export async function ask(server, name, question) {
  try {
    return (await server[name](question)) ?? { lost: true };
  } catch {
    return { lost: true, error: "The server did not answer. Look at the connection, then try again." };
  }
}

function withPicture(item) {
  if (item.picture) return item;
  const picture = new Image();
  picture.src = new URL(item.src, document.baseURI);
  return { ...item, picture, painted: picture.decode().then(() => true, () => false) };
}
