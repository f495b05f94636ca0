// The description of the API. It is Gradio's, whose scripts are larger than all of ours: they come when it is first opened.

import { address, needed, started } from "../shared/client.js";
import { h } from "../shared/dom.js";

/** Resolves when it is open. */
export async function openApi() {
  if (!document.querySelector("gradio-app")) {
    window.__gradio_mode__ = "app";
    document.head.prepend(h("link", { rel: "stylesheet", href: address(started.gradio.css) }));
    document.body.append(h("gradio-app", { control_page_title: "false", embed: "false", eager: "true" }));
  }
  await needed(() => import(address(started.gradio.js).href));
  (await appearing("footer .show-api")).click();
}

/** @param {string} selector @returns {Promise<HTMLElement>} */
function appearing(selector) {
  return new Promise((resolve) => {
    const look = () => {
      const found = /** @type {HTMLElement | null} */ (document.querySelector(selector));
      if (found) {
        watch.disconnect();
        resolve(found);
      }
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, { childList: true, subtree: true });
    look();
  });
}
