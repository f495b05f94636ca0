// A crop of a picture, drawn square whatever the picture's shape.

import { h } from "../shared/dom.js";
import { picture } from "../shared/pictures.js";

const SIDE_PX = 176; // twice as it is shown, for fine screens
const AROUND = 1.25; // so much more than the places themselves

/** A picture that may still be on its way. */
export function pictureOf(src) {
  return picture(src);
}

/** Pixels of the square that holds a box of a picture, kept within the picture where it fits. */
export function squareOf({ left, top, right, bottom }, width, height) {
  const side = Math.min(Math.max((right - left) * width, (bottom - top) * height) * AROUND, Math.max(width, height));
  const place = (low, high, size) => {
    const start = ((low + high) / 2) * size - side / 2;
    return side >= size ? (size - side) / 2 : Math.min(Math.max(start, 0), size - side);
  };
  return { x: place(left, right, width), y: place(top, bottom, height), side };
}

/** A canvas with the crop, once the picture is there; it stays empty where it cannot be shown. */
export function drawCrop({ image, painted }, box) {
  const canvas = h("canvas", { class: "fg-crop", width: SIDE_PX, height: SIDE_PX, "aria-hidden": "true" });
  painted.then((whole) => {
    if (!whole) return canvas.classList.add("is-gone");
    const { x, y, side } = squareOf(box, image.naturalWidth, image.naturalHeight);
    canvas.getContext("2d")?.drawImage(image, x, y, side, side, 0, 0, SIDE_PX, SIDE_PX);
    canvas.dataset.painted = "true";
  });
  return canvas;
}
