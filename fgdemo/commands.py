"""What each verb of the command line does. Heavy libraries are imported by the verb that needs them."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.errors import DatasetError, PictureError, SettingsError
from fgdemo.settings import Settings

if TYPE_CHECKING:
    from fgdemo.bootstrap import Services
    from fgdemo.learn.evaluate import Interval, Scores
    from fgdemo.learn.finetune import Teacher
    from fgdemo.learn.pictures import Pictures, Progress
    from fgdemo.model.backbone import Backbone, DataConfig
    from fgdemo.model.classifier import Classifier
    from fgdemo.taxonomy import Taxonomy

Verb = Callable[[argparse.Namespace, Settings], dict[str, Any]]


def fit(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Read, train if asked, fit the head, report, write the checkpoint."""
    from fgdemo.learn.fit import fit_classifier, label_indices
    from fgdemo.learn.pictures import decode_all
    from fgdemo.model.checkpoint import require_replaceable
    from fgdemo.model.classifier import choose_device
    from fgdemo.storage.sources import read_sources, split_off_val
    from fgdemo.taxonomy import Taxonomy

    if arguments.epochs < 0 or arguments.parts < 1 or not 0 < arguments.val_share < 1 or arguments.batch_size < 2:
        raise SettingsError(
            "--epochs must be 0 or more, --parts 1 or more, --val-share between 0 and 1, --batch-size 2 or more."
        )
    say = _speaker(arguments)
    require_replaceable(arguments.out)
    source = read_sources(arguments.data)
    if not source.part("val") and source.part("train"):
        source = split_off_val(source, share=arguments.val_share, seed=arguments.seed)
    if len(source.labels) < 2:
        raise DatasetError(f"There is only one class ({', '.join(source.labels)}); a classifier needs at least two.")
    taxonomy = Taxonomy.read_csv(arguments.taxonomy) if arguments.taxonomy else Taxonomy.flat(source.labels)
    device = choose_device(arguments.device or settings.device)
    backbone, config = _start(arguments, device)
    used = [picture for picture in source.pictures if picture.split != "test"]
    with _bar() as progress:
        pictures = decode_all(used, config.size_px, max_picture_mp=settings.max_picture_mp, progress=progress)
    skipped = (*source.skipped, *pictures.skipped)
    _report_skipped(skipped, say)
    known = label_indices(pictures.labels, taxonomy)  # each class must be in the taxonomy, which may know more
    taxonomy = taxonomy.restrict(taxonomy.leaves[index] for index in sorted(set(known.tolist())))
    class_index = label_indices(pictures.labels, taxonomy)
    card = _card(arguments, taxonomy, pictures, skipped)
    if arguments.epochs:
        backbone = _train(arguments, backbone, config, pictures, class_index, taxonomy, card, device, say)
    with _bar() as progress:
        fitted = fit_classifier(
            backbone, config, pictures, class_index, taxonomy, name=arguments.out.name, trained=bool(arguments.epochs),
            card=card, parts_per_group=arguments.parts, seed=arguments.seed, progress=progress,
        )  # fmt: skip
    card["metrics"] = {"split": "val" if len(pictures.where("val")) else "leave-one-out", **fitted.scores.to_json()}
    card["calibrated_on"] = fitted.held_out.source
    _report_scores(fitted.scores, taxonomy, say)
    fitted.classifier.save(arguments.out)
    if card.get("epochs_done", 0) == arguments.epochs:
        _snapshot(arguments.out).unlink(missing_ok=True)
    say(f"Written: {arguments.out}")
    return {"checkpoint": str(arguments.out), "skipped": len(skipped), **fitted.scores.to_json()}


def _start(arguments: argparse.Namespace, device: str) -> tuple[Backbone, DataConfig]:
    import torch

    from fgdemo.model.backbone import parse_options, start_backbone
    from fgdemo.model.classifier import Classifier

    torch.manual_seed(arguments.seed)  # for --weights none
    if arguments.checkpoint:
        classifier = Classifier.load(arguments.checkpoint, device)
        return classifier.backbone.to(device), classifier.data_config
    backbone, config = start_backbone(
        arguments.backbone, weights=arguments.weights, size_px=arguments.size, options=parse_options(arguments.option),
        mean=arguments.mean, std=arguments.std,
    )  # fmt: skip
    return backbone.to(device), config


