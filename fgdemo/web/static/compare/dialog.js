// The same place of a picture and of pictures of A and of B, side by side: close up, or as a whole over all the screen.
// Its ring can be moved in each of them; the others follow, without the server.

import { button, h, quietButton } from "../shared/dom.js";
import { WHOLE } from "../shared/frame.js";
import { keyOf } from "../shared/keyboard.js";
import { iso } from "../shared/names.js";
import { partAt } from "../shared/maps.js";
import { signed } from "../shared/words.js";
import { insideOf, intoBox, matchOf, ontoPicture, placeOf, radiusOf, within } from "./matching.js";
import { Pane } from "./pane.js";

/** @typedef {import("./matching.js").Spot} Spot */
/**
 * @typedef {{name: string, taxon: string, [more: string]: any}} Kind
 * @typedef {{picture: HTMLImageElement | string, box: any, area: any, grid: [number, number], a: Kind, b: Kind, contrast: number[],
 *   total: number, spot: Spot, isClose: boolean, isSum?: boolean, parts?: any[], load: () => Promise<any>}} Question
 */

const HINT = "Drag a ring or use the arrow keys: the others follow. On a picture of A or B, ← and → show the next one.";

/** Open the dialog about a picture; resolves when it has closed. */
export function openCompare(question) {
  return new Compare(question).open();
}

class Compare {
  /** @type {any} */
  found = null;
  chosen = { a: 0, b: 0 };
  /** @type {{side: string, spot: Spot}} */
  moved;

  /** @param {Question} question */
  constructor(question) {
    this.asked = question;
    this.isClose = question.isClose;
    this.moved = { side: "own", spot: within(question.spot) };
    const { a, b } = question;
    this.panes = {
      own: new Pane("own", "The picture that is asked about", { onMove: (spot) => this.move("own", spot) }),
      a: new Pane("a", `A picture of ${iso(a.name)}`, this.#hands("a")),
      b: new Pane("b", `A picture of ${iso(b.name)}`, this.#hands("b")),
    };
    this.says = h("h2", { class: "fg-compare-says", "aria-live": "polite", "aria-atomic": "true" });
    this.note = h("p", { class: "fg-quiet fg-small fg-compare-note" }, HINT);
    this.wide = quietButton("", () => this.setClose(!this.isClose));
    this.closes = button("Close", () => this.dialog.close());
    this.dialog = h(
      "dialog",
      { class: "fg-dialog fg-compare-dialog", "aria-label": "The same place, side by side" },
      h(
        "div",
        { class: "fg fg-compare-all" },
        h("header", { class: "fg-compare-head" }, this.says, h("div", { class: "fg-compare-actions" }, this.wide, this.closes)),
        h("div", { class: "fg-compare-panes" }, ...Object.values(this.panes).map((pane) => pane.element)),
        this.note,
      ),
    );
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("pointerdown", (event) => event.target === this.dialog && this.dialog.close()); // beside it
  }

  #hands(side) {
    return { onMove: (spot) => this.move(side, spot), onStep: (step) => this.step([side], step) };
  }

  async open() {
    const { asked, panes, dialog } = this;
    const before = document.activeElement;
    const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    document.body.append(dialog);
    dialog.showModal();
    panes.own.setPicture(asked.picture, asked.box, this.tokens);
    for (const side of ["a", "b"]) panes[side].clear("Looking for pictures…");
    this.setClose(this.isClose);
    panes.own.canvas.focus({ preventScroll: true });
    this.#load();
    await closed;
    for (const pane of Object.values(panes)) pane.observer.disconnect();
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
  }

  async #load() {
    this.dialog.setAttribute("aria-busy", "true");
    const reply = await this.asked.load();
    if (!this.dialog.open) return;
    this.dialog.removeAttribute("aria-busy");
    if (reply.error) {
      for (const side of ["a", "b"]) this.panes[side].clear(reply.error);
      return;
    }
    this.found = reply;
    this.panes.own.grid = this.tokens;
    if (reply.caveat) this.note.textContent = `${reply.caveat} ${HINT}`;
    for (const side of ["a", "b"]) this.showPicture(side);
    this.draw();
  }

  /** Rows and columns of the places of what was read. @returns {[number, number]} */
  get tokens() {
    return this.found?.grid ?? [14, 14];
  }

  pictures(side) {
    return this.found?.[`pictures_${side}`] ?? [];
  }

  get shown() {
    return { a: this.pictures("a")[this.chosen.a], b: this.pictures("b")[this.chosen.b] };
  }

  /** The next picture of these kinds, or the one before. */
  step(sides, by) {
    for (const side of sides) {
      const count = this.pictures(side).length;
      if (count < 2) continue;
      if (this.moved.side === side) this.moved = { side: "own", spot: this.ownSpot ?? this.moved.spot };
      this.chosen[side] = (this.chosen[side] + by + count) % count;
      this.showPicture(side);
    }
    this.draw();
  }

