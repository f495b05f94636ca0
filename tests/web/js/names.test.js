// Names in sentences, whatever they are written in, and how they are found.

import assert from "node:assert/strict";
import { test } from "node:test";
import { closedIn, finds, iso, isTurned, shown } from "../../../fgdemo/web/static/shared/names.js";

test("a name from right to left is closed in, another stays as it is", () => {
  assert.equal(iso("עורב"), "\u2068עורב\u2069");
  assert.equal(iso("Rook"), "Rook");
  assert.deepEqual([isTurned("Rook"), isTurned("a غراب")], [false, true]);
});

test("what turns text around is made visible, but for names that are closed in", () => {
  assert.equal(iso("a\u202eb"), "a\ufffdb");
  assert.equal(shown("\u2068עורב\u2069 or Rook"), "\u2068עורב\u2069 or Rook");
  assert.equal(shown("open \u2068 for ever"), "open \ufffd for ever");
  assert.equal(shown("\u2069 first \u2068"), "\ufffd first \ufffd");
  assert.equal(shown("bell\u0007"), "bell\ufffd");
  assert.equal(closedIn("עורב or Rook"), "\u2068עורב or Rook\u2069");
});

for (const [typed, text, isFound] of [
  ["eskimo", "Eskimo dog", true],
  ["ESKIMO  ", "Eskimo dog", true],
  ["uber", "Über-Specht", true],
  ["swainsons", "Swainson’s Thrush", true],
  ["black throated", "Black-throated Sparrow", true],
  ["strasse", "Straße", true],
  ["lod", "Łódź", true],
  ["🐦", "🐦 Rook", true],
  ["🐦", "Rook", false],
  ["+", "Rook", false],
  ["", "Rook", true],
  ["crow", "Rook", false],
]) {
  test(`“${typed}” ${isFound ? "finds" : "does not find"} “${text}”`, () => assert.equal(finds(typed, text), isFound));
}
