"""The printed sheet and its layers: colours mean what they say, in the right place, and odd input is drawn too."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fgdemo.explain import fallback
from fgdemo.explain.overlay import over, parts_layer, scale_strip, signed_layer
from fgdemo.explain.sheet import A_BAR, _as_many_as_fit, explain_sheet
from fgdemo.explain.typeset import font, has_boxes
from fgdemo.values.classification.answers import (
    Answer,
    Classification,
    PartView,
    PossibleKind,
    TaxonProb,
    UnknownVerdict,
)
from fgdemo.values.types import CropBox, Trust

GRID = (3, 6)


def one_hot(row: int, column: int, value: float) -> np.ndarray:
    grid_map = np.zeros(GRID)
    grid_map[row, column] = value
    return grid_map


def candidate(taxon: str, name: str, prob: float, evidence: np.ndarray) -> PossibleKind:
    return PossibleKind(taxon, name, f"Latina {taxon}", prob, (), -1.0, tuple(evidence.ravel().tolist()))


@pytest.fixture
def classification() -> Classification:
    """A wide picture: A's evidence lies in the upper right, B's in the lower left."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 4)).save(buffer, "JPEG")
    return Classification(
        image_id="0123456789abcdef" * 4,
        width_px=600,
        height_px=300,
        box=None,
        display="data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode(),
        model_version="test@00000000",
        kinds_known=3,
        answer=Answer("leaf", "a", "Alpha", "Latina a", 0.8, "Looks like an Alpha, 80 %"),
        path=(TaxonProb("bird", "bird", None, 0.95), TaxonProb("a", "Alpha", "Latina a", 0.8)),
        candidates=(
            candidate("a", "Alpha", 0.8, one_hot(0, 5, 3.0)),
            candidate(
                "b", "Bêta with a name that is far too long to fit anywhere at all, really", 0.15, one_hot(2, 0, 2.0)
            ),
            candidate("c", "Gamma 日本", 0.05, np.zeros(GRID)),
        ),
        prediction_set=(TaxonProb("a", "Alpha", None, 0.8), TaxonProb("b", "Beta", None, 0.15)),
        coverage=0.9,
        unknown=UnknownVerdict(0.2, 0.95, False, "Looks like the pictures I know."),
        grid=GRID,
        parts=(PartView(0, "wing", "#E69F00", tuple(one_hot(0, 5, 1.0).ravel().tolist())),),
        asked="a",
        rival="b",
        elapsed_ms=12.0,
    )


PICTURE = Image.new("RGB", (600, 300), "#808080")


def drawn(sheet: Image.Image) -> np.ndarray:
    return np.asarray(sheet, dtype=np.int64)


