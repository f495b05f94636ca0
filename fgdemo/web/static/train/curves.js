// How a training goes, epoch by epoch: the loss and the accuracy on held-out pictures, one small drawing each, and the
// same as a table.

import { h } from "../shared/dom.js";
import { elapsed, share } from "../shared/words.js";

const SVG = "http://www.w3.org/2000/svg";
const PHASES = { head: "classifier", network: "whole network" };
const ROOM = 0.08; // above and below a curve, of its height

export class Curves {
  constructor() {
    this.root = h("div", { class: "fg-curves", hidden: true });
    this.key = "";
  }

  show(epochs) {
    const key = `${epochs.length} ${epochs.at(-1)?.loss}`;
    if (key === this.key) return;
    this.key = key;
    this.root.hidden = !epochs.length;
    const open = this.root.querySelector("details")?.open;
    const curves =
      epochs.length > 1
        ? [
            curve(
              "Loss",
              "top",
              epochs,
              (epoch) => epoch.loss,
              (value) => value.toFixed(2),
            ),
            curve("Accuracy, held-out pictures", "bottom", epochs, (epoch) => epoch.val_top1, share),
          ]
        : [];
    this.root.replaceChildren(h("div", { class: "fg-curves-row" }, ...curves.filter(Boolean)), table(epochs, open || epochs.length === 1));
  }
}

function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** One curve, with room for words at the top or the bottom. x runs over all epochs that there will be. */
function curve(name, free, epochs, numberOf, words) {
  const known = epochs.filter((epoch) => numberOf(epoch) !== null);
  if (known.length < 2) return null;
  const values = known.map(numberOf);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least || 1) * ROOM;
  const of = Math.max(epochs.at(-1).of, 2);
  const x = (epoch) => (100 * (epoch.number - 1)) / (of - 1);
  const y = (value) => 100 - (100 * (value - least + room)) / (most - least + 2 * room || 1);
  const turn = epochs[0].phase === "head" ? known.find((epoch) => epoch.phase === "network") : null;
  const drawing = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (turn) drawing.append(svg("line", { class: "fg-curve-phase", x1: x(turn), x2: x(turn), y1: 0, y2: 100 }));
  drawing.append(
    svg("polyline", {
      class: "fg-curve-line",
      points: known.map((epoch) => `${x(epoch).toFixed(2)},${y(numberOf(epoch)).toFixed(2)}`).join(" "),
    }),
  );
  const dot = h("span", { class: "fg-curve-dot" });
  const said = h("figcaption", { class: "fg-small" });
  const stand = (epoch) => {
    dot.style.left = `${x(epoch)}%`;
    dot.style.top = `${y(numberOf(epoch))}%`;
    said.replaceChildren(
      h("span", {}, name),
      h(
        "span",
        { class: "fg-num" },
        h("b", {}, words(numberOf(epoch))),
        h("span", { class: "fg-quiet" }, ` epoch ${epoch.number}, ${PHASES[epoch.phase]}`),
      ),
    );
  };
  const plot = h(
    "div",
    { class: "fg-curve-plot" },
    drawing,
    turn
      ? h("span", { class: "fg-curve-turn", "data-at": free, style: { left: `${x(turn)}%` }, "aria-hidden": "true" }, PHASES.network)
      : "",
    dot,
    ...[most, ...(words(most) === words(least) ? [] : [least])].map((value) =>
      h("span", { class: "fg-curve-tick fg-num", style: { top: `${y(value)}%` }, "aria-hidden": "true" }, words(value)),
    ),
  );
  plot.addEventListener("pointermove", (event) => {
    const bounds = plot.getBoundingClientRect();
    const at = (100 * (event.clientX - bounds.left)) / bounds.width;
    stand(known.reduce((best, epoch) => (Math.abs(x(epoch) - at) < Math.abs(x(best) - at) ? epoch : best)));
  });
  plot.addEventListener("pointerleave", () => stand(known.at(-1)));
  stand(known.at(-1));
  return h(
    "figure",
    {
      class: "fg-curve",
      role: "img",
      "aria-label": `${name}: from ${words(values[0])} to ${words(values.at(-1))} in ${known.length} epochs; best ${words(name === "Loss" ? least : most)}`,
    },
    said,
    plot,
  );
}

function table(epochs, open) {
  const row = (epoch) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, `${epoch.number}`),
      h("td", {}, PHASES[epoch.phase]),
      h(
        "td",
        {
          title: Object.entries(epoch.losses)
            .map(([term, value]) => `${term} ${value.toFixed(3)}`)
            .join(", "),
        },
        epoch.loss.toFixed(3),
      ),
      h("td", {}, epoch.val_top1 === null ? "–" : share(epoch.val_top1)),
      h("td", {}, elapsed(epoch.elapsed_s)),
      h("td", {}, epoch.images_per_s ? epoch.images_per_s.toFixed(epoch.images_per_s < 100 ? 1 : 0) : "–"),
    );
  const heads = ["Epoch", "What learns", "Loss", "Held out", "Took", "Pictures a second"].map((words) => h("th", { scope: "col" }, words));
  const rows = h(
    "div",
    { class: "fg-scroll" },
    h("table", { class: "fg-table fg-num" }, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...epochs.map(row))),
  );
  return h(
    "details",
    { class: "fg-epochs", open },
    h("summary", { class: "fg-small fg-quiet" }, `${epochs.length} of ${epochs.at(-1)?.of ?? 0} epochs as a table`),
    rows,
  );
}
