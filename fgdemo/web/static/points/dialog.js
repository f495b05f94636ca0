// Placing points on a picture of the workspace: a part is named, and clicked where it is. Over Label and Review, behind P.

import { ask, keepTrying } from "../shared/client.js";
import { button, h, quietButton } from "../shared/dom.js";
import { digitOf, keyOf } from "../shared/keyboard.js";
import { mark, partRow } from "./marks.js";
import { Placing } from "./placing.js";

const STEP = 0.01;
const FINE_STEP = 0.002;
const AGAIN_MS = 1500;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Open the dialog for a picture. `onClose` hears whether any point was kept.
 *
 * @param {string} image
 * @param {{modelVersion?: string | null, onClose?: (hasChanged: boolean) => void}} [more]
 */
export function openPoints(image, { modelVersion = null, onClose = () => {} } = {}) {
  return new PointsDialog(modelVersion, onClose).open(image);
}

class PointsDialog {
  hasChanged = false;
  isLeaving = false;
  isSaving = false;
  /** @type {any} */
  told = null;
  /** @type {Placing | null} */
  placing = null;
  later = 0;
  turn = 0;

  constructor(modelVersion, onClose) {
    this.modelVersion = modelVersion;
    this.image = h("img", { class: "fg-points-picture", alt: "", draggable: "false" });
    this.marks = h("div", { class: "fg-points-marks" });
    this.picture = h("div", { class: "fg-points-frame" }, this.image, this.marks);
    this.list = h("ol", { class: "fg-points-parts", "aria-label": "Parts" });
    this.field = h("input", { type: "text", placeholder: "Name a part, e.g. crown", "aria-label": "A new part", maxlength: 40 });
    this.said = h("p", { class: "fg-points-said", role: "status" });
    this.message = h("p", { class: "fg-form-message", role: "alert" });
    this.title = h("h2", {}, "Parts");
    this.saves = button("Save", () => this.save(false));
    this.goesOn = button("Save, next picture", () => this.save(true), { primary: true });
    this.accepts = quietButton("All guesses are right", () => this.act(() => this.placing?.accept()));
    const add = h(
      "form",
      {
        class: "fg-points-add",
        onsubmit: (event) => {
          event.preventDefault();
          this.addPart();
        },
      },
      this.field,
      h("button", { type: "submit", class: "fg-button" }, "Add"),
    );
    const keys = h(
      "p",
      { class: "fg-quiet fg-small" },
      "Click where the part is; drag to move it. 1–9 choose, arrows move, Del: not seen here, A all guesses, Z undo.",
    );
    this.dialog = h(
      "dialog",
      { class: "fg-dialog fg-points", "aria-label": "Points on a picture" },
      h(
        "div",
        { class: "fg fg-points-columns" },
        h("div", { class: "fg-points-stage" }, h("div", { class: "fg-points-fit" }, this.picture)),
        h(
          "div",
          { class: "fg-points-side" },
          h(
            "div",
            { class: "fg-points-title" },
            this.title,
            quietButton("Close", () => this.leave(), "Close the points"),
          ),
          this.said,
          this.list,
          this.accepts,
          add,
          this.message,
          h("p", { class: "fg-form-actions" }, this.saves, this.goesOn),
          keys,
        ),
      ),
    );
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.leave();
    });
    this.dialog.addEventListener("close", () => {
      this.turn += 1;
      clearTimeout(this.later);
      this.dialog.remove();
      onClose(this.hasChanged);
    });
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.listen();
  }

  async open(image) {
    if (!this.dialog.isConnected) {
      document.body.append(this.dialog);
      this.dialog.showModal();
    }
    const turn = ++this.turn;
    this.dialog.setAttribute("aria-busy", "true");
    const reply = await keepTrying(() => ask("points_open", { image }), { isWanted: () => turn === this.turn });
    if (turn === this.turn) this.show(reply);
    return this;
  }

  show(reply) {
    this.dialog.removeAttribute("aria-busy");
    if (reply.error) {
      this.message.textContent = reply.error;
      this.goesOn.disabled = this.saves.disabled = true;
      return;
    }
    this.told = reply;
    this.isLeaving = false;
    this.message.textContent = "";
    this.placing = new Placing(reply);
    this.image.onload = () => this.picture.style.setProperty("--aspect", String(this.image.naturalWidth / this.image.naturalHeight));
    this.image.src = new URL(reply.src, document.baseURI).href;
    this.title.textContent = reply.group_name ? `Parts: ${reply.group_name}` : "Parts";
    this.draw();
    this.follow();
    if (this.placing.parts.length) this.picture.focus();
    else this.field.focus();
  }

  /** What the server learns of the points meanwhile. */
  follow() {
    clearTimeout(this.later);
    if (!this.told.is_learning) return;
    const turn = this.turn;
    this.later = setTimeout(async () => {
      const reply = await ask("points_open", { image: this.told.image });
      if (turn !== this.turn || reply.error) return;
      this.told = reply;
      this.placing?.renew(reply);
      this.draw();
      this.follow();
    }, AGAIN_MS);
  }

  async save(goesOn) {
    const { placing, told } = this;
    if (!placing || this.isSaving) return;
    const { changed: points } = placing;
    if (points.length) {
      [this.isSaving, this.saves.disabled, this.goesOn.disabled] = [true, true, true];
      const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
      const question = { image: told.image, points, key, model_version: this.modelVersion };
      const reply = await keepTrying(() => ask("points_place", question), { isWanted: () => this.dialog.open });
      this.isSaving = false;
      if (reply.error) {
        this.message.textContent = reply.error;
        this.draw();
        return;
      }
      this.hasChanged = true;
      if (!goesOn || !reply.next) {
        this.show(reply);
        this.message.textContent = goesOn ? "Saved. No other picture of this group is known yet." : "Saved.";
        return;
      }
      await this.open(reply.next);
    } else if (goesOn && told.next) await this.open(told.next);
    else if (!goesOn) this.message.textContent = "Nothing was changed.";
  }

  /** Unsaved points are left only when that is asked for twice. */
  leave() {
    const count = this.placing?.changed.length ?? 0;
    if (!count || this.isLeaving) return this.dialog.close();
    this.isLeaving = true;
    this.message.textContent = `${count === 1 ? "1 point is" : `${count} points are`} not saved. Close again to leave ${count === 1 ? "it" : "them"}.`;
  }

  // --- drawing -------------------------------------------------------------------------------------------

  draw() {
    const { placing, told } = this;
    if (!placing) return;
    this.said.textContent = told.is_learning ? `${told.said} Learning from the newest points…` : told.said;
    this.list.replaceChildren(
      ...placing.parts.map((part, at) =>
        partRow(part, at, {
          isActive: placing.active === part.name,
          isHere: placing.points.has(part.name),
          onChoose: () => this.act(() => placing.choose(part.name)),
        }),
      ),
    );
    const marks = placing.parts.flatMap((part, at) => {
      const [place, guess] = [placing.points.get(part.name), placing.guesses.get(part.name)];
      const where = place ?? guess;
      return where
        ? [
            mark(part, at, where, {
              isGuess: !place,
              isActive: placing.active === part.name,
              isDoubtful: !place && placing.doubtful.has(part.name),
            }),
          ]
        : [];
    });
    this.marks.replaceChildren(...marks);
    this.accepts.hidden = !placing.sure.length;
    this.accepts.textContent = placing.sure.length < placing.guesses.size ? "All guesses without “?” are right" : "All guesses are right";
    const count = placing.changed.length;
    this.saves.disabled = this.isSaving || !count;
    this.goesOn.disabled = this.isSaving || (!count && !told.next);
    this.goesOn.textContent = count ? "Save, next picture" : "Next picture";
  }

  // --- hands ---------------------------------------------------------------------------------------------

  act(does) {
    this.isLeaving = false;
    this.message.textContent = "";
    does();
    this.draw();
  }

  addPart() {
    const { placing } = this;
    if (!placing) return;
    const trouble = placing.addPart(this.field.value);
    this.act(() => {});
    this.message.textContent = trouble;
    if (trouble) return;
    this.field.value = "";
    this.picture.focus();
  }

  /** Where on the picture a pointer is, as fractions. */
  placeOf(event) {
    const box = this.image.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  listen() {
    this.picture.tabIndex = 0;
    /** @type {string | null} */
    let dragged = null; // the part whose point is held
    this.picture.addEventListener("pointerdown", (event) => {
      if (event.button || !this.placing) return;
      event.preventDefault();
      this.picture.focus();
      this.picture.setPointerCapture(event.pointerId);
      const held = event.target instanceof Element ? event.target.closest(".fg-points-mark") : null;
      const part = held instanceof HTMLElement ? (held.dataset.part ?? null) : null;
      dragged = part;
      if (part) this.act(() => this.placing?.take(part));
      else if (this.placing.active === null) this.message.textContent = "Name a part first.";
      else this.act(() => this.placing?.place(this.placeOf(event)));
    });
    this.picture.addEventListener("pointermove", (event) => {
      const part = dragged;
      if (part && event.buttons) this.act(() => this.placing?.drag(part, this.placeOf(event)));
    });
    for (const name of ["pointerup", "pointercancel"]) this.picture.addEventListener(name, () => (dragged = null));
  }

  key(event) {
    event.stopPropagation(); // the page below answers to keys, too
    const { placing } = this;
    if (!placing || event.target === this.field) return;
    const key = keyOf(event);
    const digit = digitOf(event) ?? 0;
    const part = placing.active;
    const arrow = ARROWS[event.key];
    const isButton = event.target.matches?.("button");
    if (digit && placing.parts[digit - 1]) this.act(() => placing.choose(placing.parts[digit - 1].name));
    else if (arrow && part) {
      const step = event.shiftKey ? FINE_STEP : STEP;
      this.act(() => placing.nudge(part, step * arrow[0], step * arrow[1]));
    } else if ((key === "Delete" || key === "Backspace") && part) this.act(() => placing.set(part, null));
    else if (key === "a") this.act(() => placing.accept());
    else if (key === "z") this.act(() => placing.undo());
    else if (key === "Enter" && !isButton) this.save(true);
    else return;
    event.preventDefault();
  }
}
