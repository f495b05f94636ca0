// The head of the page: which of the pages is shown, who is signed in, the way to the API.

import { get, keepTrying, loadAgain, needed, post, started } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { stopRepeats } from "../shared/keyboard.js";
import { iso } from "../shared/names.js";
import { mendPictures } from "../shared/pictures.js";

const PAGES = ["classify", "label", "review", "train", "data"];
const HUB = "hf:"; // begins the name of whoever signs in with Hugging Face
const opened = new Set();
/** @typedef {{name: string, role: string, any_account?: boolean, hub_sign_in?: boolean, [more: string]: any}} Person */
/** @type {Promise<Person> | null} */
let person = null;

/**
 * Who is signed in, asked until the server says so: nobody is taken for a visitor because an answer was lost.
 *
 * @returns {Promise<Person>}
 */
export function whoAmI() {
  person ??= keepTrying(() => get("fgdemo/me")).then((me) => (me.error ? { name: "visitor", role: "visitor", any_account: true } : me));
  return /** @type {Promise<Person>} */ (person);
}

/** Whether the sign-in that this page was opened with has ended. */
export async function isSignedOut() {
  const me = await keepTrying(() => get("fgdemo/me"));
  return me.code === "forbidden" || me.role === "visitor";
}

/** Whether the page of this name is the one that is shown. @param {string} page */
export function isShown(page) {
  return document.body.dataset.page === page;
}

