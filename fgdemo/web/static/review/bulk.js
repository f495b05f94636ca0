// What the chosen pictures are: what each key would do, what was done, and the way back. Nothing happens by halves.

import { keepAsking, newKey } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { likely, pictures, sentence } from "./chosen.js";
import { PUBLISH, publicationWords, publishWords } from "./publish.js";

const A_FEW = 3; // gold pictures: more are only taken out or put back when asked once more
const KEPT = "fg-review-batches";

export class Bulk {
  mayAdjudicate = false;

  /** `onLook()` shows the picture under the cursor large; `onSearch()` and `onKeys()` open their dialogs; `onConfirm(title, paragraphs, act, onAct)` asks once more; `onPublish()` asks for whom they are; `onDone()` after answers were kept or taken back. */
  constructor(root, grid, { onLook, onSearch, onKeys, onConfirm, onPublish, onDone }) {
    this.root = root;
    this.grid = grid;
    this.onLook = onLook;
    this.onSearch = onSearch;
    this.onKeys = onKeys;
    this.onConfirm = onConfirm;
    this.onPublish = onPublish;
    this.onDone = onDone;
    /** @type {any[]} */
    this.likely = [];
    /** @type {any} */
    this.gold = null;
    this.isBusy = false;
    this.batches = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    addEventListener("beforeunload", (event) => this.isBusy && event.preventDefault()); // an answer is on its way
    this.said = h("p", { class: "fg-bulk-said", role: "status" });
    this.will = h("p", { class: "fg-bulk-will" });
    this.keys = h("div", { class: "fg-bulk-keys" });
    root.replaceChildren(h("div", { class: "fg-bulk-words" }, this.will, this.said), this.keys);
  }

  say(text, isWarning = false) {
    this.said.classList.toggle("is-warning", isWarning);
    this.said.replaceChildren(text);
  }

  /** The first of the gold pictures that a key is about, or null: their labels only a last word changes. Of gold pictures maintainers may choose several, and none of the others beside them. */
  get locked() {
    const [tile] = this.grid.targets;
    return tile?.locked ? tile : null;
  }

  /** Those of them that judge models, and those that were taken out of gold. */
  get golden() {
    const targets = this.locked ? this.grid.targets : [];
    return { inside: targets.filter((tile) => tile.given), outside: targets.filter((tile) => !tile.given) };
  }

  draw() {
    const { grid, locked } = this;
    const targets = grid.targets;
    this.likely = locked ? [] : likely(targets);
    this.root.classList.toggle("is-choosing", grid.chosen.size > 0);
    this.will.replaceChildren(...sentence(this.grid, this.locked, this.mayAdjudicate));
    /** @param {string} key @param {string} words @param {() => void} act @param {string | null} [title] */
    const button = (key, words, act, title = null) =>
      h("button", { type: "button", class: "fg-keybutton", title, onclick: act }, h("kbd", {}, key), h("span", {}, words));
    const about = pictures(targets.length);
    this.keys.replaceChildren(
      ...(locked ? [...(this.mayAdjudicate ? this.goldButtons(button) : []), button("↵", "Look closely", () => this.onLook())] : []),
      ...(targets.length && !locked
        ? [
            ...this.likely.map(({ taxon, name }, at) =>
              button(String(at + 1), name, () => this.answer("label", taxon, name), `${about} → ${iso(name)}`),
            ),
            button(
              "G",
              targets.length === 1 ? "Label is right" : "Labels are right",
              () => this.answer("confirm"),
              `${about}: each keeps its label, now checked`,
            ),
            button("/", "Another kind", () => this.onSearch()),
            button("X", "Unusable", () => this.answer("unusable"), `${about} → unusable`),
            button("O", "None of these", () => this.answer("none"), `${about} → none of these kinds`),
            ...(this.mayAdjudicate ? [button("V", publishWords(targets), () => this.onPublish(), PUBLISH)] : []),
            button("↵", "Look closely", () => this.onLook()),
          ]
        : []),
      ...(this.batches.length ? [button("Z", "Undo", () => this.undo(), this.batches.at(-1).words)] : []),
      button("?", "Keys", () => this.onKeys()),
    );
  }

  goldButtons(button) {
    const { inside, outside } = this.golden;
    const one = this.grid.targets.length === 1;
    return [
      ...(inside.length
        ? [
            button(
              "X",
              "Unusable: out of gold",
              () => this.leaveGold("gold_unusable"),
              `${pictures(inside.length)} → unusable, and no longer gold`,
            ),
            button(
              "O",
              "None of these: out of gold",
              () => this.leaveGold("gold_none"),
              `${pictures(inside.length)} → none of these kinds, and no longer gold`,
            ),
          ]
        : []),
      ...(outside.length
        ? [
            button(
              "B",
              "Back into gold",
              () => this.backToGold(),
              `${pictures(outside.length)}, with the ${outside.length === 1 ? "label it" : "labels they"} had there`,
            ),
          ]
        : []),
      button(
        "/",
        one ? "Correct its label" : "Correct their labels",
        () => this.onSearch(),
        `A last word on what ${one ? "this gold picture shows" : "these gold pictures show"}`,
      ),
    ];
  }

  leaveGold(answer) {
    const { inside } = this.golden;
    if (!this.mayAdjudicate) return this.refuseLocked();
    if (!inside.length) return this.say("These are out of gold already. B puts them back.", true);
    return this.withBrake(`Take ${pictures(inside.length)} out of gold?`, -inside.length, "Take them out", () =>
      this.answer(answer, null, "", inside),
    );
  }

