// What a key press means on keyboards of many countries.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bindingOf, digitOf, isRepeatedDeed, keyOf, means } from "../../../fgdemo/web/static/shared/keyboard.js";

const press = (key, code, held = {}) => ({ key, code, getModifierState: (name) => name === "AltGraph" && Boolean(held.altGraph), ...held });

const PRESSES = [
  ["&", "Digit1", {}, "&", 1], // AZERTY without Shift
  ["1", "Digit1", { shiftKey: true }, "1", 1], // and with it
  ["ě", "Digit2", {}, "ě", 2], // Czech
  ["!", "Digit1", { shiftKey: true }, "!", null],
  ["٣", "Digit3", {}, "٣", 3], // Arabic
  ["۴", "Digit4", {}, "۴", 4], // Persian
  ["５", "Digit5", {}, "5", 5], // full width
  ["2", "Numpad2", {}, "2", 2],
  ["End", "Numpad1", {}, "End", null],
  ["п", "KeyG", {}, "g", null], // Cyrillic
  ["П", "KeyG", { shiftKey: true }, "g", null],
  ["χ", "KeyX", {}, "x", null], // Greek
  ["لا", "KeyB", {}, "b", null], // two letters of one key
  ["a", "KeyQ", {}, "a", null], // AZERTY: what is written on it
  ["ö", "KeyX", {}, "ö", null], // Turkish F: a Latin letter is itself
  ["?", "Digit7", { shiftKey: true }, "?", null], // Russian
  ["؟", "Slash", { shiftKey: true }, "?", null],
  ["/", "KeyQ", {}, "/", null], // Hebrew
  ["Dead", "KeyE", {}, null, null],
  ["Process", "KeyX", {}, null, null],
  ["x", "KeyX", { isComposing: true }, null, null],
  ["x", "KeyX", { ctrlKey: true }, null, null],
  ["x", "KeyX", { metaKey: true }, null, null],
  ["@", "KeyQ", { altGraph: true }, null, null],
  ["Enter", "NumpadEnter", {}, "Enter", null],
];

for (const [key, code, held, meant, digit] of PRESSES) {
  test(`${key} of ${code} ${Object.keys(held)}`, () => {
    const event = press(key, code, held);
    assert.deepEqual([keyOf(event), digitOf(event)], [meant, digit]);
  });
}

test("a chosen key is known again on another keyboard, by its place", () => {
  const chosen = bindingOf(press("й", "KeyQ"));
  assert.deepEqual(chosen, { key: "q", code: "KeyQ" });
  assert.ok(means(press("q", "KeyQ"), chosen));
  assert.ok(means(press("ض", "KeyQ"), chosen));
  assert.ok(!means(press("a", "KeyQ"), chosen), "AZERTY has another Latin letter there");
  assert.ok(means(press("g", "KeyG"), "g"), "keys that were kept as characters");
});

test("a held key repeats what moves, and no deed", () => {
  assert.ok(!isRepeatedDeed({ repeat: true, key: "ArrowDown" }));
  assert.ok(isRepeatedDeed({ repeat: true, key: "u" }));
  assert.ok(!isRepeatedDeed({ repeat: false, key: "u" }));
});
