// Answers are sent one after another, and an answer counts only when the server has said so.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

const held = new Map();
Object.assign(globalThis, {
  document: Object.assign(new EventTarget(), { baseURI: "http://here/", getElementById: () => null }),
  sessionStorage: {
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, value) => held.set(key, value),
    removeItem: (key) => held.delete(key),
  },
  addEventListener: () => {},
});
const { LabelQueue } = await import("../../../fgdemo/web/static/label/queue.js");

let asked; // [name, question] of each request
let replies; // (name, question) → a value, or an Error for no answer

beforeEach(() => {
  asked = [];
  held.clear();
  replies = (name) => (name === "label_answer" ? { saved: asked.length, done: asked.length } : { items: [] });
  mock.method(globalThis, "fetch", async (_, { body }) => {
    const { fn_name: name, data } = JSON.parse(body);
    asked.push([name, data]);
    const reply = await replies(name, data);
    if (reply instanceof Error) throw reply;
    return new Response(JSON.stringify(reply));
  });
});

function queued() {
  const refused = [];
  const queue = new LabelQueue({ onItems: () => {}, onSaving: () => {}, onRefused: (answer, reply) => refused.push([answer, reply]) });
  queue.begin("s", 0);
  queue.person = "ada";
  return { queue, refused };
}

const images = () => asked.filter(([name]) => name === "label_answer").map(([, answer]) => answer.image);

test("answers go in the order they were given, also where one has to be sent again", async () => {
  let losses = 1;
  replies = () => (losses-- > 0 ? new TypeError("lost") : { saved: 1, done: asked.length });
  const { queue } = queued();
  for (const image of ["a", "b", "c"]) queue.send({ image });
  await Promise.resolve();
  document.dispatchEvent(new Event("fg-try"));
  const trying = setInterval(() => document.dispatchEvent(new Event("fg-try")), 5);
  await queue.sending;
  clearInterval(trying);
  assert.deepEqual(images(), ["a", "a", "b", "c"]);
  assert.deepEqual([queue.unsaved, queue.problem, held.size], [[], null, 0]);
});

test("what is not saved is kept with the tab, oldest first, and sent when it is opened again", async () => {
  replies = () => new Promise(() => {});
  const { queue } = queued();
  queue.send({ image: "a" });
  queue.send({ image: "b" });
  assert.deepEqual(JSON.parse(held.get("fgdemo.label.unsent.ada")), [{ image: "a" }, { image: "b" }]);
  await new Promise(setImmediate);
  replies = () => ({ saved: 1, done: 1 });
  const again = new LabelQueue({ onItems: () => {}, onSaving: () => {}, onRefused: () => {} });
  asked = [];
  await again.resume("ada");
  assert.deepEqual(images(), ["a", "b"]);
});

test("one that is refused does not hold up the others", async () => {
  replies = (_, { image }) => (image === "a" ? { error: "No.", code: "stale" } : { saved: 7, done: 1 });
  const { queue, refused } = queued();
  queue.send({ image: "a" });
  await queue.send({ image: "b" });
  assert.deepEqual(images(), ["a", "b"]);
  assert.deepEqual(
    refused.map(([answer, { error }]) => [answer.image, error]),
    [["a", "No."]],
  );
  assert.equal(queue.done, 1);
});

test("an answer is not lost where somebody signs in again between the refusal and the look at who it was", async () => {
  const forbidden = { error: "Sign in first.", code: "forbidden" };
  const toAnswers = [forbidden, { saved: 7, done: 1 }];
  mock.method(globalThis, "fetch", async (url, { body = null }) => {
    if (String(url).endsWith("fgdemo/me")) return new Response(JSON.stringify({ name: "ada", role: "expert" }));
    asked.push(["label_answer", JSON.parse(body).data]);
    return new Response(JSON.stringify(toAnswers.shift()));
  });
  const { queue, refused } = queued();
  await queue.send({ image: "a" });
  assert.deepEqual([images(), queue.saved, refused], [["a", "a"], [7], []]);
  toAnswers.push(forbidden, forbidden); // of somebody who is signed in, and may not
  await queue.send({ image: "b" });
  assert.deepEqual(
    refused.map(([answer, { error }]) => [answer.image, error]),
    [["b", "Sign in first."]],
  );
});

test("undo waits for all answers before it, and names the one that it takes back", async () => {
  replies = (name) =>
    name === "label_undo" ? { item: { image: "b" }, undone: { id: 12 }, done: 1 } : { saved: 10 + asked.length, done: asked.length };
  const { queue } = queued();
  queue.send({ image: "a" });
  queue.send({ image: "b" });
  await queue.undo();
  assert.deepEqual(
    asked.map(([name]) => name),
    ["label_answer", "label_answer", "label_undo"],
  );
  assert.equal(asked[2][1].answer, 12);
  assert.deepEqual(queue.saved, [11]);
});
