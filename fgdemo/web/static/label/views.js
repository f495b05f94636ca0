// What the Label page draws: the start screen, the item, its references, the standing of the session.

import { h, named } from "../shared/dom.js";
import { spotlightLayer } from "../shared/layers.js";
import { iso } from "../shared/names.js";
import { percent } from "../shared/words.js";
import { ACTIONS, keyName } from "./keys.js";

/** @typedef {import("./queue.js").Item} Item */
/** @typedef {{taxon: string, name: string, latin?: string | null, prob: number, look_alike?: boolean}} Choice */
/** @typedef {{taxon: string, name: string, [more: string]: any}} Named */
/** @typedef {{order: string, name: string, about: string, left: number}} Work */
/** @typedef {{a: string, b: string, name_a: string, name_b: string, confused: number}} Pair */
/** @typedef {{order: string | null, pair: string[] | null, goal: number | null, blind_share: number}} Plan */
/** @typedef {{thumb: string, checked: boolean, similarity: number, part_map?: number[] | null}} Reference */

/**
 * What pictures of A and of B are nearest, and in which part they are alike.
 *
 * @typedef {{a: Reference[], b: Reference[], grid: [number, number], part: {name: string, colour: string} | null}} References
 */

/**
 * The start screen.
 *
 * @param {HTMLElement} root
 * @param {{person: {role: string}, works: Work[], pairs: Pair[]}} told
 * @param {(plan: Plan) => void} onStart
 */
export function drawPlan(root, { person: me, works, pairs }, onStart) {
  const open = works.filter((work) => work.left > 0);
  /** @type {string | null} */
  let chosen = (open.find((work) => location.hash === `#label/${work.order}`) ?? open[0])?.order ?? null;
  /** @type {string[] | null} */
  let pair = null;
  const goal = h("input", { type: "number", min: 1, max: 100000, step: 1, inputmode: "numeric", placeholder: "none", id: "fg-goal" });
  const blind = h(
    "select",
    { id: "fg-blind" },
    ...[0, 0.1, 0.25, 0.5].map((share) => h("option", { value: share }, share ? `${100 * share} %` : "none")),
  );
  const begin = h(
    "button",
    {
      type: "button",
      class: "fg-button fg-primary",
      onclick: () =>
        onStart({ order: pair ? "pair" : chosen, pair, goal: goal.value ? Number(goal.value) : null, blind_share: Number(blind.value) }),
    },
    "Begin",
  );
  /** @param {string | null} order @param {string[] | null} [both] */
  const choose = (order, both = null) => {
    [chosen, pair] = [order, both];
    begin.disabled = !chosen && !pair;
    for (const card of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-plan]")))
      card.setAttribute("aria-checked", String(card.dataset.plan === (both ? both.join(" ") : order)));
  };
  const workCard = (/** @type {Work} */ work) =>
    h(
      "button",
      {
        type: "button",
        class: "fg-work",
        role: "radio",
        "data-plan": work.order,
        disabled: work.left === 0,
        onclick: () => choose(work.order),
      },
      h("span", { class: "fg-work-name" }, work.name),
      h("span", { class: "fg-num" }, work.left.toLocaleString("en")),
      h("span", { class: "fg-quiet" }, work.about),
    );
  const pairCard = (/** @type {Pair} */ one) =>
    h(
      "button",
      {
        type: "button",
        class: "fg-work fg-work-pair",
        role: "radio",
        "data-plan": `${one.a} ${one.b}`,
        onclick: () => choose(null, [one.a, one.b]),
      },
      h("span", { class: "fg-work-name" }, h("b", { class: "fg-a" }, one.name_a), " / ", h("b", { class: "fg-b" }, one.name_b)),
      h("span", { class: "fg-num" }, String(one.confused)),
    );
  const nothing = works.every((work) => work.left === 0);
  const how =
    me.role === "maintainer"
      ? h("p", {}, h("a", { class: "fg-button fg-primary", href: "#data" }, "Bring pictures in"))
      : h("p", { class: "fg-quiet" }, "A maintainer can bring pictures in.");
  root.replaceChildren(
    h("h1", {}, nothing ? "Nothing waits to be labelled" : "What would you like to work on?"),
    nothing ? h("p", { class: "fg-quiet" }, "New pictures are offered here as soon as the model has looked at them.") : "",
    nothing ? how : "",
    nothing ? "" : h("div", { class: "fg-works", role: "radiogroup", "aria-label": "What to work on" }, ...works.map(workCard)),
    pairs.length ? h("h2", {}, "Only one pair of look-alikes") : "",
    h("div", { class: "fg-works fg-works-pairs", role: "radiogroup", "aria-label": "Pairs" }, ...pairs.map(pairCard)),
    nothing
      ? ""
      : h(
          "div",
          { class: "fg-plan-more" },
          h("span", {}, h("label", { for: "fg-goal" }, "Goal"), goal),
          h("span", {}, h("label", { for: "fg-blind" }, "Second opinions"), blind),
          begin,
        ),
  );
  choose(chosen);
}

/** While the model reads the workspace there is no order to ask in yet. @param {Element} root @param {{done: number, of: number}} how */
export function drawReading(root, { done, of }) {
  const progress = h("progress", { max: Math.max(of, 1), "aria-label": "Pictures read" });
  if (of > 1) progress.value = done;
  const figures = of > 1 ? `${done.toLocaleString("en")} of ${of.toLocaleString("en")}` : "";
  root.replaceChildren(
    h("h1", {}, "The model is reading your pictures"),
    h("p", { class: "fg-quiet" }, "It then knows which labels look wrong and which pictures are hard to tell. ", figures),
    progress,
  );
}

