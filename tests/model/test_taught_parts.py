"""Parts that people teach by points: found again elsewhere, exact in the sum, kept in files and through trainings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor
from torch.nn import functional

from fgdemo.commands.model.teach_parts import teach_parts
from fgdemo.learn.candidate.part_groups import keep_groups, keep_taught
from fgdemo.learn.live.teaching import TaughtPicture, part_names, teach, views_of
from fgdemo.model.checkpoint.folder import WEIGHTS, write_checkpoint
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.checkpoint.persistence import to_checkpoint
from fgdemo.model.classifier import Classifier
from fgdemo.model.parts import SUREST, PartModel, fit_parts
from fgdemo.model.taught.fitting import TaughtView, fit_taught
from fgdemo.model.taught.shares import at_points, mean_around
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.values.errors import CheckpointError, DatasetError, SettingsError
from fgdemo.values.points import PlacedPoint
from fgdemo.values.types import CropBox, Part
from tests.support.tiny import tiny_fit

DIM, MID, NAMES = 12, 10, ("head", "body")


def view(seed: int) -> TaughtView:
    """A head over a body before a background on 6 × 6 places; mid and last tokens both tell them apart, with noise."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.full((6, 6), 2)
    left = seed % 3 + 1
    which[1, left : left + 2], which[2:4, left : left + 2] = 0, 1
    looks = [torch.randn(3, n, generator=torch.Generator().manual_seed(n)) for n in (DIM, MID)]
    tokens, mid = (of[which] + 0.3 * torch.randn(6, 6, of.shape[1], generator=generator) for of in looks)
    x = (left + 1) / 6
    points = [PlacedPoint("head", x, 1.5 / 6), PlacedPoint("body", x, 3 / 6), PlacedPoint("tail", None, None)]
    return TaughtView(tokens, mid, points, which == 2)


VIEWS = [view(seed) for seed in range(6)]
TOKENS, MIDS = torch.stack([one.tokens for one in VIEWS]), torch.stack([one.mid for one in VIEWS])
MEAN, PROJECTION = torch.zeros(DIM), torch.eye(DIM)[:, :6]


def right(shares: Tensor, one: TaughtView) -> float:
    where = shares.argmax(-1)
    of = [NAMES.index(point.part) for point in one.points if point.is_seen]
    places = [(int((point.y or 0) * 6), int((point.x or 0) * 6)) for point in one.points if point.is_seen]
    return float(np.mean([int(where[place]) == k for place, k in zip(places, of, strict=True)]))


def test_what_was_taught_is_found_in_other_pictures() -> None:
    taught = fit_taught(VIEWS, "bird", NAMES, MEAN, PROJECTION)
    unseen = [view(seed) for seed in range(20, 30)]
    assert np.mean([right(taught.shares(one.tokens, one.mid), one) for one in unseen]) > 0.9
    background = torch.cat([taught.shares(one.tokens, one.mid)[one.outside][:, -1] for one in unseen])
    assert float((background > 0.5).float().mean()) > 0.9
    shares = taught.shares(TOKENS, MIDS)
    torch.testing.assert_close(shares.sum(-1), torch.ones(6, 6, 6))
    torch.testing.assert_close(shares, taught.shares(3 * TOKENS, 7 * MIDS))  # however long the tokens are
    for name, value in vars(fit_taught(VIEWS, "bird", NAMES, MEAN, PROJECTION)).items():
        assert np.array_equal(value, getattr(taught, name))  # and the same again


def test_shuffled_names_teach_nothing() -> None:
    generator = np.random.default_rng(0)
    shuffled = [
        replace(one, points=[replace(p, part=NAMES[generator.integers(2)]) for p in one.points if p.is_seen])
        for one in VIEWS
    ]
    taught = fit_taught(shuffled, "bird", NAMES, MEAN, PROJECTION)
    unseen = [view(seed) for seed in range(20, 40)]
    assert np.mean([right(taught.shares(one.tokens, one.mid), one) for one in unseen]) < 0.8


