// What the Data page draws: a transfer as it stands, and the people.

import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { drawForeseen } from "./foreseen.js";
import { duration } from "../shared/words.js";

/** A transfer, or nothing where there has been none. */
export function drawTransfer(root, transfer, { onCancel, onGoOn, onYes, onNo }) {
  root.hidden = !transfer;
  if (!transfer) return root.replaceChildren();
  root.dataset.state = transfer.state;
  const about = transfer.kind === "export" ? "Preparing the download" : transfer.about;
  if (transfer.state === "running") return root.replaceChildren(...running(transfer, about, onCancel));
  if (transfer.state === "asking") return drawForeseen(root, transfer, { onYes, onNo });
  if (transfer.state === "interrupted") {
    return root.replaceChildren(
      h("p", {}, "The server ended in the middle of an import: ", h("b", {}, transfer.about)),
      h("p", { class: "fg-row-actions" }, h("button", { type: "button", class: "fg-button fg-primary", onclick: onGoOn }, "Go on with it")),
    );
  }
  /** @type {HTMLElement[]} */
  const words = [h("p", {}, transfer.about && transfer.kind === "import" ? h("b", {}, `${iso(transfer.about)}: `) : "", transfer.sentence)];
  if (transfer.state === "done" && transfer.kind === "export" && transfer.size_bytes !== null) {
    const download = h(
      "a",
      { class: "fg-button fg-primary", href: new URL("fgdemo/data/export", document.baseURI), download: "" },
      `Download, ${megabytes(transfer.size_bytes)}`,
    );
    words.push(h("p", { class: "fg-row-actions" }, download));
  }
  if (transfer.left_out_count) words.push(leftOut(transfer));
  if (transfer.state === "done" && transfer.kind === "import") {
    words.push(
      h(
        "p",
        { class: "fg-row-actions" },
        h("a", { class: "fg-button fg-primary", href: "#label" }, "Label"),
        h("a", { class: "fg-button", href: "#review" }, "Review"),
      ),
    );
  }
  return root.replaceChildren(...words);
}

function running({ stage, done, of, left_s: left, unit }, about, onCancel) {
  const number = (value) => (unit === "bytes" ? megabytes(value) : value.toLocaleString("en"));
  const facts = [of ? `${stage}: ${number(done)} of ${number(of)}` : stage, left ? `${duration(left)} left` : ""].filter(Boolean);
  const bar = h("progress", { max: of || 1, "aria-label": about });
  if (of) bar.value = done;
  return [
    h("p", {}, h("b", {}, about)),
    bar,
    h(
      "p",
      { class: "fg-transfer-facts" },
      h("span", { class: "fg-quiet fg-num" }, facts.join(", ")),
      h("button", { type: "button", class: "fg-link", onclick: onCancel }, "Cancel"),
    ),
  ];
}

function leftOut({ left_out: rows, left_out_count: count, has_list: hasList }) {
  const list = h("ul", {}, ...rows.map(([name, reason]) => h("li", {}, h("b", {}, name), ` ${reason}`)));
  const all = hasList
    ? h(
        "p",
        {},
        h("a", { class: "fg-link", href: new URL("fgdemo/data/left-out.csv", document.baseURI), download: "" }, "All of them as a table"),
      )
    : null;
  return h("details", { class: "fg-left-out" }, h("summary", {}, `${count.toLocaleString("en")} left out`), list, all);
}

function megabytes(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
}

/** A table of accounts; `onChange({name, role | disabled | password})`. */
export function drawPeople(root, { people, me }, onChange, dialog) {
  const role = (person) =>
    person.name === me
      ? h("span", {}, person.role)
      : h(
          "select",
          { "aria-label": `Role of ${iso(person.name)}`, onchange: (event) => onChange({ name: person.name, role: event.target.value }) },
          ...["visitor", "expert", "maintainer"].map((name) => h("option", { value: name, selected: name === person.role }, name)),
        );
  const shut = (person) =>
    person.name === me
      ? h("span", { class: "fg-quiet" }, "you")
      : h(
          "button",
          { type: "button", class: "fg-link", onclick: () => onChange({ name: person.name, disabled: !person.disabled }) },
          person.disabled ? "Enable" : "Disable",
        );
  const row = (person) =>
    h(
      "li",
      { class: person.disabled ? "is-shut" : null },
      h("span", { class: "fg-person-name" }, person.name),
      role(person),
      h("button", { type: "button", class: "fg-link", onclick: () => askPassword(dialog, person.name, onChange) }, "New password"),
      shut(person),
    );
  root.replaceChildren(h("ul", {}, ...people.map(row)));
}

function askPassword(dialog, name, onChange) {
  const field = h("input", { type: "password", id: "fg-changed-password", minlength: 8, required: true, autocomplete: "new-password" });
  const submit = (event) => {
    event.preventDefault();
    dialog.close();
    onChange({ name, password: field.value });
  };
  const actions = h(
    "p",
    { class: "fg-form-actions" },
    h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Cancel"),
    h("button", { type: "submit", class: "fg-button fg-primary" }, "Change it"),
  );
  dialog.replaceChildren(
    h(
      "form",
      { onsubmit: submit },
      h("h2", {}, `A new password for ${iso(name)}`),
      h("p", { class: "fg-quiet" }, "Everybody who is signed in to this account is signed out."),
      h("label", { for: "fg-changed-password" }, "Password, 8 characters or more"),
      field,
      actions,
    ),
  );
  dialog.showModal();
  field.focus();
}