  showPicture(side) {
    const one = this.shown[side];
    const pane = this.panes[side];
    if (!one) return pane.clear(`There is no picture of ${iso(this.asked[side].name)} to compare with yet.`);
    pane.say("");
    return pane.setPicture(new URL(one.src, document.baseURI), null, one.grid);
  }

  // --- the ring ------------------------------------------------------------------------------------------

  move(side, spot) {
    this.moved = { side, spot };
    this.draw();
  }

  /** Where in the picture itself the ring is, wherever it was moved; null where nothing of it looks like that place. */
  get ownSpot() {
    const { side, spot } = this.moved;
    if (side === "own") return spot;
    const one = this.shown[side];
    return one ? this.#sure(matchOf(one.back, one.grid, spot)) : null;
  }

  #sure(match) {
    return match && match.sureness >= this.found.least ? { x: match.x, y: match.y } : null;
  }

  draw() {
    const { moved, ownSpot } = this;
    this.panes.own.setSpot(ownSpot);
    this.panes.own.say(ownSpot ? "" : "Not visible here");
    for (const side of ["a", "b"]) {
      const one = this.shown[side];
      this.#drawCaption(side, one);
      if (!one) continue;
      const spot = moved.side === side ? moved.spot : ownSpot && this.#sure(matchOf(one.there, this.tokens, ownSpot));
      this.panes[side].setSpot(spot);
      if (this.panes[side].image || !spot) this.panes[side].say(spot ? "" : "Not visible here");
    }
    this.#drawCaption("own", null);
    this.says.replaceChildren(...this.#words(ownSpot));
  }

  #words(spot) {
    const { a, b, area, box, contrast, grid, parts = [], total, isSum = true } = this.asked;
    if (!spot) return ["Nothing in the picture looks like this place"];
    if (!isSum) return ["The same place, side by side"]; // Grad-CAM has no unit and adds up to nothing
    const [covered, read] = [area ?? WHOLE, box ?? WHOLE];
    const place = intoBox(ontoPicture(spot, read), covered);
    const value = insideOf(contrast, grid, place, radiusOf(this.tokens, read, covered));
    const rest = h("span", { class: "fg-quiet fg-num" }, ` ${signed(value)} here, ${signed(total)} in all`);
    const here = partIn(parts, grid, place) ?? "This place";
    if (Math.abs(value) < 0.005) return [`${here} says nothing between them`, rest];
    const [side, kind] = value > 0 ? ["a", a] : ["b", b];
    return [`${here} speaks for `, h("span", { class: `fg-${side}` }, kind.name), rest];
  }

  #drawCaption(side, one) {
    const { caption } = this.panes[side];
    if (side === "own") return caption.replaceChildren(h("b", {}, "This picture"));
    const count = this.pictures(side).length;
    const name = h("span", { class: "fg-compare-name" }, h("b", { class: `fg-${side}` }, side.toUpperCase()), " ", this.asked[side].name);
    const next = (by, sign, words) =>
      h(
        "button",
        {
          type: "button",
          class: "fg-compare-step",
          "data-step": String(by),
          "aria-label": `${words} picture of ${side.toUpperCase()}`,
          onclick: () => this.stepByButton(side, by),
        },
        sign,
      );
    const at = `${this.chosen[side] + 1} of ${count}`;
    const credit = one?.credit || (one ? (one.checked ? "checked by an expert" : "not checked") : "");
    return caption.replaceChildren(
      name,
      h("span", { class: "fg-quiet fg-small fg-compare-credit", title: credit }, credit),
      count > 1
        ? h(
            "span",
            { class: "fg-compare-steps" },
            next(-1, "‹", "Previous"),
            h("span", { class: "fg-num fg-small" }, at),
            next(1, "›", "Next"),
          )
        : "",
    );
  }

  /** The button is drawn anew: it keeps the focus. */
  stepByButton(side, by) {
    this.step([side], by);
    this.panes[side].caption.querySelector(`[data-step="${by}"]`)?.focus();
  }

  // --- hands ---------------------------------------------------------------------------------------------

  setClose(isClose) {
    this.isClose = isClose;
    this.dialog.classList.toggle("is-wide", !isClose);
    this.wide.replaceChildren(isClose ? "Whole pictures" : "Close up", h("kbd", {}, "M"));
    for (const pane of Object.values(this.panes)) pane.setClose(isClose);
    this.draw();
  }

  key(event) {
    event.stopPropagation(); // the page below answers to keys, too
    const key = keyOf(event);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (key === "m") this.setClose(!this.isClose);
    else if (step) this.step(["a", "b"], step);
    else return;
    event.preventDefault();
  }
}

/** "This place (crown)", where a part that has a name is there; null where none is. */
function partIn(parts, grid, spot) {
  const part = partAt(parts, placeOf(grid, spot));
  return part && !/^part \d+$/.test(part.name) ? `This place (${iso(part.name)})` : null;
}