def test_a_part_without_points_is_never_found_and_no_point_is_refused() -> None:
    taught = fit_taught(VIEWS, "bird", (*NAMES, "wing"), MEAN, PROJECTION)
    assert float(taught.shares(TOKENS, MIDS)[..., 2].max()) == 0
    with pytest.raises(ValueError, match="no point of any of the parts wing"):
        fit_taught(VIEWS, "bird", ("wing",), MEAN, PROJECTION)


def test_without_places_outside_all_is_the_thing() -> None:
    full = [replace(one, outside=torch.zeros(6, 6, dtype=torch.bool)) for one in VIEWS]
    assert float(fit_taught(full, "bird", NAMES, MEAN, PROJECTION).shares(TOKENS, MIDS)[..., -1].max()) == 0


def test_the_places_around_and_between() -> None:
    grid = torch.arange(12.0).reshape(3, 4, 1)
    around = mean_around(grid)
    assert around[1, 1].item() == pytest.approx(grid[:3, :3].mean().item())
    assert around[0, 0].item() == pytest.approx(grid[:2, :2].mean().item())  # on the border those that there are
    torch.testing.assert_close(mean_around(torch.stack([grid, grid + 1]))[1], around + 1)
    # A point in the middle of a token is that token; the lower right corner is the last one.
    read = at_points(grid, torch.tensor([0.375, 0.5, 1.0]), torch.tensor([0.5, 0.5, 1.0]))
    assert read[:, 0].tolist() == pytest.approx([5, 5.5, 11])


@pytest.fixture(scope="module")
def found() -> PartModel:
    weight = torch.randn(DIM, 5, generator=torch.Generator().manual_seed(9))
    return fit_parts({"bird": TOKENS, "dog": TOKENS}, weight, parts_per_group=3, dims=8)


@pytest.fixture(scope="module")
def taught_model(found: PartModel) -> PartModel:
    taught = fit_taught(VIEWS, "bird", NAMES, found.mean, found.projection)
    return found.with_taught(taught, (Part(70, "head", "bird"), Part(71, "body", "bird")), TOKENS, MIDS)


def test_a_group_has_taught_parts_and_another_its_clusters(found: PartModel, taught_model: PartModel) -> None:
    assert [part.name for part in taught_model.of_group("bird")] == list(NAMES)
    assert taught_model.of_group("dog") == found.of_group("dog")
    assert torch.equal(taught_model.assign(TOKENS, "dog", MIDS), found.assign(TOKENS, "dog"))
    taught = taught_model.taught_of("bird")
    assert taught is not None
    shares = taught_model.assign(TOKENS, "bird", MIDS)
    assert torch.equal(shares, taught.shares(TOKENS, MIDS))
    described, vectors = taught_model.describe(TOKENS[0], "bird", MIDS[0])
    assert torch.equal(described, shares[0, ..., :-1])
    assert vectors.shape == (2, found.part_projection.shape[1])
    # Where nothing of the middle of the pass is at hand, the prototypes say about the same.
    alone = taught_model.assign(TOKENS, "bird")
    on_it = shares[..., -1] < 0.3
    assert float((alone[..., :-1].argmax(-1) == shares[..., :-1].argmax(-1))[on_it].float().mean()) > 0.7


