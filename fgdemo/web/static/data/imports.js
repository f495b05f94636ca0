// What was brought in, and taking it back: first what would happen, then a yes.

import { ask, keepAsking } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { isShown } from "../head/nav.js";

/** "1 picture", "12 pictures". */
export function pictures(count) {
  return count === 1 ? "1 picture" : `${count.toLocaleString("en")} pictures`;
}

/** What taking an import back would do, a sentence a thing. */
export function consequences(told) {
  const { pictures: gone, gold, labelled, people, relabelled } = told;
  const found = [];
  if (gone)
    found.push(
      `${pictures(gone)} ${gone === 1 ? "is" : "are"} removed for good, with ${gone === 1 ? "its thumbnail" : "their thumbnails"}${gold ? `; ${gold.toLocaleString("en")} of them ${gold === 1 ? "is" : "are"} gold, by which models are judged` : ""}.`,
    );
  if (relabelled)
    found.push(
      `${pictures(relabelled)} ${relabelled === 1 ? "was" : "were"} here before, or ${relabelled === 1 ? "was" : "were"} brought again: only what this import said of ${relabelled === 1 ? "it" : "them"} is undone.`,
    );
  if (labelled)
    found.push(
      `${labelled.toLocaleString("en")} of the removed ${labelled === 1 ? "has" : "have"} been labelled since, by ${people.slice(0, 3).map(iso).join(", ")}${people.length > 3 ? " and others" : ""}. ${labelled === 1 ? "This label stays" : "These labels stay"} as history, and no model learns from ${labelled === 1 ? "it" : "them"}.`,
    );
  found.push("The same import may be brought in again. Kinds that it made stay.");
  return found;
}

export class Imports {
  constructor(root, message, dialog) {
    this.root = root;
    this.message = message;
    this.dialog = dialog;
  }

  async load() {
    this.draw(await keepAsking("data_imports", {}, { isWanted: () => isShown("data") }));
  }

  draw(reply) {
    this.message.textContent = reply.error ?? "";
    if (!reply.error) this.root.replaceChildren(...this.rows(reply));
  }

  rows({ imports, count }) {
    if (!imports.length) return [h("p", { class: "fg-quiet fg-small" }, "Nothing was brought in yet.")];
    const row = (one) => {
      const when = new Date(one.run);
      const time = Number.isNaN(when.getTime()) ? one.run : when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
      const state = one.there ? (one.there < one.pictures ? `${one.there.toLocaleString("en")} still there` : "") : "taken back";
      return h(
        "li",
        { class: one.there ? null : "is-gone" },
        h("span", { class: "fg-import-about" }, one.about ? iso(one.about) : "An import"),
        h("span", { class: "fg-quiet fg-small fg-num" }, [time, one.person && `by ${iso(one.person)}`].filter(Boolean).join(", ")),
        h("span", { class: "fg-num" }, pictures(one.pictures), state ? h("span", { class: "fg-quiet" }, `, ${state}`) : ""),
        one.there
          ? h(
              "button",
              {
                type: "button",
                class: "fg-link",
                "aria-label": `Take back the import of ${time}`,
                onclick: () => this.consider(one, time),
              },
              "Take back…",
            )
          : h("span", {}),
      );
    };
    const more = count > imports.length ? [h("p", { class: "fg-quiet fg-small" }, `The newest ${imports.length} of ${count}.`)] : [];
    return [h("ul", {}, ...imports.map(row)), ...more];
  }

  async consider(one, time) {
    const told = await ask("data_import_about", { run: one.run });
    if (told.error) return this.load().then(() => (this.message.textContent = told.error));
    const close = () => this.dialog.close();
    const warning = h("p", { class: "fg-form-message", role: "alert" });
    const yes = h(
      "button",
      { type: "button", class: "fg-button fg-primary" },
      told.labelled ? "Take it back all the same" : "Take it back",
    );
    yes.onclick = async () => {
      yes.disabled = true;
      warning.textContent = "";
      const reply = await ask("data_take_back", { run: one.run, labelled: told.labelled });
      yes.disabled = false;
      if (reply.error) {
        warning.textContent = reply.lost ? `${reply.error} Look at the list before you try again.` : reply.error;
        return this.load();
      }
      close();
      return this.draw(reply);
    };
    this.dialog.replaceChildren(
      h(
        "div",
        { class: "fg" },
        h("h2", {}, `Take back the import of ${time}?`),
        ...consequences(told).map((sentence) => h("p", { class: "fg-quiet" }, sentence)),
        warning,
        h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button", onclick: close }, "Not now"), yes),
      ),
    );
    return this.dialog.showModal();
  }
}
