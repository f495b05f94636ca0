// What a person writes about the picture on the screen: its kind searched for, a comment, a new kind,
// points on it; and what others said.

import { ask } from "../shared/client.js";
import { focusedIn, h } from "../shared/dom.js";
import { openPoints } from "../points/dialog.js";
import { taxonSearch } from "../shared/taxon_search.js";
import { openHistory, openNewKind } from "./dialogs.js";

const search = (query) => ask("label_search", { query });

export class Fields {
  /** @type {any} */
  item = null;
  comment = "";

  /** `onTaxon(id)` when a kind was chosen for the picture; `onSay(sentence)`. */
  constructor(root, { onTaxon, onSay }) {
    this.root = root;
    this.onTaxon = onTaxon;
    this.onSay = onSay;
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  /** Another picture, or none: nothing is written about it yet. */
  begin(item) {
    this.item = item;
    this.comment = "";
    this.close();
  }

  close() {
    for (const selector of [".fg-find", ".fg-comment"]) {
      const field = this.$(selector);
      if (field.hidden) continue;
      field.hidden = true;
      field.replaceChildren();
    }
    focusedIn(this.root)?.blur();
  }

  openSearch() {
    if (!this.item) return;
    const picker = taxonSearch({ label: "Kind or group", search, onPick: (taxon) => this.onTaxon(taxon.taxon) });
    picker.field.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && this.close());
    this.open(".fg-find", picker, picker.field);
  }

  openComment() {
    if (!this.item) return;
    const field = h("textarea", {
      rows: 2,
      maxlength: 2000,
      placeholder: "Comment, kept with your answer. Esc when done.",
      "aria-label": "Comment",
    });
    field.value = this.comment;
    field.addEventListener("input", () => (this.comment = field.value.trim()));
    field.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && field.blur());
    this.open(".fg-comment", field, field);
  }

  open(selector, content, field) {
    const place = this.$(selector);
    place.replaceChildren(content);
    place.hidden = false;
    field.focus();
  }

  openNewKind() {
    const { item } = this;
    if (!item) return;
    openNewKind(this.$("dialog"), {
      search,
      make: (kind) => ask("label_new_taxon", kind),
      onMade: (taxon) =>
        this.item === item ? this.onTaxon(taxon.taxon) : this.onSay("The kind is there now; the picture had changed meanwhile."),
    });
  }

  async openHistory() {
    const { item } = this;
    if (!item) return;
    const found = item.blind ? { events: [], isBlind: true } : ask("label_history", { image: item.image });
    const error = await openHistory(this.$("dialog"), found);
    if (error) this.onSay(error);
  }
  /** Points that teach parts; `onChanged(item)` where they were changed, and the picture is still on the screen. */
  openPoints(onChanged) {
    const { item } = this;
    if (item) openPoints(item.image, { onClose: (hasChanged) => hasChanged && this.item === item && onChanged(item) });
  }
}
