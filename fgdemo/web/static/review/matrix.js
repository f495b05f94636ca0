// The confusion matrix as a picture: labels down, what the model takes them for across. Zero is clear; a cell's strength
// grows with the logarithm of its count, so that one odd picture is seen beside a hundred.

import { iso } from "../shared/names.js";

const ROOM = { wide: 168, narrow: 8 }; // for names, where they can be read
const READABLE_PX = 13; // a row of this height has room for its name
const LARGEST_PX = 72; // of one cell
const FAINTEST = 0.22;

export class MatrixCanvas {
  /** `onPoint(cell or null, {x, y})` and `onOpen(cell)`, a cell being {row, column, count}, indices into `kinds`. */
  constructor(canvas, { onPoint, onOpen }) {
    this.canvas = canvas;
    this.onPoint = onPoint;
    this.onOpen = onOpen;
    this.cells = new Map();
    this.first = 0;
    this.last = 0;
    /** @type {any} */
    this.point = null;
    this.most = 1; // pictures in the fullest cell beside the diagonal
    /** @type {any} */
    this.found = null;
    this.resized = new ResizeObserver(() => this.draw());
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.pointAt(event));
    canvas.addEventListener("pointerleave", () => this.set(null));
    canvas.addEventListener("click", (event) => {
      this.pointAt(event);
      if (this.point) this.onOpen(this.point, event.pointerType !== "mouse");
    });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("blur", () => this.set(null));
  }

  /** Show the kinds from `first` up to, not with, `last`. */
  show(found, first = 0, last = found.kinds.length) {
    this.found = found;
    this.first = first;
    this.last = last;
    this.point = null;
    this.cells = new Map(found.cells.map(([row, column, count]) => [row * found.kinds.length + column, count]));
    this.resized.observe(this.canvas.parentElement);
    this.most = Math.max(1, ...found.cells.filter(([row, column]) => row !== column).map(([, , count]) => count));
    this.draw();
  }

  count(row, column) {
    return this.cells.get(row * this.found.kinds.length + column) ?? 0;
  }

  get size() {
    return this.last - this.first;
  }

  /** {left, top, side}: the square that the cells fill, in CSS pixels. */
  frame() {
    const width = this.canvas.parentElement.clientWidth;
    const named = width > 520 && this.size > 0 && (Math.min(width, this.tallest()) - ROOM.wide) / this.size >= READABLE_PX;
    const left = width > 520 ? ROOM.wide : ROOM.narrow;
    const top = named ? ROOM.wide : ROOM.narrow;
    const side = Math.max(40, Math.min(width - left - 2, this.tallest() - top, LARGEST_PX * this.size));
    return { left, top, side, cell: side / Math.max(1, this.size), named, width };
  }

  tallest() {
    return Math.max(320, innerHeight - 232);
  }

  draw() {
    if (!this.found || !this.canvas.parentElement.clientWidth) return;
    const { left, top, side, cell, named, width } = this.frame();
    const ratio = devicePixelRatio || 1;
    const height = top + side + 2;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    const context = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    const colour = (name) => style.getPropertyValue(name);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colour("--fg-raised");
    context.fillRect(left, top, side, side);
    this.drawBands(context, { left, top, side, cell, named }, colour);
    const gap = cell > 12 ? 1 : 0;
    for (const [row, column, count] of this.found.cells) {
      if (row < this.first || row >= this.last || column < this.first || column >= this.last) continue;
      const isRight = row === column;
      context.globalAlpha = isRight
        ? 0.16 + 0.5 * (count / Math.max(1, this.found.n[row])) ** 2
        : FAINTEST + (1 - FAINTEST) * (Math.log1p(count) / Math.log1p(this.most));
      context.fillStyle = colour(isRight ? "--fg-accent" : "--fg-heat");
      context.fillRect(
        left + (column - this.first) * cell,
        top + (row - this.first) * cell,
        Math.max(1, cell - gap),
        Math.max(1, cell - gap),
      );
    }
    context.globalAlpha = 1;
    if (cell >= 20) this.drawCounts(context, { left, top, cell }, colour);
    if (named) this.drawNames(context, { left, top, cell }, colour);
    if (this.point) this.drawPoint(context, { left, top, side, cell }, colour);
  }

  /** Hairlines between the groups; their names at the left, unless the kinds have theirs there. */
  drawBands(context, { left, top, side, cell, named }, colour) {
    context.strokeStyle = colour("--fg-line");
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, top + 0.5, side - 1, side - 1);
    context.font = `12px ${getComputedStyle(this.canvas).fontFamily}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    let free = -Infinity;
    for (const band of bandsOf(this.found, this.first, this.last)) {
      const [from, to] = [(band.first - this.first) * cell, (band.last - this.first) * cell];
      context.beginPath();
      for (const at of [from, to]) {
        context.moveTo(left, top + at);
        context.lineTo(left + side, top + at);
        context.moveTo(left + at, top);
        context.lineTo(left + at, top + side);
      }
      context.stroke();
      const middle = top + (from + to) / 2;
      if (named || left < 60 || middle - free < 13) continue;
      context.fillStyle = colour("--fg-soft");
      context.fillText(fitted(context, band.name, left - 12), left - 8, middle);
      free = middle;
    }
  }

  drawNames(context, { left, top, cell }, colour) {
    context.font = `12px ${getComputedStyle(this.canvas).fontFamily}`;
    context.textBaseline = "middle";
    for (let at = 0; at < this.size; at++) {
      const { name } = this.found.kinds[this.first + at];
      context.fillStyle = colour("--fg-ink");
      context.textAlign = "right";
      context.fillText(fitted(context, name, left - 12), left - 8, top + (at + 0.5) * cell);
      context.save();
      context.translate(left + (at + 0.5) * cell, top - 8);
      context.rotate(-Math.PI / 2);
      context.textAlign = "left";
      context.fillStyle = colour("--fg-soft");
      context.fillText(fitted(context, name, top - 12), 0, 0);
      context.restore();
    }
  }

  drawCounts(context, { left, top, cell }, colour) {
    context.font = `500 12px ${getComputedStyle(this.canvas).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const [row, column, count] of this.found.cells) {
      if (row < this.first || row >= this.last || column < this.first || column >= this.last) continue;
      const isStrong = row !== column && Math.log1p(count) / Math.log1p(this.most) > 0.5;
      context.fillStyle = colour(isStrong ? "--fg-on-accent" : "--fg-ink");
      context.fillText(String(count), left + (column - this.first + 0.5) * cell, top + (row - this.first + 0.5) * cell);
    }
  }

  drawPoint(context, { left, top, side, cell }, colour) {
    const [x, y] = [left + (this.point.column - this.first) * cell, top + (this.point.row - this.first) * cell];
    context.fillStyle = colour("--fg-ink");
    context.globalAlpha = 0.09;
    context.fillRect(left, y, side, cell);
    context.fillRect(x, top, cell, side);
    context.globalAlpha = 1;
    context.strokeStyle = colour("--fg-ink");
    context.lineWidth = 1.5;
    context.strokeRect(x - 1, y - 1, Math.max(4, cell) + 2, Math.max(4, cell) + 2);
  }

  // --- pointing ----------------------------------------------------------------------------------------

  /** The cell under the pointer, or the nearest that is not empty where cells are smaller than a finger or a hand. */
  pointAt(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const { left, top, cell } = this.frame();
    const [x, y] = [(event.clientX - bounds.left - left) / cell, (event.clientY - bounds.top - top) / cell];
    if (x < 0 || y < 0 || x >= this.size || y >= this.size) return this.set(null);
    const reach = Math.max(0.5, (event.pointerType === "mouse" ? 5 : 14) / cell);
    let best = { row: this.first + Math.floor(y), column: this.first + Math.floor(x) };
    let nearest = this.count(best.row, best.column) ? 0 : reach;
    if (nearest) {
      for (const [row, column] of this.found.cells) {
        const distance = Math.hypot(row - this.first + 0.5 - y, column - this.first + 0.5 - x);
        if (distance < nearest) [best, nearest] = [{ row, column }, distance];
      }
    }
    return this.set(best, { x: event.clientX - bounds.left, y: event.clientY - bounds.top });
  }

  /** @param {any} cell @param {{x: number, y: number} | null} [place] */
  set(cell, place = null) {
    const same = cell && this.point && cell.row === this.point.row && cell.column === this.point.column;
    this.point = cell && { ...cell, count: this.count(cell.row, cell.column) };
    if (!same) this.draw();
    const { left, top, cell: side } = this.frame();
    this.onPoint(
      this.point,
      place ?? (cell ? { x: left + (cell.column - this.first) * side, y: top + (cell.row - this.first) * side } : null),
    );
  }

  /** Arrows go from one cell that is not zero to the next in that direction; Enter opens it. */
  onKey(event) {
    const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    if (event.key === "Enter" && this.point) this.onOpen(this.point, false);
    else if (steps[event.key]) this.set(this.neighbour(steps[event.key]));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  neighbour([down, right]) {
    const inside = this.found.cells.filter(([row, column]) => [row, column].every((at) => at >= this.first && at < this.last));
    if (!this.point) return inside.length ? { row: inside[0][0], column: inside[0][1] } : null;
    const from = this.point;
    const ahead = inside
      .map(([row, column]) => ({
        row,
        column,
        along: (row - from.row) * down + (column - from.column) * right,
        aside: Math.abs((row - from.row) * right) + Math.abs((column - from.column) * down),
      }))
      .filter(({ along }) => along > 0)
      .sort((a, b) => a.along + 3 * a.aside - b.along - 3 * b.aside);
    return ahead[0] ?? from;
  }
}

/** The groups that divide what is shown: the outermost ones that lie inside it and are not all of it. */
export function bandsOf(found, first, last) {
  const inside = found.bands.filter((band) => band.first >= first && band.last <= last && band.last - band.first < last - first);
  return inside.filter((band) => !inside.some((other) => other.depth < band.depth && other.first <= band.first && other.last >= band.last));
}

function fitted(context, text, width) {
  const whole = iso(text); // a canvas draws from left to right what does not say otherwise
  if (context.measureText(whole).width <= width) return whole;
  const pieces = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment); // no half of an emoji
  const cut = () => iso(`${pieces.join("")}…`);
  while (pieces.length > 1 && context.measureText(cut()).width > width) pieces.pop();
  return cut();
}