  backToGold() {
    const { outside } = this.golden;
    if (!this.locked) return undefined;
    if (!this.mayAdjudicate) return this.refuseLocked();
    if (!outside.length) return this.say("These are in gold.", true);
    return this.withBrake(`Put ${pictures(outside.length)} back into gold?`, outside.length, "Put them back", () =>
      this.answer("gold_back", null, "", outside),
    );
  }

  /** More than a few change by what every model is judged: what that is, is said first. */
  withBrake(title, change, act, onAct) {
    if (Math.abs(change) <= A_FEW) return onAct();
    const judged = this.gold
      ? `Models are judged by ${this.gold.labelled.toLocaleString("en")} gold labels now, and by ${Math.max(0, this.gold.labelled + change).toLocaleString("en")} after it. `
      : "";
    const kinds = new Set(this.golden.inside.map((tile) => tile.given_name));
    const about =
      change < 0
        ? `They are labelled ${[...kinds].slice(0, 4).map(iso).join(", ")}${kinds.size > 4 ? ` and ${kinds.size - 4} more kinds` : ""}. They can be put back.`
        : "They have the labels again that they had there.";
    return this.onConfirm(
      title,
      [`${judged}Verdicts that were made before count no more: a model is compared anew before it goes live.`, about],
      act,
      onAct,
    );
  }

  refuseLocked() {
    this.say(
      `Locked, so nothing was changed.${this.mayAdjudicate ? " Press / to correct its label, X to take it out of gold." : ""}`,
      true,
    );
  }

  async answer(answer, taxon = null, name = "", targets = this.grid.targets) {
    if (!targets.length || this.isBusy) return;
    if (this.grid.isChoosing) return this.say("All pictures are still being fetched: press again when they are chosen.", true);
    if (this.locked && answer !== "adjudication" && !answer.startsWith("gold_")) return this.refuseLocked();
    const bare = answer === "confirm" ? targets.filter((tile) => !tile.given).length : 0;
    if (bare)
      return this.say(
        `${pictures(bare)} ${bare === 1 ? "has" : "have"} no label yet that could be right. Say what ${bare === 1 ? "it is" : "they are"}: a number, or / to search.`,
        true,
      );
    const what = {
      label: `→ ${iso(name)}`,
      adjudication: `→ ${iso(name)}`,
      confirm: targets.length === 1 ? ": label is right" : ": labels are right",
      unusable: "→ unusable",
      none: "→ none of these",
      gold_unusable: "→ unusable, out of gold",
      gold_none: "→ none of these, out of gold",
      gold_back: "→ back in gold",
    }[answer];
    return this.keep("review_answer", { answer, taxon }, targets, `${pictures(targets.length)}${what.startsWith(":") ? "" : " "}${what}`);
  }

  /** What maintainers say of who may see the pictures; `publication` is {credit, licence}, or null to withdraw them. */
  publish(publication, targets) {
    const words = `${pictures(targets.length)} → ${publicationWords(publication)}`;
    return this.isBusy ? undefined : this.keep("review_publish", { ...publication }, targets, words);
  }

  /** Send one answer about many pictures until the server has it; `words` say what it was. */
  async keep(question, asked, targets, words) {
    this.isBusy = true;
    const items = targets.map(({ image, version }) => ({ image, version }));
    this.say(`Saving ${pictures(targets.length)}…`);
    const { turn } = this.grid;
    // The key makes them one answer, however often it is sent.
    const onTrouble = ({ error }) => this.say(`${pictures(targets.length)} not saved yet. ${error} Trying again…`, true);
    const reply = await keepAsking(question, { key: newKey(), ...asked, items }, { onTrouble });
    this.isBusy = false;
    if (reply.error) return this.refuse(reply, targets);
    if (reply.batch) this.remember([...this.batches, { batch: reply.batch, words }]);
    const last = Math.max(...targets.map((tile) => this.grid.at.get(tile.image) ?? -1));
    this.grid.take(reply.tiles);
    if (turn === this.grid.turn) {
      this.grid.clear();
      this.grid.moveOn(last);
    }
    this.draw();
    this.say(`${words}. Saved.`);
    return this.onDone();
  }

  /** Nothing was kept. What changed meanwhile is shown as it is now, and is no longer chosen. */
  refuse(reply, targets) {
    if (!reply.stale) return this.say(reply.error ?? "Nothing was kept.", true);
    this.grid.take(reply.stale, "is-stale");
    const stale = new Set(reply.stale.map((tile) => tile.image));
    this.grid.choose(new Map([...this.grid.chosen].filter(([image]) => !stale.has(image))));
    const left = targets.length - stale.size;
    this.draw();
    return this.say(`${reply.error} Look at what is marked${left ? `, or press again for the other ${left}` : ""}.`, true);
  }

  async undo() {
    const last = this.batches.at(-1);
    if (!last || this.isBusy) return;
    this.isBusy = true;
    const onTrouble = ({ error }) => this.say(`Not taken back yet. ${error} Trying again…`, true);
    const reply = await keepAsking("review_undo", { batch: last.batch }, { onTrouble });
    this.isBusy = false;
    if (reply.code !== "forbidden" && reply.code !== "outdated") this.remember(this.batches.slice(0, -1));
    if (!reply.error) this.grid.take(reply.tiles);
    this.draw();
    this.say(reply.error ?? `Taken back: ${last.words}.`, Boolean(reply.error));
    if (!reply.error) this.onDone();
  }

  /** So that a page that is loaded again can still take back. */
  remember(batches) {
    this.batches = batches.slice(-50);
    sessionStorage.setItem(KEPT, JSON.stringify(this.batches));
  }
}
