// A search field over all taxa, for mouse, touch and keyboard (a combobox with a list).

import { h, named } from "./dom.js";

const PAUSE_MS = 120;
let instances = 0;

/**
 * `search(query)` resolves to {taxa}, or {error}; `onPick(taxon)` when one is chosen. Returns the element; `.field` is its input.
 *
 * @param {{label: string, search: (query: string) => Promise<any>, onPick: (taxon: any) => void, onText?: (text: string) => void}} told
 */
export function taxonSearch({ label, search, onPick, onText }) {
  const id = `fg-search-${++instances}`;
  const list = h("ul", { id, role: "listbox", hidden: true });
  const field = h("input", {
    type: "search",
    placeholder: label,
    "aria-label": label,
    role: "combobox",
    "aria-expanded": "false",
    "aria-controls": id,
    "aria-autocomplete": "list",
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "search",
    maxlength: 120,
  });
  /** @type {any[]} */
  let found = [];
  let [active, timer, asked] = [-1, 0, 0];
  /** @type {string | null} */
  let foundFor = ""; // the text that `found` answers

  function close() {
    asked += 1;
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  /** @param {import("./dom.js").NamedTaxon} taxon */
  function pick(taxon) {
    field.value = taxon.name;
    close();
    onPick(taxon);
  }

  /** @param {number} next */
  function highlight(next) {
    active = found.length ? (next + found.length) % found.length : -1;
    for (const [index, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(index === active));
    if (active >= 0) {
      field.setAttribute("aria-activedescendant", `${id}-${active}`);
      list.children[active].scrollIntoView({ block: "nearest" });
    }
  }

  /** A press that leaves the focus in the field. @param {() => void} act */
  function held(act) {
    return (/** @type {Event} */ event) => {
      event.preventDefault();
      act();
    };
  }

  async function refresh() {
    const turn = ++asked;
    const query = field.value.trim();
    const reply = query ? await search(query) : { taxa: [] };
    if (turn !== asked) return;
    const taxa = reply.taxa ?? [];
    [found, foundFor] = [taxa, reply.error ? null : query];
    const items = found.map((taxon, index) =>
      h(
        "li",
        { role: "option", id: `${id}-${index}`, onpointerdown: held(() => pick(taxon)) },
        ...named(taxon),
        taxon.is_leaf ? null : h("span", { class: "fg-quiet" }, " group"),
      ),
    );
    const none = h("li", { class: "fg-quiet" }, reply.error ?? "No kind of that name");
    if (reply.again) none.append(" ", h("button", { type: "button", class: "fg-link", onpointerdown: held(refresh) }, "Try again"));
    list.replaceChildren(...(items.length || !query ? items : [none]));
    list.hidden = !query;
    field.setAttribute("aria-expanded", String(!list.hidden));
    highlight(0);
  }

  /** Enter: the highlighted taxon, or the first one for a text that was typed faster than it was answered. */
  async function take() {
    if (foundFor !== field.value.trim()) {
      clearTimeout(timer);
      await refresh();
    }
    if (!list.hidden && found[active] && foundFor === field.value.trim()) pick(found[active]);
  }

  field.addEventListener("input", () => {
    onText?.(field.value);
    clearTimeout(timer);
    timer = setTimeout(refresh, PAUSE_MS);
  });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // Enter ends what is being composed
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) refresh();
      else highlight(active + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      take();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  return Object.assign(h("div", { class: "fg-search" }, field, list), { field });
}
