// What the viewer draws over a picture besides maps: the name of a part, and the crop box.

import { shown } from "./names.js";

/** @typedef {[number, number, number, number]} Rectangle left, top, width, height */

/**
 * `label` is {text, colour, x, y} with its place in fractions of the rectangle.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {{text: string, colour: string, x: number, y: number}} label
 * @param {Rectangle} rectangle
 * @param {string} fontFamily
 */
export function drawLabel(context, { text: name, colour, x, y }, [left, top, width, height], fontFamily) {
  const text = shown(name);
  context.font = `500 13px ${fontFamily}`;
  const length = context.measureText(text).width + 30;
  /** @type {[number, number]} */
  const at = [left + x * width - length / 2, top + y * height - 12];
  context.fillStyle = "rgb(8 12 12 / 0.72)";
  context.beginPath();
  context.roundRect(...at, length, 24, 4);
  context.fill();
  context.fillStyle = colour;
  context.beginPath();
  context.arc(at[0] + 12, at[1] + 12, 4, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = "#fff";
  context.textBaseline = "middle";
  context.fillText(text, at[0] + 21, at[1] + 12.5);
}

/**
 * The picture in `frame` is darkened outside the rectangle; with `handles` its corners can be taken.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Rectangle} rectangle
 * @param {{x: number, y: number, width: number, height: number}} frame
 * @param {boolean} handles
 */
export function drawBox(context, [x, y, width, height], frame, handles) {
  context.save();
  context.beginPath();
  context.rect(frame.x, frame.y, frame.width, frame.height);
  context.rect(x, y, width, height);
  context.fillStyle = handles ? "rgb(8 12 12 / 0.5)" : "rgb(8 12 12 / 0.62)";
  context.fill("evenodd");
  context.strokeStyle = "#fff";
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  if (handles) drawCorners(context, x, y, width, height);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function drawCorners(context, x, y, width, height) {
  const arm = Math.min(18, width / 3, height / 3);
  context.lineWidth = 3;
  for (const [cx, dx] of [
    [x, arm],
    [x + width, -arm],
  ]) {
    for (const [cy, dy] of [
      [y, arm],
      [y + height, -arm],
    ]) {
      context.beginPath();
      context.moveTo(cx + dx, cy);
      context.lineTo(cx, cy);
      context.lineTo(cx, cy + dy);
      context.stroke();
    }
  }
}
