// The picture that a visitor left with a suggestion: the link with which it can be deleted, and what that link opens.

import { ask, keepAsking } from "../shared/client.js";
import { h } from "../shared/dom.js";

const MARK = "#classify&receipt="; // as ./dialogs.js looks for it
const WORDS = {
  kept: (until) => `Experts can see the picture that you left. It is removed on ${until}, unless one of them accepts it before.`,
  used: () =>
    "An expert has accepted the picture that you left. You can still delete it: it leaves the labelled pictures, and no model learns from it any more. A model that has learned from it before keeps what it learned, but not the picture.",
  removed: () => "The picture that you left is deleted. Your words stay, without it.",
  elsewhere: () => "The same picture was also brought in by a maintainer of this page, so it stays. Ask them if it is yours.",
};

const day = (iso) => (iso ? new Date(iso).toLocaleDateString(undefined, { dateStyle: "long" }) : "");

/** What is said after a picture was left: until when, and the link to keep. */
export function receiptLink(receipt, keptUntil) {
  const link = new URL(`${MARK}${receipt}`, document.baseURI).href;
  const field = h("input", {
    type: "text",
    readonly: true,
    value: link,
    "aria-label": "Link to delete the picture",
    onfocus: (event) => event.target.select(),
  });
  const copy = h("button", { type: "button", class: "fg-button" }, "Copy the link");
  copy.addEventListener("click", async () => {
    field.select();
    await navigator.clipboard?.writeText(link).then(
      () => (copy.textContent = "Copied"),
      () => {},
    );
  });
  return [
    h("p", {}, `Your picture is kept until ${day(keptUntil)}, or until you delete it with this link. Nobody else has it, so keep it.`),
    h("p", { class: "fg-receipt" }, field, copy),
  ];
}

/** Fill an open dialog: what became of the picture, and a button that deletes it. */
export async function openReceipt(dialog, receipt) {
  const close = () => dialog.close();
  const show = (reply) => {
    const words = reply.error ?? WORDS[reply.state](day(reply.kept_until));
    const canDelete = !reply.error && ["kept", "used"].includes(reply.state);
    const remove = h(
      "button",
      { type: "button", class: "fg-button fg-primary", hidden: !canDelete && !reply.again },
      reply.again ? "Try again" : "Delete my picture",
    );
    remove.addEventListener("click", async () => {
      remove.disabled = true;
      show(await ask(reply.again ? "my_picture" : "forget_picture", { receipt })); // never deleted by a second try alone
    });
    const leave = h("button", { type: "button", class: "fg-button", onclick: close }, "Close");
    dialog.replaceChildren(
      h("h2", { id: "fg-receipt-title" }, "Your picture"),
      h("p", { role: "status" }, words),
      h("p", { class: "fg-form-actions" }, leave, remove),
    );
    leave.focus();
  };
  show(await keepAsking("my_picture", { receipt }));
}