/** @param {any} element the head */
export async function mount(element) {
  const [nav, button, dialog] = [
    element.querySelector("nav"),
    element.querySelector('[data-do="person"]'),
    element.querySelector("dialog"),
  ];
  const api = element.querySelector('[data-do="api"]');
  api.addEventListener("click", async () => {
    api.disabled = true;
    const { openApi } = await needed(() => import("./api.js"));
    await openApi();
    api.disabled = false;
  });
  api.disabled = false; // before, a click would have been lost
  const show = () => {
    const page = PAGES.find((one) => location.hash.startsWith(`#${one}`)) ?? "classify";
    document.body.dataset.page = page;
    for (const link of nav.children) {
      if (link.hash === `#${page}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.dispatchEvent(new CustomEvent("fg-page", { detail: page }));
    open(page);
  };
  addEventListener("hashchange", show);
  document.addEventListener("fg-sign-in", () => openSignIn(dialog));
  mendPictures();
  stopRepeats();
  let mayAnswer = false;
  followTrouble(element.querySelector(".fg-trouble"), () => mayAnswer);
  show();
  open("classify"); // which says in the head what the model is, whatever page is shown
  if (started.options.demo) scriptOf("demo").then((demo) => demo.mount(element, whoAmI()));
  const me = await whoAmI();
  const signedIn = me.role !== "visitor" || me.name.startsWith(HUB);
  mayAnswer = me.role !== "visitor";
  if (me.role !== "visitor") needed(() => import("./mirror.js")).then((mirror) => mirror.followMirror(element.querySelector(".fg-mirror")));
  for (const page of ["train", "data"]) nav.querySelector(`[href="#${page}"]`).hidden = me.role !== "maintainer" && !isShown(page);
  button.replaceChildren(...(signedIn ? [shownName(me), h("span", {}, ` · ${me.role}`)] : ["Sign in"]));
  button.title = signedIn ? "Sign out" : "";
  button.addEventListener("click", () => (signedIn ? openSignOut(dialog, me) : openSignIn(dialog)));
  button.disabled = false;
}

/**
 * The script of a page.
 *
 * @param {string} page
 */
function scriptOf(page) {
  return needed(() => import(`../${page}/page.js`));
}

/** Bring a page to life when it is first shown. @param {string} page */
async function open(page) {
  if (opened.has(page)) return;
  opened.add(page);
  const { mount } = await scriptOf(page);
  mount(document.getElementById(`fg-page-${page}`), started.options[page] ?? {});
}

/**
 * One line for all pages: why something is asked again, or what else the page needs to go on.
 *
 * @param {HTMLElement} line
 * @param {() => boolean} wasAllowed
 */
function followTrouble(line, wasAllowed) {
  const [words, button] = /** @type {HTMLCollectionOf<HTMLElement>} */ (line.children);
  const again = () => document.dispatchEvent(new Event("fg-try"));
  /** @type {[boolean, () => void]} */
  let [isStuck, act] = [false, again];
  /** @param {string} sentence @param {string} name @param {() => void} what */
  const stuck = (sentence, name, what) => {
    [isStuck, act, line.hidden] = [true, what, false];
    [words.textContent, words.title, button.textContent] = [sentence, sentence, name];
  };
  button.addEventListener("click", () => act());
  document.addEventListener("fg-outdated", () => stuck("The server was renewed meanwhile.", "Load the page again", loadAgain));
  document.addEventListener("fg-forbidden", async () => {
    if (wasAllowed() && !isStuck && (await isSignedOut()))
      stuck("You are not signed in any more.", "Sign in", () => document.dispatchEvent(new Event("fg-sign-in")));
  });
  document.addEventListener("fg-trouble", ({ detail: sentence }) => {
    if (isStuck) return;
    line.hidden = !sentence;
    if (sentence) words.title = words.textContent = `${sentence} Trying again…`;
  });
}

/** "ada", or "ada (Hugging Face)", who may be somebody else. @param {Person} me */
function shownName(me) {
  return me.name.startsWith(HUB) ? `${me.name.slice(HUB.length)} (Hugging Face)` : iso(me.name);
}

/** What a page shows to a person who may not use it. @param {Person} me @param {string} what */
export function gate(me, what) {
  const first = h("code", {}, "python -m fgdemo user add NAME --role maintainer");
  return h(
    "div",
    { class: "fg-gate" },
    h("h1", {}, what),
    me.any_account || me.hub_sign_in
      ? h("p", { class: "fg-quiet" }, "Experts sign in here. Anybody may classify pictures and suggest what is wrong.")
      : h("p", { class: "fg-quiet" }, "Nobody has an account here yet. Make the first one on the machine that serves this page: ", first),
    h(
      "p",
      {},
      h(
        "button",
        { type: "button", class: "fg-button fg-primary", onclick: () => document.dispatchEvent(new Event("fg-sign-in")) },
        "Sign in",
      ),
    ),
  );
}

/** The way to Hugging Face and back to the page one was on; nothing where that is not offered. @param {Person} me */
function hubSignIn(me) {
  if (!me.hub_sign_in) return [];
  const target = encodeURIComponent(`${location.pathname}${location.hash}`);
  const there = h("a", { class: "fg-button fg-hub", href: `login/huggingface?_target_url=${target}` }, "Sign in with Hugging Face");
  return [h("p", {}, there), h("p", { class: "fg-or fg-small" }, "or with an account of this page")];
}

/** @param {HTMLDialogElement} dialog */
async function openSignIn(dialog) {
  const me = await whoAmI();
  const message = h("p", { class: "fg-form-message", role: "alert" });
  const name = h("input", { type: "text", name: "username", id: "fg-name", autocomplete: "username", maxlength: 60, required: true });
  const password = h("input", { type: "password", name: "password", id: "fg-password", autocomplete: "current-password", required: true });
  const send = h("button", { type: "submit", class: "fg-button fg-primary" }, "Sign in");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    send.disabled = true;
    const reply = await post("fgdemo/sign-in", { name: name.value, password: password.value });
    send.disabled = false;
    if (reply.error) message.textContent = reply.error;
    else loadAgain();
  };
  dialog.replaceChildren(
    h(
      "form",
      { class: "fg", onsubmit: submit },
      h("h2", {}, "Sign in"),
      ...hubSignIn(me),
      h("label", { for: "fg-name" }, "Name"),
      name,
      h("label", { for: "fg-password" }, "Password"),
      password,
      message,
      h(
        "p",
        { class: "fg-form-actions" },
        h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Cancel"),
        send,
      ),
    ),
  );
  dialog.showModal();
  /** @type {HTMLElement} */ (dialog.querySelector(".fg-hub") ?? name).focus();
}

/** @param {HTMLDialogElement} dialog @param {Person} me */
function openSignOut(dialog, me) {
  const message = h("p", { class: "fg-form-message", role: "alert" });
  const leave = async () => {
    const reply = await post("fgdemo/sign-out", {});
    if (reply.error) message.textContent = reply.error;
    else loadAgain();
  };
  dialog.replaceChildren(
    h(
      "div",
      { class: "fg" },
      h("h2", {}, `Signed in as ${shownName(me)}`),
      h("p", { class: "fg-quiet" }, `Your role is ${me.role}. What you have answered is kept when you leave.`),
      message,
      h(
        "p",
        { class: "fg-form-actions" },
        h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Stay"),
        h("button", { type: "button", class: "fg-button fg-primary", onclick: leave }, "Sign out"),
      ),
    ),
  );
  dialog.showModal();
}
