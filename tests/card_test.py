"""The card says what is in the files, and its pictures show it."""

import dataclasses
import io
import json

import numpy as np
import pytest
from open_faces_test import RECIPE, SIZE, rows
from PIL import Image

from slider_jax import card, open_faces
from slider_jax.face.expressions import KINDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    notes = dict(skin=dict(procedural=0.75, photographed=0.25))
    recipe = dataclasses.replace(RECIPE, renderer=notes)

    def render(split, identity, session):
        """One component always at its end, one slider at rest."""
        for row in rows(split, identity, session):
            row["expression"][3] = -1.0
            row["sliders"][5] = 0.0
            yield row | dict(pose=np.radians(np.float32([30, 0, -200])))

    open_faces.generate(folder, recipe, render)
    card.write(folder)
    return folder


def test_it_counts_rows_people_sessions_and_kinds(folder):
    splits = card.count(folder)["splits"]
    kinds = dict.fromkeys(KINDS, 0) | dict.fromkeys((KINDS[0], *KINDS[2:5]), 12)
    paired = dict(rows=48, people=6, sessions=12, kinds=kinds)
    assert splits["train_paired"] == paired
    assert splits["test_unpaired"]["rows"] == splits["test_unpaired"]["people"] == 1
    assert sum(split["rows"] for split in splits.values()) == 7 * 2 * 4 + 9


def test_it_counts_every_parameter_but_those_of_neutrals(folder):
    found = card.count(folder)["parameters"]
    moved = 7 * 2 * 3 + 9
    expression, sliders, pose = found["expression"], found["sliders"], found["pose"]
    for bars, rest in zip(expression["counts"], expression["rest"], strict=True):
        assert sum(bars) + round(rest * moved) == moved
    assert expression["counts"][3][0] == moved and expression["ends"][3] == 1
    assert expression["ends"][4] < 0.1
    assert sum(sliders["counts"][5]) == 0 and sliders["rest"][5] == 1
    yaw, pitch, roll = pose["counts"]
    assert yaw[18] == moved and sum(pitch) == 0 and roll[0] == moved  # 30, 0, beyond
    assert pose["ends"] == [0, 0, 1]


def test_what_is_written_is_what_was_counted(folder):
    assert json.loads((folder / "card.json").read_text()) == card.count(folder)
    text = (folder / "card.md").read_text()
    assert "| train_paired | 48 | 6 | 12 |" in text
    assert "most in component 4, 100.00%" in text
    assert "- skin:\n  - procedural: 0.75\n" in text
    for name in ("contact_sheet.jpg", "histograms.png"):
        assert f"({name})" in text and (folder / name).exists()


def test_the_sheet_shows_a_session_a_row_with_the_neutral_first(folder):
    sheet = np.asarray(card.contact_sheet(folder)).astype(int)
    first = next(rows("train_paired", 0, 0))
    big = Image.open(io.BytesIO(first["image"])).resize((96, 96), Image.LANCZOS)
    top, left = card.MARGIN + 30, card.MARGIN
    assert SIZE < 96
    shown = sheet[top : top + 96, left : left + 96]
    np.testing.assert_array_equal(shown, np.asarray(big))
    # Six people of four faces, then the eight single faces of people in training.
    assert sheet.shape[0] == 2 * card.MARGIN + 2 * 30 + 7 * (96 + 22)


def test_show_draws_from_the_files_alone(folder, tmp_path):
    before = sorted(folder.iterdir())
    text = card.show(folder, tmp_path / "sheet.jpg")
    assert "train_paired" in text and sorted(folder.iterdir()) == before
    drawn = (tmp_path / "sheet.jpg").read_bytes()
    assert drawn == (folder / "contact_sheet.jpg").read_bytes()
    assert (tmp_path / "sheet_histograms.jpg").exists()


def test_a_full_disk_leaves_the_picture_that_was_there(folder, tmp_path, monkeypatch):
    path = tmp_path / "sheet.png"
    path.write_bytes(b"old")

    def save(self, file, *_, **__):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(OSError, match=f"{path} cannot be written .No space left"):
        card.show(folder, path, force=True)
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("name", ["sheet.png", "sheet_histograms.png"])
def test_neither_picture_is_replaced_unasked(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(FileExistsError, match=f"{name} is there already: --force"):
        card.show("nowhere", tmp_path / "sheet.png")


def test_a_folder_without_a_set_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="render_faces.py --out"):
        card.show(tmp_path, tmp_path / "sheet.png")
