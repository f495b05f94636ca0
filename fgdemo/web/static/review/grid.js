// The grid of pictures: pages that arrive as one scrolls, a cursor, and what is chosen. It knows nothing of answers.

import { keepAsking } from "../shared/client.js";
import { drawTile } from "./tile.js";

const PAGE = 120;
const MOST_CHOSEN = 1000; // the server takes so many in one answer
const HOLD_MS = 350;
const DRAG_PX = 6;

export class Grid {
  mayChooseGold = false;

  /** `onChange()` when the cursor or the choice changes; `onLook(tile, isLarge)` when one is looked at; `onSay(sentence)`. */
  constructor(root, more, { onChange, onLook, onSay }) {
    this.root = root;
    this.moreLine = more;
    this.onChange = onChange;
    this.onLook = onLook;
    this.onSay = onSay;
    this.turn = 0;
    /** @type {Map<string, number>} */
    this.at = new Map(); // image → index
    /** @type {any} */
    this.loading = null;
    this.reset({});
    new IntersectionObserver((seen) => seen[0].isIntersecting && this.more(), { rootMargin: "900px" }).observe(more);
    this.listen();
  }

  /** @param {Record<string, any>} filter */
  reset(filter) {
    this.filter = filter;
    this.isChoosing = false;
    /** @type {any[]} */
    this.tiles = [];
    this.total = null;
    this.view = "";
    this.isDone = true;
    this.cursor = -1;
    this.anchor = -1;
    this.base = new Map();
    this.chosen = new Map();
    this.at.clear();
    this.root.replaceChildren();
    this.root.removeAttribute("aria-activedescendant");
  }

  /** Begin anew with other pictures. Resolves to {error} or the first page. */
  async load(filter) {
    this.turn += 1;
    this.reset(filter);
    [this.isDone, this.loading] = [false, null];
    this.moreLine.replaceChildren("…");
    return this.more();
  }

  /** The next page; resolves when it is there. */
  more() {
    if (this.isDone) return Promise.resolve({});
    this.loading ??= this.nextPage(this.turn);
    return this.loading;
  }

  async nextPage(turn) {
    const question = { ...this.filter, view: this.view, offset: this.tiles.length, limit: PAGE };
    const reply = await keepAsking("review_grid", question, { isWanted: () => turn === this.turn });
    if (turn !== this.turn) return {};
    this.loading = null;
    if (reply.error) {
      this.isDone = true;
      this.moreLine.replaceChildren(reply.error);
      return reply;
    }
    [this.total, this.view] = [reply.total, reply.view];
    const fresh = reply.tiles.filter((tile) => !this.at.has(tile.image));
    this.isDone = !reply.tiles.length || this.tiles.length + reply.tiles.length >= reply.total;
    for (const tile of fresh) this.at.set(tile.image, this.tiles.push(tile) - 1);
    this.root.append(...fresh.map((tile) => this.element(tile)));
    this.moreLine.replaceChildren(this.isDone ? "" : "…");
    if (this.cursor < 0 && this.tiles.length) this.moveTo(0);
    return reply;
  }

  element(tile) {
    const index = this.at.get(tile.image);
    const element = drawTile(tile, index, this.total);
    element.setAttribute("aria-selected", String(this.chosen.has(tile.image)));
    element.classList.toggle("is-cursor", index === this.cursor);
    return element;
  }

  /** Draw these pictures as they are now. `mark` is a class for them, such as "is-stale". */
  take(tiles, mark = null) {
    for (const tile of tiles) {
      const index = this.at.get(tile.image);
      if (index === undefined) continue;
      this.tiles[index] = tile;
      if (this.chosen.has(tile.image)) this.chosen.set(tile.image, tile);
      const element = this.element(tile);
      if (mark) element.classList.add(mark);
      this.root.children[index].replaceWith(element);
    }
  }

  // --- cursor and choice -------------------------------------------------------------------------------

  /** What a key is about: what is chosen, else the picture under the cursor. */
  get targets() {
    if (this.chosen.size) return [...this.chosen.values()];
    return this.tiles[this.cursor] ? [this.tiles[this.cursor]] : [];
  }

  moveTo(index, isLooked = true) {
    if (!this.tiles[index]) return;
    this.root.children[this.cursor]?.classList.remove("is-cursor");
    this.cursor = index;
    const element = this.root.children[index];
    element.classList.add("is-cursor");
    this.root.setAttribute("aria-activedescendant", element.id);
    if (isLooked) this.onLook(this.tiles[index], false);
    this.onChange();
  }

  /** Only this one; or with `toggle` this one more or less; or with `extend` all from the anchor on. */
  pick(index, { toggle = false, extend = false } = {}) {
    if (!this.tiles[index]) return;
    const { image } = this.tiles[index];
    if (extend && this.anchor >= 0) {
      const next = new Map(this.base);
      for (let at = Math.min(this.anchor, index); at <= Math.max(this.anchor, index); at++) this.add(next, at);
      this.choose(next);
    } else {
      const next = toggle ? new Map(this.chosen) : new Map();
      if (toggle ? next.has(image) : this.chosen.has(image) && this.chosen.size === 1) next.delete(image);
      else this.add(next, index, true);
      this.anchor = index;
      this.base = toggle ? new Map(next) : new Map();
      this.choose(next);
    }
    this.moveTo(index);
  }

