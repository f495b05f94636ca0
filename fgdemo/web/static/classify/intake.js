// How pictures come in: chosen, dropped anywhere on the page, or pasted.

import { needed } from "../shared/client.js";
import { isTyping } from "../shared/dom.js";

/** Whether this tab is on the screen, with no dialog over it. */
export function isFree(root) {
  return root.isConnected && root.offsetParent !== null && !document.querySelector("dialog[open]");
}

/** `onFile(file)` for each, of a kind that the server reads; returns {choose}, which opens the file chooser. */
export function listenForPictures(root, onReadable) {
  let turn = 0; // the latest one; what takes longer to read must not come after it
  const onFile = async (file) => {
    const mine = ++turn;
    const { readable } = await needed(() => import("../shared/readable.js"));
    const picture = await readable(file);
    if (mine === turn) onReadable(picture);
  };
  const field = root.querySelector('input[type="file"]');
  const take = () => {
    if (field.files[0]) onFile(field.files[0]);
    field.value = "";
  };
  field.addEventListener("change", take);
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file && isFree(root) && !isTyping(event)) onFile(file);
  });
  for (const name of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
    document.addEventListener(name, (event) => {
      if (!isFree(root) || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // or the browser would leave the page to show the file
      const over = name !== "drop" && !(name === "dragleave" && event.relatedTarget === null);
      root.classList.toggle("is-dragging", over);
      if (name === "drop" && event.dataTransfer.files[0]) onFile(event.dataTransfer.files[0]);
    });
  }
  take(); // a file that was chosen before this script had loaded
  document.addEventListener("fg-picture", (event) => onFile(event.detail)); // an example
  return { choose: () => field.click() };
}
