// One training on the Train page: while it waits or runs, and what came of it.

import { button, h, quietButton } from "../shared/dom.js";
import { duration, when } from "../shared/words.js";
import { Curves } from "./curves.js";
import { addressOf, linkTo, shortName } from "./route.js";
import { drawSum, modelActions } from "./verdict.js";
import { modelName, PRESETS } from "./words.js";

export class JobPanel {
  constructor(root, acts) {
    this.root = root;
    this.acts = acts;
    this.key = ""; // of what is drawn
    this.curves = new Curves();
    /** @type {any} */
    this.doing = null;
    /** @type {any} */
    this.bar = null;
    /** @type {any} */
    this.facts = null;
  }

  /** `job` is the newest one, or null. What stays the same is left alone, for whoever has his hand on it. */
  show(job, now) {
    this.root.hidden = !job;
    if (!job) return;
    const runs = job.state === "running" || job.state === "waiting";
    const candidate = now.models.find((model) => model.version === job.candidate) ?? null;
    const key = JSON.stringify([
      job.id,
      job.state,
      !runs && [
        job.sentence,
        candidate?.state,
        candidate?.gold_changed,
        candidate?.verdict?.beside,
        candidate?.verdict?.sentence,
        now.live,
        now.previous,
        Boolean(now.promoting),
      ],
    ]);
    if (this.key !== key) {
      this.key = key;
      this.root.dataset.state = job.state;
      this.curves = new Curves();
      if (runs) this.begin(job);
      else this.root.replaceChildren(...this.ended(job, candidate, now));
    }
    if (runs) this.goOn(job);
    this.curves.show(job.epochs);
  }

  begin(job) {
    this.doing = h("p", { class: "fg-job-doing" });
    this.bar = h("progress", { class: "fg-job-bar", max: 1, "aria-label": "Training" });
    this.facts = h("p", { class: "fg-quiet fg-small fg-num fg-job-facts" });
    const cancel = button("Cancel", () => this.acts.cancel(this.job));
    this.root.replaceChildren(
      title(job),
      h("div", { class: "fg-job-line", role: "status" }, this.doing, cancel),
      this.bar,
      h(
        "div",
        { class: "fg-job-line" },
        this.facts,
        quietButton("Log", () => this.acts.log(this.job)),
      ),
      this.curves.root,
    );
  }

  goOn(job) {
    this.job = job;
    const { name, done, of, left_s: left, memory_gib: memory, gpu_memory_gib: gpuMemory, gpu_busy: busy } = job.stage;
    const waits = job.state === "waiting";
    const figures = of > 1 && !name.includes(" of ") ? `, ${done.toLocaleString("en")} of ${of.toLocaleString("en")}` : "";
    const words = waits ? job.sentence || "Beginning…" : `${capital(name)}${figures}`;
    if (this.doing.textContent !== words) this.doing.textContent = words;
    const share = howFar(name, done, of);
    if (share !== null && !waits) this.bar.value = share;
    else this.bar.removeAttribute("value");
    this.bar.hidden = waits;
    const facts = [
      left === null ? "" : `${duration(left)} left`,
      memory ? `${memory.toFixed(1)} GiB of memory` : "",
      gpuMemory === null ? "" : `${gpuMemory.toFixed(1)} GiB on the GPU`,
      busy === null ? "" : `GPU ${Math.round(100 * busy)} % busy`,
    ];
    this.facts.textContent = facts.filter(Boolean).join(" · ");
  }

  ended(job, candidate, now) {
    this.job = job;
    const log = quietButton("Show the log", () => this.acts.log(job));
    if (job.state === "interrupted") {
      return [
        title(job),
        h("p", { class: "fg-job-said" }, `${job.sentence} ${gotTo(job)}`),
        h(
          "p",
          { class: "fg-row-actions" },
          button("Go on", () => this.acts.resume(job), { primary: true }),
          button("Cancel", () => this.acts.cancel(job)),
          log,
        ),
        this.curves.root,
      ];
    }
    if (job.state === "failed")
      return [
        title(job),
        h("p", { class: "fg-job-said is-warning", role: "alert" }, job.sentence),
        h("p", { class: "fg-row-actions" }, log),
        this.curves.root,
      ];
    if (!candidate)
      return [title(job), h("p", { class: "fg-job-said" }, job.sentence || "It left no model."), h("p", { class: "fg-row-actions" }, log)];
    return [candidate.state === "live" ? isLive(candidate) : title(job, candidate), ...this.left(job, candidate, now)];
  }

  /** The candidate that a training has left, and what may be done with it. */
  left(job, candidate, now) {
    const closely = h(
      "a",
      { class: "fg-button", href: linkTo({ view: "model", b: addressOf(now.models, candidate.version) }) },
      "Picture by picture",
    );
    const actions = modelActions(candidate, now, this.acts, closely);
    const stopped =
      job.state === "cancelled" ? h("p", { class: "fg-quiet fg-small" }, "Cancelled: this is the best that it had until then.") : "";
    if (!candidate.verdict) return [h("p", { class: "fg-job-said" }, job.sentence || "It was not judged."), stopped, actions];
    if (candidate.state === "live") return [h("p", { class: "fg-job-said" }, candidate.verdict.sentence), actions];
    return [drawSum(candidate.verdict, candidate.version, candidate.gold_changed), stopped, actions];
  }
}

/** @param {any} job @param {any} [candidate] */
function title(job, candidate = null) {
  const [preset] = PRESETS[job.preset] ?? [job.preset];
  const began = `${preset.toLowerCase()}, from ${shortName(job.parent)} · ${job.asked_by}, ${when(job.created_at)}`;
  return h(
    "header",
    { class: "fg-job-head" },
    h("h2", {}, ...(candidate ? [candidate.state === "candidate" ? "Candidate " : "", modelName(candidate.version)] : [TITLES[job.state]])),
    h("p", { class: "fg-quiet fg-small" }, began),
  );
}

const TITLES = {
  waiting: "A training waits",
  running: "Training",
  interrupted: "A training was interrupted",
  failed: "The training failed",
  cancelled: "The training was cancelled",
  done: "The training is over",
};

function isLive(model) {
  return h(
    "header",
    { class: "fg-job-head" },
    h("h2", { role: "status" }, modelName(model.version), " is live"),
    h("p", { class: "fg-quiet fg-small" }, `${model.promoted_by ?? ""}, ${when(model.promoted_at)}`),
  );
}

function gotTo(job) {
  const last = job.epochs.at(-1);
  if (last) return `It has finished epoch ${last.number} of ${last.of}.`;
  return job.preset === "head" ? "" : "Its first epoch was not over.";
}

/** In [0, 1], of all epochs in an epoch, else of the stage; null where nothing can be said. */
function howFar(name, done, of) {
  if (!of) return null;
  const epoch = /^epoch (\d+) of (\d+)/.exec(name);
  const share = Math.min(1, done / of);
  return epoch ? (Number(epoch[1]) - 1 + share) / Number(epoch[2]) : share;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