def test_where_the_thing_is_is_told_by_taught_parts_and_mid_tokens_together(taught_model: PartModel) -> None:
    tokens, mid, line = TOKENS, MIDS, torch.randn(MID + 1, generator=torch.Generator().manual_seed(1))
    told = replace(taught_model, mid_ground=10 * line[None], mid_groups=("bird",))
    by_mid = 10 * (functional.normalize(mid, dim=-1) @ line[:-1] + line[-1])
    alone, both = (torch.logit(parts.where(tokens, mid, "bird")) for parts in (taught_model, told))
    assert float(by_mid.abs().max()) > SUREST >= float(alone.abs().max()) - 1e-3
    torch.testing.assert_close(both, (alone + by_mid.clamp(-SUREST, SUREST)) / 2, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(told.where(tokens, None, "bird"), told.foreground(tokens, "bird"))
    torch.testing.assert_close(told.where(tokens, mid, "dog"), told.foreground(tokens, "dog"))


def test_features_that_were_turned_are_asked_the_same(taught_model: PartModel) -> None:
    turn = [torch.linalg.qr(torch.randn(n, n, generator=torch.Generator().manual_seed(n)))[0] for n in (DIM, MID)]
    turned = (TOKENS @ turn[0], MIDS @ turn[1])
    refound = fit_parts({"bird": turned[0]}, torch.randn(DIM, 5), parts_per_group=3, dims=8)
    kept = keep_taught(taught_model, refound, (TOKENS, MIDS), turned)
    assert kept.of_group("bird") == taught_model.of_group("bird")
    agree = kept.assign(turned[0], "bird", turned[1]).argmax(-1) == taught_model.assign(TOKENS, "bird", MIDS).argmax(-1)
    assert float(agree.float().mean()) > 0.9
    same = keep_taught(taught_model, refound, (TOKENS, MIDS), (TOKENS, MIDS))
    torch.testing.assert_close(
        same.assign(TOKENS, "bird", MIDS), taught_model.assign(TOKENS, "bird", MIDS), atol=1e-4, rtol=0
    )


def test_a_taught_group_without_pictures_is_carried_too(taught_model: PartModel) -> None:
    dogs = fit_parts({"dog": TOKENS}, torch.randn(DIM, 5), parts_per_group=3, dims=8)
    kept = keep_groups(taught_model, dogs, ["bird"], TOKENS, TOKENS)
    kept = keep_taught(taught_model, kept, (TOKENS, MIDS), (TOKENS, MIDS))
    assert kept.of_group("bird") == taught_model.of_group("bird")
    assert len(kept.parts) == len(kept.prototypes)


def pointed(seed: int) -> TaughtPicture:
    """A drawn bird with points in the middle of its parts."""
    specimen = draw_specimen(SPECIES[seed % len(SPECIES)], seed, 64)
    points = []
    for part, mask in specimen.masks.items():
        rows, columns = np.nonzero(mask)
        if len(rows):
            points.append(PlacedPoint(part, (columns.mean() + 0.5) / 64, (rows.mean() + 0.5) / 64))
    return TaughtPicture(specimen.picture, tuple(points))


@pytest.fixture(scope="module")
def base() -> Classifier:
    return tiny_fit().classifier


@pytest.fixture(scope="module")
def classifier(base: Classifier) -> Classifier:
    return teach(base, base.parts.ground_groups[0], [pointed(seed) for seed in range(8)])


def test_evidence_splits_exactly_over_taught_parts(base: Classifier, classifier: Classifier) -> None:
    for seed in range(50, 53):
        picture = pointed(seed).picture
        before, reading = base.read(picture), classifier.read(picture)
        assert np.array_equal(reading.logits, before.logits)
        assert np.array_equal(reading.evidence, before.evidence)
        if not reading.parts or reading.parts[0].group != base.parts.ground_groups[0]:
            continue
        of_parts = np.einsum("hwk,hwc->kc", reading.assignment, reading.evidence)
        np.testing.assert_allclose(of_parts.sum(0) + reading.bias, reading.logits, atol=1e-4)
        looks = classifier.look([picture])
        np.testing.assert_allclose(
            looks.part_maps[0][..., : len(reading.parts)], reading.assignment[..., :-1], atol=1e-4
        )


def test_ids_stay_with_names_and_colours_differ(base: Classifier, classifier: Classifier) -> None:
    group = base.parts.ground_groups[0]
    parts = classifier.parts.of_group(group)
    assert len({part.colour for part in parts}) == len(parts)
    others = {part.id for part in classifier.parts.parts if part.group != group}
    assert not others & {part.id for part in parts}
    again = teach(classifier, group, [pointed(seed) for seed in range(8, 12)])
    known = {part.name: part.id for part in parts}
    assert all(known.get(part.name, part.id) == part.id for part in again.parts.of_group(group))
    assert len({part.id for part in again.parts.parts}) == len(again.parts.parts)


def test_a_checkpoint_keeps_taught_parts(classifier: Classifier, tmp_path: Path) -> None:
    save_classifier(classifier, tmp_path / "kept")
    again = load_classifier(tmp_path / "kept")
    assert again.parts.parts == classifier.parts.parts
    picture = pointed(60).picture
    np.testing.assert_allclose(again.read(picture).assignment, classifier.read(picture).assignment, atol=1e-3)
    arrays = load_file(tmp_path / "kept" / WEIGHTS)
    short = arrays | {"taught.0.own": arrays["taught.0.own"][:-1]}
    write_checkpoint(tmp_path / "short", replace(to_checkpoint(classifier), arrays=short))
    with pytest.raises(CheckpointError, match=r"taught\.0\.own has the shape"):
        load_classifier(tmp_path / "short")
    card = to_checkpoint(classifier).card
    parts = {**card["parts"], "taught_groups": ["fish"]}
    write_checkpoint(tmp_path / "fish", replace(to_checkpoint(classifier), card={**card, "parts": parts}))
    with pytest.raises(CheckpointError, match="taught_groups"):
        load_classifier(tmp_path / "fish")


def test_what_cannot_be_taught_is_said(base: Classifier) -> None:
    group = base.parts.ground_groups[0]
    with pytest.raises(DatasetError, match="no group “fish”"):
        part_names("fish", base.parts, [pointed(0)])
    with pytest.raises(DatasetError, match="There are no points"):
        teach(base, group, [replace(pointed(0), points=())])
    many = tuple(PlacedPoint(f"part {k}", 0.5, 0.5) for k in range(13))
    with pytest.raises(DatasetError, match="13 parts"):
        teach(base, group, [replace(pointed(0), points=many)])


def test_views_of_one_picture(base: Classifier) -> None:
    group, one = base.parts.ground_groups[0], pointed(3)
    boxed = views_of(base, replace(one, box=CropBox(0.2, 0.2, 0.7, 0.7)), group)
    assert len(boxed) == 3
    near, mirrored, whole = boxed
    seen = [point for point in one.points if 0.2 <= (point.x or 0) <= 0.7]
    for point in seen:
        close, turned = (next(p for p in v.points if p.part == point.part) for v in (near, mirrored))
        assert close.x == pytest.approx(((point.x or 0) - 0.15) / 0.6)
        assert turned.x == pytest.approx(1 - (close.x or 0))
    assert [p.x for p in whole.points] == [p.x for p in one.points]
    assert whole.outside.tolist() == [[True] * 4, *[[True, False, False, True]] * 2, [True] * 4]
    assert views_of(base, replace(one, points=()), group)[0].points == []


def test_the_command_teaches_from_a_table(base: Classifier, tmp_path: Path) -> None:
    save_classifier(base, tmp_path / "plain")
    lines = ["path,part,x,y"]
    for seed in range(6):
        one = pointed(seed)
        one.picture.save(tmp_path / f"{seed}.png")
        lines += [f"{seed}.png,{p.part},{(p.x or 0) * 64:.1f},{(p.y or 0) * 64:.1f}" for p in one.points]
    (tmp_path / "points.csv").write_text("\n".join(lines), encoding="utf-8")
    told: list[str] = []
    call = ["beak=bill", f"{pointed(0).points[0].part}=first"]
    result = teach_parts(tmp_path / "plain", tmp_path / "points.csv", tmp_path / "taught", call=call, say=told.append)
    after = load_classifier(tmp_path / "taught")
    assert {part.name for part in after.parts.of_group(result["group"])} == set(result["parts"])
    assert "first" in result["parts"]
    assert sum(one["points"] for one in result["parts"].values()) == len(lines) - 1
    assert any("points in pictures that did not teach it" in line for line in told)
    picture = pointed(9).picture
    assert np.array_equal(after.read(picture).logits, load_classifier(tmp_path / "plain").read(picture).logits)
    with pytest.raises(SettingsError, match="must look like"):
        teach_parts(tmp_path / "plain", tmp_path / "points.csv", tmp_path / "x", call=["face"])
    with pytest.raises(DatasetError, match="no group"):
        teach_parts(tmp_path / "plain", tmp_path / "points.csv", tmp_path / "x", group="fish")
