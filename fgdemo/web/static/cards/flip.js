// The smallest change that flips an answer, drawn: cells of a labelled picture put in for cells of this one.

import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { creditLine } from "../shared/pictures.js";
import { counted } from "../shared/words.js";
import { pictureOf } from "./crop.js";

const WIDTH_PX = 480;

/** `flip` is as the server says it, or null; `named` is what the answer would be; `own` the picture in question. */
export function drawFlip(flip, named, own) {
  if (!flip) return h("p", { class: "fg-quiet fg-small" }, "No cells of the labelled pictures that were read would change the answer.");
  const theirs = pictureOf(new URL(`fgdemo/pictures/${flip.image}/display`, document.baseURI));
  const parts = flip.parts.length ? `the ${listed(flip.parts.slice(0, 3).map(iso))}` : "it";
  const words = `If ${parts} looked like this, it would say ${iso(named.name)}.`;
  const canvas = h("canvas", { class: "fg-flip-canvas", role: "img", "aria-label": words });
  Promise.all([own.painted, theirs.painted]).then(([mine, other]) => {
    if (mine && other) paint(canvas, flip, own.image, theirs.image);
  });
  const of = flip.grid_here[0] * flip.grid_here[1];
  return h(
    "div",
    { class: "fg-flip" },
    canvas,
    h("p", {}, words),
    h(
      "p",
      { class: "fg-quiet fg-small" },
      `${counted(flip.here.length, "cell", "cells")} of ${of}, the fewest that do: what each of them moves adds up exactly.`,
    ),
    creditLine(flip.publication),
  );
}

/** "a", "a and b", "a, b and c". */
function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function paint(canvas, flip, mine, other) {
  canvas.width = WIDTH_PX;
  canvas.height = Math.round((WIDTH_PX * mine.naturalHeight) / mine.naturalWidth);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.drawImage(mine, 0, 0, canvas.width, canvas.height);
  const { left, top, right, bottom } = flip.within ?? { left: 0, top: 0, right: 1, bottom: 1 };
  const [rows, columns] = flip.grid_here;
  const [theirRows, theirColumns] = flip.grid_there;
  const [width, height] = [((right - left) * canvas.width) / columns, ((bottom - top) * canvas.height) / rows];
  const [theirWidth, theirHeight] = [other.naturalWidth / theirColumns, other.naturalHeight / theirRows];
  const place = (cell) => [left * canvas.width + (cell % columns) * width, top * canvas.height + Math.floor(cell / columns) * height];
  flip.here.forEach((cell, at) => {
    const [x, y] = place(cell);
    const from = flip.there[at];
    const [fromX, fromY] = [(from % theirColumns) * theirWidth, Math.floor(from / theirColumns) * theirHeight];
    context.drawImage(other, fromX, fromY, theirWidth, theirHeight, x, y, width, height);
  });
  // A line around what was changed: the sides of cells whose neighbour was not.
  const changed = new Set(flip.here);
  context.lineWidth = 2;
  for (const colour of ["rgb(0 0 0 / 0.7)", "#fff"]) {
    context.strokeStyle = colour;
    context.setLineDash(colour === "#fff" ? [4, 4] : []);
    context.beginPath();
    for (const cell of changed) {
      const [x, y] = place(cell);
      const column = cell % columns;
      if (!changed.has(cell - columns)) line(context, x, y, x + width, y);
      if (!changed.has(cell + columns)) line(context, x, y + height, x + width, y + height);
      if (column === 0 || !changed.has(cell - 1)) line(context, x, y, x, y + height);
      if (column === columns - 1 || !changed.has(cell + 1)) line(context, x + width, y, x + width, y + height);
    }
    context.stroke();
  }
  canvas.dataset.painted = "true";
}

function line(context, x, y, toX, toY) {
  context.moveTo(x, y);
  context.lineTo(toX, toY);
}
