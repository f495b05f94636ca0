// The view of many pictures: filter, grid, one picture closely, and the keys that say what they are.

import { confirmIn, h, isTyping } from "../shared/dom.js";
import { digitOf, keyOf } from "../shared/keyboard.js";
import { iso } from "../shared/names.js";
import { isShown } from "../head/nav.js";
import { Bulk } from "./bulk.js";
import { pictures } from "./chosen.js";
import { drawFilter, openSearch } from "./filter.js";
import { Grid } from "./grid.js";
import { Inspector } from "./inspector.js";
import { askRemoval } from "../removing/dialog.js";
import { openPoints } from "../points/dialog.js";
import { askToPublish } from "./publish.js";
import { filterOf, linkTo } from "./route.js";

/** @type {[string[], string][]} */
const KEYS = [
  [["1", "…", "9"], "the chosen pictures are this kind"],
  [["G"], "their labels are right"],
  [["/"], "search another kind"],
  [["X"], "unusable"],
  [["O"], "none of these kinds"],
  [["B"], "gold pictures that were taken out: back into gold"],
  [["V"], "publish, or withdraw (maintainers)"],
  [["Z"], "take back the last answer"],
  [["←", "↑", "→", "↓"], "move"],
  [["Shift", "→"], "choose from here on"],
  [["Space"], "choose this one too, or no longer"],
  [["A"], "choose all"],
  [["Esc"], "choose none, or close"],
  [["↵"], "large"],
  [["E"], "picture, A − B, parts"],
  [["F"], "colours of the map, or its outline"],
  [["M"], "the same place in pictures of both kinds, side by side"],
  [["P"], "teach parts: place points on it"],
  [["Delete"], "remove for good: asked first, for maintainers"],
];
const ARROWS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);

export class Pictures {
  constructor(root, dialog, onDone) {
    this.root = root;
    this.dialog = dialog;
    const $ = (selector) => root.querySelector(selector);
    this.tiles = $(".fg-tiles");
    this.inspector = new Inspector($(".fg-inspector"), { onClose: () => this.tiles.focus({ preventScroll: true }) });
    this.grid = new Grid(this.tiles, $(".fg-more"), {
      onChange: () => this.bulk?.draw(),
      onLook: (tile, isLarge) => {
        this.inspector.look(tile);
        if (isLarge) this.inspector.setLarge(true);
      },
      onSay: (text) => this.bulk.say(text),
    });
    this.bulk = new Bulk($(".fg-bulk"), this.grid, {
      onLook: () => this.look(),
      onSearch: () => this.search(),
      onKeys: () => this.showKeys(),
      onConfirm: (...asked) => this.confirm(...asked),
      onPublish: () => askToPublish(this.dialog, this.bulk),
      onDone: () => this.afterAnswer(onDone),
    });
    this.onRemoved = async (words) => {
      if (this.opened) await this.open(this.opened.route, this.opened.overview, this.opened.mayAdjudicate);
      this.bulk.say(words);
      onDone();
    };
    document.addEventListener("keydown", (event) => this.onKey(event));
  }

  async open(route, overview, mayAdjudicate) {
    this.opened = { route, overview, mayAdjudicate };
    this.inspector.onRemove = mayAdjudicate ? () => this.remove() : null;
    this.bulk.mayAdjudicate = this.grid.mayChooseGold = mayAdjudicate;
    this.bulk.gold = overview.gold_check;
    const [filter, banner] = [this.root.querySelector(".fg-review-filter"), this.root.querySelector(".fg-banner")];
    const draw = (names, groups, total) => drawFilter(filter, { route, overview, names, groups, dialog: this.dialog, total });
    this.inspector.clear();
    this.bulk.say("");
    banner.hidden = true;
    draw({}, [], null);
    const reply = await this.grid.load(filterOf(route));
    if (reply.error) {
      [banner.textContent, banner.hidden] = [reply.error, false];
      this.grid.moreLine.replaceChildren();
    }
    if (!reply.tiles) return;
    draw(reply.names, reply.groups, reply.total);
    this.bulk.draw();
    if (!reply.total) this.grid.moreLine.replaceChildren(...nothing(route, overview));
  }

  leave() {
    this.grid.turn += 1;
    this.grid.reset({});
    this.inspector.clear();
  }

  afterAnswer(onDone) {
    const tile = this.grid.tiles[this.grid.cursor];
    if (tile) this.inspector.look(tile);
    clearTimeout(this.later);
    this.later = setTimeout(onDone, 1500); // the ranking that the figures stand on is made in the background
  }

  /** Large, and small again. */
  look() {
    const tile = this.grid.tiles[this.grid.cursor];
    if (tile) this.inspector.look(tile);
    this.inspector.setLarge(!this.inspector.isLarge && Boolean(tile));
  }