def test_sheet_draws_a_wide_picture_and_where_the_evidence_lies(classification: Classification) -> None:
    trust = {"class": Trust(0.41, 0.2, 0.61, 0.1), "contrast": Trust(-0.08, 0.5, 0.42, 0.1)}
    sheet = explain_sheet(classification, PICTURE, trust)
    assert (sheet.mode, sheet.width) == ("RGB", 1600)
    pixels = drawn(sheet)
    left, panel, top = 56, 354, 136
    class_map = pixels[top : top + panel // 2, left + panel + 24 : left + 2 * panel + 24]
    colourful = class_map.max(-1) - class_map.min(-1) > 60
    rows, columns = np.nonzero(colourful)
    assert rows.max() < panel / 4  # the upper third of a picture half as high as wide
    assert columns.min() > 0.7 * panel
    versus = pixels[top : top + panel // 2, left + 2 * (panel + 24) : left + 3 * panel + 48]
    assert versus[10, -10, 2] > versus[10, -10, 0] + 60  # blue for A, upper right
    assert versus[-10, 10, 0] > versus[-10, 10, 2] + 60  # orange for B, lower left
    assert (abs(versus[panel // 4, panel // 2] - 128) < 4).all()  # nothing in between


def test_asking_the_other_way_round_swaps_the_colours(classification: Classification) -> None:
    swapped = drawn(explain_sheet(replace(classification, asked="b", rival="a"), PICTURE))
    assert swapped[146, 56 + 3 * 354 + 48 - 10, 0] > swapped[146, 56 + 3 * 354 + 48 - 10, 2] + 60


def test_trust_is_only_shown_where_it_was_measured(classification: Classification) -> None:
    without = drawn(explain_sheet(classification, PICTURE))
    measured = drawn(explain_sheet(classification, PICTURE, {"class": Trust(0.41, 0.2, 0.61, 0.1)}))
    rows, columns = np.nonzero((without != measured).any(-1))
    assert len(rows)
    assert columns.min() > 56 + 354
    assert columns.max() < 56 + 2 * 354 + 24


@pytest.mark.parametrize("size", [(600, 300), (300, 600), (1, 1), (4000, 20)])
def test_sheet_of_odd_shapes_boxes_and_empty_maps(classification: Classification, size: tuple[int, int]) -> None:
    nothing = tuple(replace(c, evidence=tuple(np.zeros(18).tolist()), prob=1 / 3) for c in classification.candidates)
    empty = replace(classification, candidates=nothing, parts=(), path=(), box=CropBox(0.2, 0.2, 0.9, 0.8))
    sheet = explain_sheet(empty, Image.new("RGB", size, "#808080"))
    assert sheet.width == 1600
    assert 500 < sheet.height < 1400
    assert (abs(drawn(sheet)[140:200, 56 + 354 + 24 : 56 + 2 * 354 + 24] - 128) < 4).all()


def test_signed_layer_is_clear_at_zero_and_full_at_the_given_value() -> None:
    values = np.zeros((4, 8))
    values[0, 7], values[3, 0] = 2.0, -2.0
    layer = np.asarray(signed_layer(values, (160, 80), full=2.0, positive="a", negative="b"), dtype=int)
    assert layer[10, 150, 3] == round(0.78 * 255)
    assert layer[10, 150, 2] > layer[10, 150, 0]
    assert layer[70, 10, 3] == round(0.78 * 255)
    assert layer[70, 10, 0] > layer[70, 10, 2]
    assert layer[40, 80, 3] == 0
    half = np.asarray(signed_layer(values, (160, 80), full=4.0), dtype=int)
    assert 0 < half[10, 150, 3] < 255


def test_heat_gets_evenly_lighter() -> None:
    strip = np.asarray(scale_strip((256, 1), "evidence"), dtype=float)[0, :, :3]
    lightness = strip @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -0.5).all()
    assert np.diff(lightness[::32]).min() > 5


def test_parts_layer_tints_the_owner_of_each_place() -> None:
    left, right = np.zeros((2, 3, 6))
    left[:, :2], right[:, 4:] = 1.0, 1.0
    parts = tuple(
        PartView(place, f"part {place}", colour, tuple(share.ravel().tolist()))
        for place, (colour, share) in enumerate((("#E69F00", left), ("#56B4E9", right)))
    )
    layer = np.asarray(parts_layer(parts, (3, 6), (120, 60)))
    assert tuple(layer[30, 15, :3]) == (0xE6, 0x9F, 0x00)
    assert tuple(layer[30, 105, :3]) == (0x56, 0xB4, 0xE9)
    assert layer[30, 60, 3] == 0
    assert layer[30, 15, 3] > 0
    assert np.asarray(parts_layer((), (3, 6), (120, 60))).max() == 0


def test_between_two_places_the_part_is_the_one_that_is_likely_in_both() -> None:
    parts = (PartView(0, "crown", "#E69F00", (0.9, 0.0)), PartView(1, "bill", "#56B4E9", (0.1, 0.2)))
    layer = np.asarray(parts_layer(parts, (1, 2), (120, 60)))
    assert tuple(layer[30, 10, :3]) == (0xE6, 0x9F, 0x00)
    assert tuple(layer[30, 60, :3]) == (0x56, 0xB4, 0xE9)
    assert layer[30, 115, 3] == 0


def test_over_keeps_the_picture_where_the_layer_is_clear() -> None:
    covered = over(Image.new("RGB", (50, 20), "#336699"), signed_layer(np.zeros((2, 2)), (100, 40), 1.0))
    assert covered.size == (100, 40)
    assert covered.getcolors() == [(100 * 40, (0x33, 0x66, 0x99))]


# --- names in scripts that the page's typeface lacks ------------------------------------------------------------


def named(classification: Classification, name: str) -> Classification:
    first, *others = classification.candidates
    return replace(classification, candidates=(replace(first, name=name), *others[:1]))


@pytest.mark.parametrize("name", ["žluna", "Жёлна", "δρυοκολάπτης", "דרור הבית", "عصفور"])
def test_a_name_in_another_script_is_set_in_a_typeface_that_has_it(classification: Classification, name: str) -> None:
    face = fallback.setting(name, font(16))
    if face is font(16):
        pytest.skip("fontconfig knows no typeface with these letters here")
    assert fallback.lacking(name, font(16))
    assert not has_boxes(name, font(16))
    assert explain_sheet(named(classification, name), PICTURE).width == 1600


def test_what_no_typeface_has_is_told_on_the_sheet(
    classification: Classification, monkeypatch: pytest.MonkeyPatch
) -> None:
    heights = {}
    for name in ("Alpha", "\u0378"):  # no character, so no typeface can have it
        drawn_at: list[str] = []
        monkeypatch.setattr(
            "fgdemo.explain.sheet.wrapped", lambda text, *_, drawn_at=drawn_at: drawn_at.append(text) or [text]
        )
        heights[name] = explain_sheet(named(classification, name), PICTURE).height
        assert ("A box is a letter that no typeface of this server has." in drawn_at[-1]) == (name != "Alpha")
    assert len(set(heights.values())) == 1


def test_without_fontconfig_the_page_s_own_typeface_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fallback._installed.cache_clear()
    monkeypatch.setattr("shutil.which", lambda program: None)
    assert fallback.setting("Жёлна", font(16)) is font(16)
    assert has_boxes("Жёлна", font(16))
    fallback._installed.cache_clear()


def test_names_that_do_not_fit_are_counted_and_never_cut_off_without_a_word() -> None:
    head, face = "With 90 % certainty one of: ", font(15)
    assert _as_many_as_fit(head, ["Alpha", "Beta"], face, 700) == [f"{head}Alpha, Beta"]
    for count in (30, 200, 3000):
        names = [f"Rather long-named warbler {n}" for n in range(count)]
        lines = _as_many_as_fit(head, names, face, 700)
        shown, _, more = " ".join(lines).removeprefix(head).rpartition(" and ")
        assert len(lines) <= 3
        assert shown.split(", ") == names[: len(shown.split(", "))]
        assert more == f"{count - len(shown.split(', ')):,} more"
        assert len(shown.split(", ")) > 5


def test_there_are_bars_only_where_something_adds_up(classification: Classification) -> None:
    def bars(shown: Classification) -> int:
        drawn = np.asarray(explain_sheet(shown, PICTURE))[460:, :780]
        return int((drawn == np.array(Image.new("RGB", (1, 1), A_BAR).getpixel((0, 0)))).all(-1).sum())

    assert bars(classification) > 0
    assert bars(replace(classification, is_sum=False)) == 0