/** Why it is asked, what is given. @param {any} root @param {Item} item */
export function drawWhy(root, item) {
  root.querySelector(".fg-reason").textContent = item.sentence;
  const given = root.querySelector(".fg-given");
  if (item.blind)
    given.replaceChildren(); // the reason says that it is hidden
  else if (item.given) {
    const by = item.given.annotator === "import" ? "came with the picture" : `said ${iso(item.given.annotator)}`;
    given.replaceChildren(
      h("p", { class: "fg-small" }, "Given label"),
      h("p", { class: "fg-given-name", "data-taxon": item.given.taxon }, ...named(item.given)),
      h("p", { class: "fg-quiet fg-small" }, item.given.checked ? `${by}, checked` : by),
    );
  } else given.replaceChildren(h("p", { class: "fg-quiet" }, "No label yet"));
  for (const [name, comment] of item.suggestions)
    given.append(h("p", {}, "A visitor: ", h("b", {}, name), comment ? `, “${comment}”` : ""));
  for (const [annotator, name] of item.opinions) given.append(h("p", {}, `${iso(annotator)}: `, h("b", {}, name)));
}

/** Between two pictures. @param {any} root */
export function drawNothing(root) {
  for (const selector of [".fg-choices", ".fg-given"]) root.querySelector(selector).replaceChildren();
  root.querySelector(".fg-reason").textContent = "Looking for the next picture…";
}

/** The candidates that have a number key: five, and more only where they are not next to impossible. */
/** @param {Item} item @returns {Choice[]} */
export function offered(item) {
  return item.choices.filter((/** @type {Choice} */ choice, /** @type {number} */ rank) => rank < 5 || choice.prob >= 0.01);
}

/** The candidates as number keys. @param {Element} root @param {Item} item @param {(choice: Choice) => void} onChoose */
export function drawChoices(root, item, onChoose) {
  root.replaceChildren(
    ...offered(item).map((choice, rank) =>
      h(
        "button",
        {
          type: "button",
          class: "fg-choice",
          "data-role": rank === 0 ? "a" : rank === 1 ? "b" : "",
          "data-given": String(choice.taxon === item.given?.taxon),
          "data-taxon": choice.taxon,
          onclick: () => onChoose(choice),
        },
        h("kbd", {}, String(rank + 1)),
        h("span", { class: "fg-choice-name" }, ...named(choice)),
        choice.look_alike ? h("span", { class: "fg-alike", title: "Often taken for the likeliest kind" }, "≈") : h("span"),
        h("span", { class: "fg-num" }, percent(choice.prob)),
        h("span", { class: "fg-bar", "aria-hidden": "true" }, h("span", { style: { width: `${Math.max(0.5, 100 * choice.prob)}%` } })),
      ),
    ),
    item.choices.length ? "" : h("p", { class: "fg-quiet" }, "The model has not looked at this picture yet. Search for its kind."),
  );
}

/** One button for each key. @param {Element} root @param {import("./keys.js").Keys} keys @param {(action: string) => void} onAct */
export function drawKeys(root, keys, onAct) {
  root.replaceChildren(
    ...Object.keys(ACTIONS).map((action) =>
      h(
        "button",
        { type: "button", class: "fg-keybutton", "data-action": action, title: ACTIONS[action][1], onclick: () => onAct(action) },
        h("kbd", {}, keyName(keys[action])),
        h("span", {}, ACTIONS[action][2]),
      ),
    ),
  );
}

/** Pictures of A and B; what separates them is outlined. @param {Element} root @param {References} found @param {Named[]} pair */
export function drawReferences(root, found, [a, b]) {
  /** @param {string} side @param {Named} taxon @param {Reference[]} references */
  const strip = (side, taxon, references) =>
    h(
      "figure",
      { class: `fg-ref fg-ref-${side}` },
      h("figcaption", {}, h("b", { class: `fg-${side}` }, side.toUpperCase()), " ", taxon.name),
      references.length
        ? referenceStrip(references.map((one) => referencePicture(one, taxon, found)))
        : h("p", { class: "fg-quiet fg-small" }, "no labelled picture yet"),
    );
  root.replaceChildren(
    strip("a", a, found.a),
    strip("b", b, found.b),
    found.part
      ? h(
          "p",
          { class: "fg-quiet fg-small" },
          h("span", { class: "fg-dot", style: { background: found.part.colour } }),
          ` most alike in: ${iso(found.part.name)}`,
        )
      : "",
  );
}

/** The nearest one large, the others beside it; a click makes another the large one. @param {HTMLElement[]} pictures */
function referenceStrip(pictures) {
  const strip = h("div", {}, ...pictures);
  strip.addEventListener("click", (event) => {
    const picked = event.target instanceof Element && event.target.closest(".fg-ref-picture");
    if (picked) strip.prepend(picked);
  });
  return strip;
}

/** @param {Reference} one @param {Named} taxon @param {References} found */
function referencePicture(one, taxon, found) {
  const frame = h("button", {
    type: "button",
    tabindex: -1,
    class: one.checked ? "fg-ref-picture is-checked" : "fg-ref-picture",
    title: `${iso(taxon.name)}, likeness ${one.similarity.toFixed(2)}${one.checked ? ", checked" : ""}`,
  });
  const picture = h("img", { src: new URL(one.thumb, document.baseURI), alt: taxon.name });
  frame.append(picture);
  if (one.part_map && found.part) {
    const layer = spotlightLayer({ share: one.part_map, colour: found.part.colour }, found.grid, 1);
    layer.setAttribute("aria-hidden", "true");
    frame.append(layer);
  }
  return frame;
}