  openPoints() {
    const tile = this.grid.tiles[this.grid.cursor];
    if (tile) openPoints(tile.image, { onClose: (hasChanged) => hasChanged && this.inspector.lookAgain(tile) });
  }

  /** The chosen pictures go for good; gold ones are chosen by themselves. */
  remove() {
    if (!this.bulk.mayAdjudicate) return this.bulk.say("Only maintainers may remove pictures. X calls them unusable.", true);
    return askRemoval(this.dialog, this.grid.targets, (count) => {
      this.inspector.clear();
      this.onRemoved(`${pictures(count)} removed for good.`);
    });
  }

  search() {
    const { locked, mayAdjudicate } = this.bulk;
    const count = this.grid.targets.length;
    const answer = (kind) => (taxon) => this.bulk.answer(kind, taxon.taxon, taxon.name);
    if (locked && !mayAdjudicate) this.bulk.refuseLocked();
    else if (locked)
      openSearch(
        this.dialog,
        count === 1 ? "What is this gold picture?" : `What are these ${count.toLocaleString("en")} gold pictures?`,
        answer("adjudication"),
        `${count === 1 ? `Labelled ${iso(locked.given_name)}. ` : ""}Your choice is the last word, and what every later model is measured by.`,
      );
    else if (count) openSearch(this.dialog, count === 1 ? "What is this picture?" : `What are these ${pictures(count)}?`, answer("label"));
  }

  /** Ask once before something that changes how models are judged. */
  confirm(title, words, act, onAct) {
    this.dialog.onkeydown = (event) => event.stopPropagation();
    confirmIn(this.dialog, title, words, act, onAct);
  }

  showKeys() {
    const close = () => this.dialog.close();
    this.dialog.onkeydown = (event) => event.stopPropagation();
    this.dialog.replaceChildren(
      h("h2", {}, "Keys"),
      h("p", { class: "fg-quiet fg-small" }, "About the chosen pictures, or where none is chosen, about the one under the cursor."),
      h(
        "dl",
        { class: "fg-keys" },
        ...KEYS.flatMap(([keys, does]) => [h("dt", {}, ...keys.map((key) => h("kbd", {}, key))), h("dd", {}, does)]),
      ),
      h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button", onclick: close }, "Close")),
    );
    this.dialog.showModal();
  }

  onKey(event) {
    if (this.root.hidden || !isShown("review") || isTyping(event) || document.querySelector("dialog[open]")) return;
    const { grid, bulk, inspector } = this;
    const isButton = event.target.matches?.("button:focus-visible, a:focus-visible") && !inspector.isLarge;
    if (isButton && (event.key === "Enter" || event.key === " ")) return;
    const acts = {
      g: () => bulk.answer("confirm"),
      x: () => (bulk.locked ? bulk.leaveGold("gold_unusable") : bulk.answer("unusable")),
      o: () => (bulk.locked ? bulk.leaveGold("gold_none") : bulk.answer("none")),
      b: () => bulk.backToGold(),
      v: () => askToPublish(this.dialog, bulk),
      z: () => bulk.undo(),
      a: () => grid.chooseAll(),
      e: () => inspector.next(),
      f: () => inspector.fill(),
      m: () => inspector.comparing.open(),
      p: () => this.openPoints(),
      Delete: () => this.remove(),
      "/": () => this.search(),
      "?": () => this.showKeys(),
      " ": () => grid.pick(grid.cursor, { toggle: true }),
      Enter: () => this.look(),
      Escape: () => (inspector.isLarge ? inspector.setLarge(false) : grid.clear()),
    };
    const key = keyOf(event);
    const number = bulk.likely[(digitOf(event) ?? 0) - 1];
    if (ARROWS.has(key ?? "")) {
      if (!inspector.isLarge) this.tiles.focus({ preventScroll: true });
      grid.step(key, event.shiftKey);
    } else if (number) bulk.answer("label", number.taxon, number.name);
    else if (acts[key]) acts[key]();
    else return;
    event.preventDefault();
  }
}

/** What to do where no picture is like that. */
function nothing(route, overview) {
  const link = (words, to) => h("a", { class: "fg-button", href: linkTo(to) }, words);
  if (!overview.pictures)
    return [
      h(
        "span",
        {},
        "There are no pictures here yet. A maintainer brings them in on ",
        h("a", { class: "fg-link", href: "#data" }, "Data"),
        ", or with ",
        h("code", {}, "python -m fgdemo import FOLDER"),
      ),
    ];
  if (route.state === "unchecked" && !route.given && !route.suggested)
    return [h("span", {}, "Every label has been checked."), " ", link("Show all pictures", { state: "all" })];
  if (route.state !== "all") return [h("span", {}, "No picture is like that."), " ", link("Checked or not", { ...route, state: "all" })];
  return [h("span", {}, "No picture is like that."), " ", link("Show all pictures", { state: "all" })];
}
