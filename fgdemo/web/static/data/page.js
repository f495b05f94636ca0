// The Data page: pictures in, pictures out, people. A transfer runs on the server, so the page may be left meanwhile.

import { ask, keepAsking } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { gate, isShown, whoAmI } from "../head/nav.js";
import { Imports } from "./imports.js";
import { filesOf, newBatch, sendFiles, sorted } from "./uploads.js";
import { drawPeople, drawTransfer } from "./views.js";

const POLL_MS = 1000;
/** @type {[string, string, string][]} */
const FORMATS = [
  ["imagefolder", "Folders", "A folder for each split and kind, with the pictures. For training anywhere."],
  ["csv", "Table", "One row a picture: label, who gave it, whether it was checked. No pictures."],
  ["jsonl", "Everything", "Pictures and the whole history: who said what and when. Comes back in as it went out."],
  ["datasets", "Hugging Face data set", "Parquet with class names and splits, for the datasets library and the Hub."],
  ["label-studio", "Label Studio", "Tasks with annotations and predictions, with the pictures."],
];

export function mount(element) {
  return new DataPage(element.querySelector(".fg-data"));
}

class DataPage {
  constructor(root) {
    this.root = root;
    this.format = "imagefolder";
    this.turn = 0;
    this.isRunning = false;
    /** @type {string | null} */
    this.asked = null;
    /** @type {AbortController | null} */
    this.sending = null;
    const acts = {
      files: () => this.$('[data-field="files"]').click(),
      folder: () => this.$('[data-field="folder"]').click(),
      export: () => this.begin("data_export", { format: this.format }),
    };
    this.root.addEventListener("click", (event) => acts[event.target.closest("[data-do]")?.dataset.do]?.());
    for (const field of this.root.querySelectorAll("[data-field]")) {
      const take = () => {
        this.bringIn([...field.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
        field.value = "";
      };
      field.addEventListener("change", take);
      take(); // files that were chosen before this script had loaded
    }
    this.listenForDrops(this.$("[data-drop]"));
    this.$('[data-form="location"]').addEventListener("submit", (event) => {
      event.preventDefault();
      const location = this.$("#fg-location").value.trim();
      if (location) this.begin("data_import", { location, about: location.slice(-200) });
    });
    this.$('[data-form="person"]').addEventListener("submit", (event) => this.addPerson(event));
    this.imports = new Imports(this.$(".fg-imports"), this.$('[data-message="imports"]'), this.$("dialog"));
    this.drawFormats();
    addEventListener("beforeunload", (event) => this.sending && event.preventDefault());
    document.addEventListener("fg-page", (event) => event.detail === "data" && this.open());
    this.root.dataset.ready = "true";
    if (isShown("data")) this.open();
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  async open() {
    const me = await whoAmI();
    const isMaintainer = me.role === "maintainer";
    [this.$(".fg-data-gate").hidden, this.$(".fg-data-body").hidden] = [isMaintainer, !isMaintainer];
    this.root.dataset.state = isMaintainer ? "ready" : "gate";
    if (!isMaintainer) {
      const words =
        me.role === "expert"
          ? h(
              "div",
              { class: "fg-gate" },
              h("h1", {}, "Pictures in and out"),
              h("p", { class: "fg-quiet" }, "Only maintainers may bring pictures in and take them out."),
            )
          : gate(me, "Pictures in and out");
      this.$(".fg-data-gate").replaceChildren(words);
      return;
    }
    this.follow();
    this.imports.load();
    this.showPeople(await keepAsking("people_list", {}, { isWanted: () => isShown("data") }));
  }

  listenForDrops(place) {
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
      place.addEventListener(name, async (event) => {
        event.preventDefault();
        place.classList.toggle("is-over", name === "dragenter" || name === "dragover");
        if (name === "drop") this.bringIn(await filesOf(event.dataTransfer));
      });
    }
  }

  // --- in and out --------------------------------------------------------------------------------------

  /** Send the files, then let the server take them in. */
  async bringIn(chosen) {
    if (!chosen.length || this.sending || this.asked) return;
    const [files, behind] = sorted(chosen);
    const names = [...new Set(behind.map(({ path }) => path.split("/").pop()))];
    const stay = behind.length
      ? `${names.slice(0, 3).join(", ")}${names.length > 3 ? " …" : ""} (hidden, or left by a system) ${behind.length === 1 ? "was" : "were"} not sent`
      : "";
    if (!files.length) return this.fail(`${stay}: there is nothing else to bring in.`);
    const batch = newBatch();
    const what =
      files.length === 1
        ? files[0].path
        : `${files[0].path.includes("/") ? files[0].path.split("/")[0] : `${files[0].path} and more`} (${files.length.toLocaleString("en")} files)`;
    const about = stay ? `${what.slice(0, 100)}; ${stay}` : what;
    this.sending = new AbortController();
    const show = (stage, done, of) =>
      this.show({ kind: "import", about, state: "running", stage, done, of, unit: "bytes", left_out: [] }, () => this.sending?.abort());
    show("sending", 0, 1);
    const error = await sendFiles(batch, files, show, this.sending.signal);
    /** @type {AbortController | null} */
    this.sending = null;
    if (error) this.fail(error, about);
    else this.begin("data_import", { batch, about: about.slice(0, 200) });
  }

  async begin(question, asked) {
    const reply = await ask(question, asked);
    if (!reply.error) this.show(reply.transfer);
    else if (!reply.lost) return this.fail(reply.error);
    const now = await this.follow(); // where the answer was lost, this shows what became of it
    if (reply.lost && !["running", "asking"].includes(now?.transfer?.state))
      this.fail(`${reply.error} Nothing seems to have begun: try again.`);
    return undefined;
  }

  fail(sentence, about = "") {
    const { isRunning } = this;
    this.turn += 1; // what was asked before does not show an older transfer over this
    if (isRunning) this.timer = setTimeout(() => this.follow(), POLL_MS);
    this.show({ kind: "import", about, state: "failed", sentence, left_out: [] });
  }

  /** Look at the transfer once a second while it runs and somebody looks. */
  async follow() {
    clearTimeout(this.timer);
    this.turn += 1;
    const { turn } = this;
    const reply = await keepAsking("data_now", {}, { isWanted: () => turn === this.turn && isShown("data") });
    if (turn !== this.turn) return null;
    if (!this.sending && !reply.error) this.show(reply.transfer);
    if (reply.transfer?.state === "running" && isShown("data")) this.timer = setTimeout(() => this.follow(), POLL_MS);
    return reply;
  }

  /** @param {any} transfer @param {() => unknown} onCancel */
  show(transfer, onCancel = () => this.begin("data_cancel", {})) {
    const isAsking = transfer?.state === "asking";
    const { asked } = transfer ?? {};
    if (!isAsking || this.asked !== asked)
      drawTransfer(this.$(".fg-transfer"), transfer, {
        onCancel,
        onGoOn: () => this.begin("data_go_on", {}),
        onYes: (unsorted) => this.begin("data_accept", { asked, unsorted }),
        onNo: () => this.begin("data_decline", { asked }),
      });
    this.asked = isAsking ? asked : null; // what is chosen there stays, however often it is looked at
    const busy = transfer?.state === "running" || isAsking;
    if (this.isRunning && transfer?.state !== "running") this.imports.load();
    this.isRunning = transfer?.state === "running" && !this.sending;
    for (const button of this.root.querySelectorAll('[data-do], [data-form="location"] button')) button.disabled = busy;
  }

  drawFormats() {
    const row = ([format, name, about]) =>
      h(
        "label",
        { class: "fg-format" },
        h("input", {
          type: "radio",
          name: "fg-format",
          value: format,
          checked: format === this.format,
          onchange: () => (this.format = format),
        }),
        h("span", { class: "fg-format-name" }, name),
        h("span", { class: "fg-quiet fg-small" }, about),
      );
    this.$(".fg-formats").replaceChildren(...FORMATS.map(row));
  }

  // --- people ------------------------------------------------------------------------------------------

  showPeople(reply) {
    this.$('[data-message="people"]').textContent = reply.error ?? "";
    if (!reply.error) drawPeople(this.$(".fg-people"), reply, (change) => this.changePeople("people_change", change), this.$("dialog"));
  }

  /** Where that fails, the people are shown as they are, and not as somebody has just wished them. */
  async changePeople(question, asked) {
    const reply = await ask(question, asked);
    if (!reply.error) this.showPeople(reply);
    else {
      this.showPeople(await keepAsking("people_list", {}, { isWanted: () => isShown("data") }));
      this.$('[data-message="people"]').textContent = reply.lost
        ? `${reply.error} Nothing is known of this change: here is how it stands now.`
        : reply.error;
    }
    return reply;
  }

  async addPerson(event) {
    event.preventDefault();
    const [name, role, password] = ["#fg-new-name", "#fg-new-role", "#fg-new-password"].map((field) => this.$(field));
    const reply = await this.changePeople("people_add", { name: name.value, role: role.value, password: password.value });
    if (!reply.error) name.value = password.value = "";
  }
}
