// How a picture on a stage comes to be compared, the same on every page: a place is pointed at, or a key is pressed.

import { needed } from "../shared/client.js";
import { difference, strongest } from "../shared/maps.js";
import { middleOf } from "./matching.js";
import { pointOn } from "./point.js";

/** @typedef {import("./matching.js").Spot} Spot */

/**
 * `about()` says what can be compared now: {picture, box, grid, a, b, isSum, load}, a and b being candidates with their
 * evidence and `load()` the reply to the question of the page; null where nothing can. Gives `open()`, which compares whole
 * pictures, at first the place that speaks most for A.
 *
 * @param {any} viewer
 * @param {() => any} about
 */
export function comparing(viewer, about) {
  let isOpen = false;

  /** @param {Spot | null} spot @param {boolean} isClose */
  const open = async (spot, isClose) => {
    const told = about();
    if (!told || isOpen) return;
    isOpen = true;
    const { openCompare } = await needed(() => import("./dialog.js"));
    const contrast = difference(told.a, told.b);
    const total = contrast.reduce((sum, value) => sum + value, told.a.bias - told.b.bias);
    await openCompare({ ...told, contrast, total, isClose, spot: spot ?? middleOf(strongest(contrast).place, told.grid) });
    isOpen = false;
  };
  pointOn(viewer, { onPlace: (spot) => open(spot, true), isReady: () => !isOpen && about() !== null });
  return { open: () => open(null, false) };
}
