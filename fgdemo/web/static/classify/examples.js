// Pictures for whoever has none at hand: published ones of the workspace, below the way to choose one's own.

import { address } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { creditOf, picture } from "../shared/pictures.js";

/** @typedef {{image_id: string, publication: import("../shared/pictures.js").Publication}} Example */

/**
 * Offer them below the way to choose one's own; the document hears of one that is chosen ("fg-picture").
 *
 * @param {Example[]} found
 */
export function offerExamples(found) {
  const said = h("p", { class: "fg-quiet fg-small", role: "status" }, "Or look at one of these");
  /** @param {Example} one @param {number} at */
  const choose = async (one, at) => {
    const file = await fileOf(address(`fgdemo/pictures/${one.image_id}/display`), `example-${at + 1}.png`);
    if (file) document.dispatchEvent(new CustomEvent("fg-picture", { detail: file }));
    else said.textContent = "This one is not published any more. Choose another one.";
  };
  /** @param {Example} one @param {number} at */
  const tile = (one, at) => {
    const image = h("img", { src: `fgdemo/pictures/${one.image_id}/thumbnail`, alt: "", loading: "lazy" });
    const props = { type: "button", "aria-label": `Example ${at + 1}`, title: creditOf(one.publication), onclick: () => choose(one, at) };
    return h("li", {}, h("button", props, image));
  };
  const credits = [...new Set(found.map((one) => creditOf(one.publication)))];
  document.querySelector(".fg-examples")?.remove(); // those of the model before
  document
    .querySelector(".fg-drop")
    ?.append(
      h(
        "div",
        { class: "fg-examples" },
        said,
        h("ul", { "aria-label": "Examples" }, ...found.map(tile)),
        h("p", { class: "fg-quiet fg-small" }, credits.join("; ")),
      ),
    );
}

/**
 * The picture at an address as a file with the same pixels; null where it does not come.
 *
 * @param {URL} url
 * @param {string} name
 */
async function fileOf(url, name) {
  const { image, painted } = picture(url);
  if (!(await painted)) return null;
  const canvas = h("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d");
  context?.drawImage(image, 0, 0);
  /** @type {Blob | null} */
  const content = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return content && new File([content], name, { type: content.type });
}
