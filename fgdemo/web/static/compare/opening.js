// How a picture on a stage comes to be compared, the same on every page: a place is pointed at, or a key is pressed.

import { needed } from "../shared/client.js";
import { WHOLE } from "../shared/frame.js";
import { difference, strongest } from "../shared/maps.js";
import { holds, intoBox, middleOf, ontoPicture } from "./matching.js";
import { pointOn } from "./point.js";

/** @typedef {import("../shared/frame.js").Box} Box */
/** @typedef {import("./matching.js").Spot} Spot */

/**
 * `about()` says what can be compared now, or null: {picture, area, frame, grid, a, b, parts, isSum, load}. a and b are
 * candidates with their evidence, which covers `area`; `frame` is the part of it that was read more closely, or null; and
 * `load(box)` gives the reply to the question of the page about that part. Gives `open()`, which compares whole pictures, at
 * first the place that speaks most for A.
 *
 * @param {any} viewer
 * @param {() => any} about
 */
export function comparing(viewer, about) {
  let isOpen = false;

  /** @param {Spot | null} spot of the area @param {boolean} isClose */
  const open = async (spot, isClose) => {
    const told = about();
    if (!told || isOpen) return;
    isOpen = true;
    const { openCompare } = await needed(() => import("./dialog.js"));
    const contrast = difference(told.a, told.b);
    const total = contrast.reduce((sum, value) => sum + value, told.a.bias - told.b.bias);
    const place = ontoPicture(spot ?? middleOf(strongest(contrast).place, told.grid), told.area ?? WHOLE);
    const box = told.frame && holds(told.frame, place) ? told.frame : told.area;
    const load = () => told.load(box);
    await openCompare({ ...told, box, contrast, total, isClose, spot: intoBox(place, box ?? WHOLE), load });
    isOpen = false;
  };
  pointOn(viewer, { onPlace: (spot) => open(spot, true), isReady: () => !isOpen && about() !== null });
  return { open: () => open(null, false) };
}