def _card(
    arguments: argparse.Namespace, taxonomy: Taxonomy, pictures: Pictures, skipped: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    command = ["python", "-m", "fgdemo", *sys.argv[1:]] if sys.argv[1:2] == ["fit"] else []
    return {
        "name": arguments.out.name,
        "command": shlex.join(command),
        "parent": arguments.checkpoint.name if arguments.checkpoint else None,
        "start_weights": Path(arguments.weights).name,
        "seed": arguments.seed,
        "data": {
            "sources": [Path(location).name for location in arguments.data],
            "train": len(pictures.where("train")),
            "val": len(pictures.where("val")),
            "skipped": len(skipped),
            "kinds": len(taxonomy.leaves),
        },
        "licences": arguments.licence,
    }


def _train(
    arguments: argparse.Namespace,
    backbone: Backbone,
    config: DataConfig,
    pictures: Pictures,
    class_index: Any,
    taxonomy: Taxonomy,
    card: dict[str, Any],
    device: str,
    say: Callable[[str], None],
) -> Backbone:
    import torch

    from fgdemo.learn.blend import choose_blend
    from fgdemo.learn.embed import embed
    from fgdemo.learn.finetune import Epoch, Recipe, finetune
    from fgdemo.model.calibration import fit_temperature
    from fgdemo.model.head import RidgeHead

    recipe = Recipe(
        epochs=arguments.epochs, train_px=arguments.train_size or config.size_px, batch_size=arguments.batch_size,
        lr=arguments.lr, mixup=arguments.mixup, cutmix=arguments.cutmix,
        distil=arguments.distil if arguments.teacher else 0.0, seed=arguments.seed,
    )  # fmt: skip
    train, val = pictures.where("train"), pictures.where("val")
    if not len(val):
        raise DatasetError("Training needs held-out pictures: at least two pictures of some class, or a val folder.")
    with _bar() as progress:
        embeddings = embed(backbone, pictures.pixels, config, progress=progress)
    head = RidgeHead.fit(embeddings[train], class_index[train], len(taxonomy.leaves))
    left_out = head.leave_one_out(embeddings[train], class_index[train])
    temperature = fit_temperature(left_out, class_index[train])
    weight, bias = head.linear()
    roots = [taxonomy.root(taxonomy.leaves[index]) for index in class_index[val]]
    right = (embeddings[val] @ weight + bias).argmax(1) == class_index[val]
    card["frozen_start"] = {
        root: _interval(right[[row for row, other in enumerate(roots) if other == root]]) for root in sorted(set(roots))
    }
    say(f"Frozen start weights and ridge: top-1 {_percent(_interval(right))} on val")
    epochs: list[dict[str, Any]] = []
    start = {key: value.clone() for key, value in backbone.state_dict().items()}

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(asdict(epoch))
        top1 = "" if epoch.val_top1 is None else f", val top-1 {epoch.val_top1:.1%}"
        left = (epoch.of - epoch.number) * epoch.elapsed_s / 60
        say(f"Epoch {epoch.number} of {epoch.of}: loss {epoch.loss:.3f}{top1}; about {left:.0f} min left")

    start_of_head = torch.from_numpy(weight / temperature), torch.from_numpy(bias / temperature)
    with _bar() as progress, _stopped_by_interrupt() as stop:
        trained = finetune(
            backbone, start_of_head, pictures, class_index, config, recipe,
            teachers=_teachers(arguments, pictures, class_index, config, taxonomy, device),
            snapshot=_snapshot(arguments.out), device=device, on_epoch=on_epoch, progress=progress,
            stop=stop,
        )  # fmt: skip
    if trained.epochs_done < recipe.epochs:
        say(f"Stopped after {trained.epochs_done:.2f} epochs; the same command goes on from the last whole one.")
    card["recipe"] = {**recipe.to_json(), "teachers": [Path(t.rpartition("=")[0]).name for t in arguments.teacher]}
    card["epochs"], card["epochs_done"] = epochs, trained.epochs_done
    with _bar() as progress:
        blend = choose_blend(
            trained.backbone.to(device), start, pictures, class_index, config, len(taxonomy.leaves), progress=progress
        )
    card["blend"] = {"trained_share": blend.share, "val_top1": {str(k): v for k, v in blend.val_top1.items()}}
    say(f"Share of the trained weights, chosen on val: {blend.share} {card['blend']['val_top1']}")
    return trained.backbone


@contextmanager
def _stopped_by_interrupt() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; the first asks for a stop, a second stops at once, as it does everywhere else."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.getsignal(signal.SIGINT) or signal.default_int_handler

    def ask(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        asked.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _snapshot(out: Path) -> Path:
    """Where an interrupted training goes on from."""
    return out.parent / f".{out.name}-training.pt"


def _teachers(
    arguments: argparse.Namespace,
    pictures: Pictures,
    class_index: Any,
    config: DataConfig,
    taxonomy: Taxonomy,
    device: str,
) -> list[Teacher]:
    from fgdemo.learn.finetune import make_teacher
    from fgdemo.model.backbone import parse_options, start_backbone

    teachers = []
    for entry in arguments.teacher:
        file, equals, group = entry.rpartition("=")
        if not equals:
            raise SettingsError(f"--teacher {entry} must look like FILE=TAXON.")
        backbone, _ = start_backbone(
            arguments.backbone, weights=file, size_px=arguments.size, options=parse_options(arguments.option)
        )
        indices = frozenset(
            index
            for index, leaf in enumerate(taxonomy.leaves)
            if taxonomy[group].id in {t.id for t in taxonomy.path(leaf)}
        )
        teachers.append(make_teacher(backbone.to(device), indices, pictures, class_index, config))
    return teachers


def evaluate(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Answers over all classes of the checkpoint, scored against the folder names."""
    import numpy as np

    from fgdemo.learn.embed import embed
    from fgdemo.learn.evaluate import auroc, fpr_at_95, score
    from fgdemo.learn.fit import label_indices
    from fgdemo.learn.pictures import decode_all
    from fgdemo.storage.sources import read_sources, read_unlabelled

    classifier = _load(arguments, settings)
    say = _speaker(arguments)
    weight, bias = classifier.network.weight.cpu().numpy(), classifier.network.bias.cpu().numpy()

    def look(listed: Sequence[Any]) -> tuple[Any, Any, Any]:
        with _bar() as progress:
            pictures = decode_all(
                listed, classifier.data_config.size_px, max_picture_mp=settings.max_picture_mp, progress=progress
            )
            if not pictures.names:
                raise DatasetError(f"None of the {len(listed)} pictures could be decoded ({pictures.skipped[0][1]}).")
            embeddings = embed(classifier.network.backbone, pictures.pixels, classifier.data_config, progress=progress)
        return pictures, embeddings, embeddings @ weight + bias

    source = read_sources(arguments.data, fewest_classes=1)
    held_out = [picture for picture in source.pictures if picture.split != "train"]
    if held_out and len(held_out) < len(source.pictures):
        say(f"Measured on the {len(held_out)} pictures of val and test; those to train on are left out.")
    label_indices([picture.label for picture in source.pictures], classifier.taxonomy)
    pictures, embeddings, logits = look(held_out or source.pictures)
    skipped = (*source.skipped, *pictures.skipped)
    _report_skipped(skipped, say)
    labels = label_indices(pictures.labels, classifier.taxonomy)
    scores = score(classifier, logits, labels, classifier.distances(embeddings))
    _report_scores(scores, classifier.taxonomy, say)
    result = {"checkpoint": classifier.version, "skipped": len(skipped), **scores.to_json()}
    if arguments.unknown:
        others = [picture for location in arguments.unknown for picture in read_unlabelled(location).pictures]
        strangers, strange_embeddings, strange_logits = look(others)
        _report_skipped(strangers.skipped, say)
        known, strange = (
            classifier.unknown_scores(logits, embeddings),
            classifier.unknown_scores(strange_logits, strange_embeddings),
        )
        result |= {
            "unknown_n": len(strange),
            "unknown_skipped": len(strangers.skipped),
            "unknown_auroc": auroc(known, strange),
            "unknown_fpr95": fpr_at_95(known, strange),
            "unknown_found": float(np.mean(strange > classifier.unknown.threshold)),
        }
        say(f"Unknown pictures: AUROC {result['unknown_auroc']:.3f}, FPR at 95 % {result['unknown_fpr95']:.3f}")
    return result


def predict(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """One line a picture; a bad picture is a sentence in its place and never stops the rest."""
    from fgdemo.services.workbench import Workbench

    classifier = _load(arguments, settings)
    workbench = Workbench(classifier, max_picture_mp=settings.max_picture_mp)
    say = _speaker(arguments)
    rows = []
    for path in arguments.pictures:
        try:
            found = workbench.classify(_picture_bytes(path), name=path.name)
        except PictureError as error:
            rows.append({"picture": str(path), "error": str(error)})
            say(f"{path}: {error}")
            continue
        rows.append(
            {
                "picture": str(path),
                "answer": asdict(found.answer),
                "unknown": asdict(found.unknown),
                "top5": [{"taxon": c.taxon, "name": c.name, "prob": c.prob} for c in found.candidates[:5]],
                "prediction_set": [taxon.taxon for taxon in found.prediction_set],
            }
        )
        say(f"{path}: {found.answer.sentence}")
    return {"checkpoint": classifier.version, "pictures": rows}


def explain(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """A PNG sheet: the picture, where A is seen, A versus B, the parts, and the bars that decided."""
    from fgdemo.explain.faithfulness import trust
    from fgdemo.explain.sheet import explain_sheet
    from fgdemo.services.workbench import Workbench
    from fgdemo.storage.images import decode_picture

    classifier = _load(arguments, settings)
    workbench = Workbench(classifier, max_picture_mp=settings.max_picture_mp)
    encoded = _picture_bytes(arguments.picture)
    found = workbench.classify(encoded, name=arguments.picture.name, asked=arguments.a, rival=arguments.b)
    picture = decode_picture(encoded, name=arguments.picture.name, max_picture_mp=settings.max_picture_mp)
    measured = trust(classifier, picture, None, found.asked, found.rival)
    out = arguments.out or arguments.picture.with_name(f"{arguments.picture.stem}-why.png")
    try:
        explain_sheet(found, picture, measured).save(out)
    except OSError as error:
        raise SettingsError(f"The sheet could not be written to {out} ({error.strerror or error}).") from error
    _speaker(arguments)(f"{found.answer.sentence}\nWritten: {out}")
    return {
        "sheet": str(out),
        "answer": asdict(found.answer),
        "asked": found.asked,
        "rival": found.rival,
        "trust": {name: asdict(figure) for name, figure in measured.items()},
    }


def name_parts(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """A person says once what a part is; the name stays with its id. An empty name takes it away."""
    from fgdemo.model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

    found = read_checkpoint(arguments.checkpoint)
    parts = [dict(part) for part in found.card["parts"]["parts"]]
    for entry in arguments.names:
        part_id, equals, name = entry.partition("=")
        chosen = [part for part in parts if str(part["id"]) == part_id.strip()]
        if not equals or not chosen:
            raise SettingsError(f"“{entry}” must look like 3=wing, with the id of a part from 0 to {len(parts) - 1}.")
        chosen[0]["name"] = name.strip()[:40] or None
    if arguments.names:
        card = {**found.card, "parts": {**found.card["parts"], "parts": parts}}
        write_checkpoint(arguments.checkpoint, Checkpoint(found.arrays, card))
    for part in parts:
        _speaker(arguments)(f"{part['id']:3d}  {part['group'] or 'all'}: {part['name'] or '—'}")
    return {"parts": parts}


def import_pictures(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Labelled pictures into the workspace, with the embeddings that make "nearest pictures of A" possible."""
    from fgdemo.bootstrap import import_into_library

    say = _speaker(arguments)
    with _bar() as progress:
        added, skipped = import_into_library(_load(arguments, settings), settings, arguments.data, progress)
    _report_skipped(skipped, say)
    say(f"{added} pictures are in the workspace.")
    return {"added": added, "skipped": [list(entry) for entry in skipped]}


def specimens(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Draw specimens into class folders."""
    from fgdemo.specimens import write_specimens

    write_specimens(arguments.folder, per_class=arguments.per_class, seed=arguments.seed)
    _speaker(arguments)(
        f"Written: {arguments.folder}. Next: python -m fgdemo fit {arguments.folder} --out my-checkpoint"
    )
    return {"folder": str(arguments.folder)}


def serve(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Open the page; returns when it is closed."""
    from fgdemo.ui.serve import serve as serve_page

    def load(settings: Settings) -> Services:
        from fgdemo.bootstrap import build_services  # torch and timm are imported while the page is already there

        return build_services(settings)

    serve_page(settings, load)
    return {}


# --- shared by the verbs ------------------------------------------------------------------------------------


def _load(arguments: argparse.Namespace, settings: Settings) -> Classifier:
    from fgdemo.model.classifier import Classifier

    return Classifier.load(arguments.checkpoint or settings.checkpoint, settings.device)


def _picture_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror}).") from error


def _speaker(arguments: argparse.Namespace) -> Callable[[str], None]:
    """Where sentences for a person go: standard output, or standard error beside a JSON line."""
    return lambda text: print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)


@contextmanager
def _bar() -> Iterator[Progress]:
    """A progress bar with an estimate on standard error, one for each thing that is being done."""
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def progress(what: str, done: int, of: int) -> None:
        if what not in bars:
            bars[what] = tqdm(total=of, desc=what, leave=False, disable=None, file=sys.stderr)
        bars[what].update(done - bars[what].n)

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.close()


def _report_skipped(skipped: Sequence[tuple[str, str]], say: Callable[[str], None]) -> None:
    if skipped:
        say(f"Left out {len(skipped)} {'file' if len(skipped) == 1 else 'files'}:")
        for name, reason in skipped[:20]:
            say(f"  {name}: {reason}")
        if len(skipped) > 20:
            say(f"  … and {len(skipped) - 20} more")


def _report_scores(scores: Scores, taxonomy: Taxonomy, say: Callable[[str], None]) -> None:
    say(f"Top-1 {_percent(scores.top1)}, top-5 {_percent(scores.top5)} on {scores.n} held-out pictures")
    if len(scores.groups) > 1:
        groups: Mapping[str, Interval] = scores.groups
        say("  " + ", ".join(f"{taxonomy[root].name} {_percent(interval)}" for root, interval in groups.items()))
    say(
        f"Calibration error {scores.ece:.3f}; {scores.coverage:.1%} of prediction sets hold the right one "
        f"({scores.set_size:.1f} kinds)"
    )
    say(
        f"Answers given at the level it is sure of: {scores.answered_right:.1%} right, "
        f"{scores.answered_leaf:.1%} down to the kind"
    )
    if scores.worst_pairs:
        say("Most often taken for each other:")
        for pair in scores.worst_pairs:
            say(f"  {pair.mistaken:3d} of {pair.of}: {taxonomy[pair.a].name} / {taxonomy[pair.b].name}")


def _interval(right: Any) -> Interval:
    from fgdemo.model.calibration import bootstrap_mean

    return bootstrap_mean(right)


def _percent(interval: Interval) -> str:
    mean, low, high = interval
    return f"{mean:.1%} [{low:.1%}, {high:.1%}]"
