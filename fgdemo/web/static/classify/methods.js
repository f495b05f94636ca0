// Grad-CAM and its relatives beside the exact evidence: small multiples over the stage, by one scale rule.
// The maps come at once, being read off the pass that answered; how faithful each is comes one after the other.

import { h } from "../shared/dom.js";
import { signedLayer } from "../shared/layers.js";
import { placeInWords, strongest } from "../shared/maps.js";
import { trustInWords } from "./views.js";

const SIDE = 320; // pixels on the longer side of a tile
const FAINT = 0.02; // of the peak; less is called nothing
const OPACITY = 0.85;
const WHOLE = { left: 0, top: 0, right: 1, bottom: 1 };
const SCALES = { contrast: { positive: "a", negative: "b" } };
const CLASS_SCALE = { positive: "evidence", negative: "against" };
const FROM_THE_PAGE = { evidence: "class", contrast: "contrast" };

export class Methods {
  root;
  ask;
  key = ""; // what is shown: picture, A and B
  /** @type {any} */
  reply = null;
  trusts = new Map(); // by method
  isStopped = false;
  isMeasuring = false;

  /** `ask(name, question, isWanted)` puts a question about the picture that is shown. */
  constructor(root, ask) {
    this.root = root;
    this.ask = ask;
  }

  hide() {
    this.root.hidden = true;
    this.isStopped = true;
  }

  /**
   * Show the maps about A and B. What was measured before is kept for as long as the three are the same.
   * `known` is the page's own trust of the pair, or null; `unit` that of the page's own maps.
   */
  async show({ key, a, b, picture, box, grid, known, unit }) {
    const isBack = this.root.hidden;
    this.root.hidden = false;
    if (key === this.key) {
      if (isBack && this.reply) this.measure(a, b);
      return;
    }
    Object.assign(this, { key, reply: null, trusts: new Map(), isMeasuring: false });
    for (const [method, name] of Object.entries(FROM_THE_PAGE)) if (known?.[name]) this.trusts.set(method, known[name].score);
    this.root.replaceChildren(h("p", { class: "fg-methods-words", role: "status" }, "Drawing the maps…"));
    const reply = await this.ask("methods", { a, b, methods: ["all"] }, () => this.isWanted(key));
    if (key !== this.key) return;
    if (reply.error) {
      this.key = "";
      this.root.replaceChildren(h("p", { class: "fg-methods-words", role: "alert" }, reply.error));
      return;
    }
    this.reply = reply;
    this.draw({ picture, box: box ?? WHOLE, grid, unit });
    this.measure(a, b);
  }

  isWanted(key) {
    return key === this.key && !this.root.hidden && !this.isStopped;
  }

  /** The maps that are maps of their own; the others are named beside the one they repeat. */
  get own() {
    return this.reply.maps.filter((map) => map.same_as === null);
  }

  async measure(a, b) {
    this.isStopped = false;
    if (this.isMeasuring) return;
    const { key } = this;
    this.isMeasuring = true;
    for (const { method } of this.own) {
      this.showProgress(a, b);
      if (this.trusts.has(method)) continue;
      const reply = await this.ask("measure_methods", { a, b, methods: [method] }, () => this.isWanted(key));
      if (key !== this.key) return;
      if (!reply.error) this.trusts.set(method, reply.maps[0].trust.score);
      else this.isStopped = true;
      this.showTrust(method);
      if (this.isStopped) break;
    }
    this.isMeasuring = false;
    this.showProgress(a, b);
  }

  showProgress(a, b) {
    const [done, all] = [this.own.filter(({ method }) => this.trusts.has(method)).length, this.own.length];
    const bar = this.root.querySelector(".fg-methods-progress");
    if (done === all) {
      bar.replaceChildren();
      return;
    }
    const going = this.isMeasuring && !this.isStopped;
    const press = () => {
      if (going) this.isStopped = true;
      if (going) this.showProgress(a, b);
      else this.measure(a, b);
    };
    bar.replaceChildren(
      h("progress", { max: String(all), value: String(done), "aria-label": "Maps measured" }),
      h("span", {}, `${going ? "Measuring trust" : "Trust measured"}: ${done} of ${all}`),
      h("button", { type: "button", class: "fg-link", onclick: press }, going ? "Stop" : "Go on"),
    );
  }

  showTrust(method) {
    const score = this.trusts.get(method);
    const line = this.root.querySelector(`[data-method="${method}"] .fg-method-trust`);
    line.textContent = score === undefined ? "" : trustInWords(score);
  }

  draw(shown) {
    this.root.replaceChildren(
      h("p", { class: "fg-methods-words" }, this.reply.sentence),
      h("p", { class: "fg-methods-progress", role: "status" }),
      h("div", { class: "fg-methods-grid" }, ...this.own.map((map) => this.tile(map, shown))),
    );
    for (const method of this.trusts.keys()) this.showTrust(method);
  }

  tile({ method, title, asks, values, spread }, { picture, box, grid, unit }) {
    const titles = [title, ...this.reply.maps.filter((map) => map.same_as === method).map((map) => map.title)].join(" = ");
    const { place, value, peak } = strongest(values);
    const drawn = spread ?? { values, grid }; // the exact evidence on the pixels that it speaks for
    const isFaint = value <= FAINT * peak;
    const said = isFaint
      ? "No positive evidence."
      : `Strongest ${Number(value.toPrecision(3))}${method in FROM_THE_PAGE ? unit : ""} at the ${placeInWords(place, grid)}.`;
    const about = asks === "picture" ? " Knows no class." : "";
    const canvas = h("canvas", { role: "img", "aria-label": `${titles}. ${said}` });
    paint(
      canvas,
      picture,
      box,
      isFaint ? null : { ...drawn, scale: { ...(SCALES[asks] ?? CLASS_SCALE), peak: strongest(drawn.values).peak } },
    );
    return h(
      "figure",
      { "data-method": method },
      canvas,
      h(
        "figcaption",
        {},
        h("span", { class: "fg-method-title" }, titles),
        h("span", { class: "fg-method-trust" }),
        h("span", { class: "fg-method-said" }, said + about),
      ),
    );
  }
}

/** The part of the picture that was read, and the map over it. */
function paint(canvas, picture, box, map) {
  const [width, height] = [(box.right - box.left) * picture.naturalWidth, (box.bottom - box.top) * picture.naturalHeight];
  const shrink = SIDE / Math.max(width, height);
  [canvas.width, canvas.height] = [Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))];
  const context = canvas.getContext("2d");
  context.drawImage(
    picture,
    box.left * picture.naturalWidth,
    box.top * picture.naturalHeight,
    width,
    height,
    0,
    0,
    canvas.width,
    canvas.height,
  );
  if (!map) return;
  context.globalAlpha = OPACITY;
  context.drawImage(signedLayer(map.values, map.grid, width / height, map.scale), 0, 0, canvas.width, canvas.height);
}