  /** Gold pictures are chosen by maintainers only, and never beside others: another answer is given about them. */
  add(chosen, index, isAsked = false) {
    const tile = this.tiles[index];
    const [first] = chosen.values();
    if (tile.locked && !this.mayChooseGold) {
      if (isAsked && chosen.size) this.onSay("Gold pictures measure every model: they are locked, and cannot be chosen.");
    } else if (first && first.locked !== tile.locked) {
      if (isAsked)
        this.onSay(
          tile.locked ? "Gold pictures are chosen by themselves: choose none first." : "Gold pictures are chosen: choose none first.",
        );
    } else if (chosen.size < MOST_CHOSEN) chosen.set(tile.image, tile);
  }

  choose(next) {
    for (const image of new Set([...this.chosen.keys(), ...next.keys()])) {
      if (this.chosen.has(image) !== next.has(image))
        this.root.children[this.at.get(image) ?? -1]?.setAttribute("aria-selected", String(next.has(image)));
    }
    this.chosen = next;
    this.onChange();
  }

  /** All that the filter shows, up to what one answer may be about. */
  async chooseAll() {
    const { turn } = this;
    this.isChoosing = true;
    while (!this.isDone && this.tiles.length < MOST_CHOSEN && turn === this.turn) if ((await this.more()).error) break;
    if (turn !== this.turn) return;
    this.isChoosing = false;
    const next = new Map();
    const isGold = this.mayChooseGold && (this.tiles.every((tile) => tile.locked) || [...this.chosen.values()][0]?.locked);
    for (let index = 0; index < this.tiles.length; index++) if (this.tiles[index].locked === Boolean(isGold)) this.add(next, index);
    this.choose(next);
    if (this.total > MOST_CHOSEN)
      this.onSay(
        `The first ${MOST_CHOSEN.toLocaleString("en")} of ${this.total.toLocaleString("en")} are chosen: no more fit in one answer.`,
      );
  }

  clear() {
    this.base = new Map();
    this.anchor = this.cursor;
    this.choose(new Map());
  }

  /** An arrow key, or Home and End. */
  async step(key, extend) {
    const columns = this.columns();
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -Infinity, End: Infinity };
    const from = Math.max(0, this.cursor);
    const next = Math.max(0, Math.min(this.tiles.length - 1, from + steps[key]));
    if (extend) {
      if (this.anchor < 0 || !this.chosen.size) [this.anchor, this.base] = [from, new Map()];
      this.pick(next, { extend: true });
    } else this.moveTo(next);
    this.root.children[next]?.scrollIntoView({ block: "nearest" });
    if (next > this.tiles.length - 3 * columns) this.more();
  }

  /** On to the next picture after `index` that nobody has checked. */
  moveOn(index) {
    const next = this.tiles.findIndex((tile, at) => at > index && !tile.checked);
    this.moveTo(next < 0 ? Math.min(index + 1, this.tiles.length - 1) : next);
    this.root.children[this.cursor]?.scrollIntoView({ block: "nearest" });
  }

  columns() {
    const top = this.root.firstElementChild?.offsetTop;
    const second = [...this.root.children].findIndex((tile) => tile.offsetTop !== top);
    return second > 0 ? second : Math.max(1, this.tiles.length);
  }

  // --- pointer -----------------------------------------------------------------------------------------

  indexOf(element) {
    const image = element?.closest?.(".fg-tile")?.dataset.image;
    return image === undefined ? -1 : (this.at.get(image) ?? -1);
  }

  listen() {
    /** @type {any} */
    let start = null; // where the pointer went down
    let [press, isDragged] = [0, false];
    const ends = () => {
      clearTimeout(press);
      start = null;
    };
    this.root.addEventListener("pointerdown", (event) => {
      const index = this.indexOf(event.target);
      isDragged = false;
      if (index < 0 || event.button) return;
      start = {
        index,
        x: event.clientX,
        y: event.clientY,
        isMouse: event.pointerType === "mouse",
        base: event.ctrlKey || event.metaKey ? new Map(this.chosen) : new Map(),
      };
      if (!start.isMouse)
        press = setTimeout(() => {
          isDragged = true;
          this.moveTo(index);
          this.onLook(this.tiles[index], true);
        }, HOLD_MS + 150);
    });
    this.root.addEventListener("pointermove", (event) => {
      if (!start) return;
      const far = Math.hypot(event.clientX - start.x, event.clientY - start.y) > DRAG_PX;
      if (far) clearTimeout(press);
      const index = far && start.isMouse && event.buttons ? this.indexOf(document.elementFromPoint(event.clientX, event.clientY)) : -1;
      if (index < 0 || (!isDragged && index === start.index)) return;
      if (!isDragged) [isDragged, this.anchor, this.base] = [true, start.index, start.base];
      this.pick(index, { extend: true });
    });
    for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, ends);
    this.root.addEventListener("click", (event) => {
      const index = this.indexOf(event.target);
      if (index < 0 || isDragged) return;
      const isTouch = event.pointerType === "touch" || event.pointerType === "pen";
      this.pick(index, { extend: event.shiftKey, toggle: event.ctrlKey || event.metaKey || isTouch });
    });
    this.root.addEventListener(
      "dblclick",
      (event) => this.tiles[this.indexOf(event.target)] && this.onLook(this.tiles[this.indexOf(event.target)], true),
    );
    let hover = 0;
    this.root.addEventListener("pointerover", (event) => {
      clearTimeout(hover);
      const tile = this.tiles[this.indexOf(event.target)];
      if (tile && event.pointerType === "mouse" && !event.buttons) hover = setTimeout(() => this.onLook(tile, false), HOLD_MS);
    });
    this.root.addEventListener("pointerleave", () => clearTimeout(hover));
    this.root.addEventListener("dragstart", (event) => event.preventDefault());
  }
}
