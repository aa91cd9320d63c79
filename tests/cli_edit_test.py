"""Photos from file to file: what is written, what is said, and exit codes."""

import csv
import io
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import small_editor
import small_shell
from PIL import Image

from slider_jax import edit, jobs, model_file, orders, photo, recording
from slider_jax.painter import make_painter


@pytest.fixture(scope="module")
def editor():
    return edit.Editor(make_painter(small_editor.model()))


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    small_shell.write_photos(folder)
    return folder


@pytest.fixture
def here(originals, tmp_path, monkeypatch):
    """A working folder with the photos in it."""
    shutil.copytree(originals, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def slider(here, editor, monkeypatch, capsysbinary):
    monkeypatch.setenv("SLIDER_MODEL", "a model")
    monkeypatch.setattr(edit.Editor, "load", lambda path: editor)
    return lambda *arguments, **how: small_shell.run(
        monkeypatch, capsysbinary, *arguments, **how
    )


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_edit_writes_beside_the_photo_what_the_editor_makes(slider, editor):
    code, said, _ = slider("edit", "one.png", "--set", "jawOpen=.3,tongueOut=0")
    assert code == 0 and said.startswith(b"one.png -> one.edited.png (")
    result = editor.edit("one.png", {"jawOpen": 0.3, "tongueOut": 0.0})
    np.testing.assert_array_equal(pixels("one.edited.png"), result.photo.pixels)
    assert result.pixels_changed


def test_every_output_has_the_record_unless_told_otherwise(slider, editor):
    slider("edit", "one.png", "--set=jawOpen=.3", "--region=mouth+jaw")
    record = photo.read_record("one.edited.png")
    assert record["model"] == editor.model.id and "software" in record
    assert record["request"] == {"set": {"jawOpen": 0.3}, "region": "mouth+jaw"}
    slider("edit", "one.png", "--set=jawOpen=.3", "--no-record", "-o", "bare.png")
    assert photo.read_record("bare.png") is None
    slider("edit", "couple.png", "--set=jawOpen=.3", "--face=all")
    assert len(photo.read_record("couple.edited.png")["faces"]) == 2


def test_a_picture_edited_again_as_before_stays_as_it_is(slider, monkeypatch):
    """Both faces, by the command line alone. (What this model paints is no face.)"""
    faces = photo.find_faces(photo.open_photo("couple.png"))
    monkeypatch.setattr(photo, "find_faces", lambda image, box=None: faces)
    how = ("--set=jawOpen=.6", "--face=all")
    slider("edit", "couple.png", *how, "-o", "b.png")
    assert (pixels("b.png") != pixels("couple.png")).any()
    told = slider("measure", "b.png")[1].decode().splitlines()
    assert [line.endswith("record says") for line in told if "face" in line] == [1, 1]
    slider("edit", "b.png", *how, "-o", "c.png")
    np.testing.assert_array_equal(pixels("c.png"), pixels("b.png"))
    slider("edit", "b.png", "--set=mouthSmile=.7", "--face=1", "-o", "d.png")
    slider("edit", "d.png", *how, "-o", "e.png")
    np.testing.assert_array_equal(pixels("d.png"), pixels("e.png"))


def test_a_folder_is_no_photo(slider):
    code, _, complained = slider("edit", ".", "--set=jawOpen=.6")
    assert code == 2 and "is a folder: name the photo in it" in complained


def test_a_label_is_drawn_only_when_asked_for(slider):
    for name, *more in (["plain.png"], ["marked.png", "--label=edited"]):
        slider("edit", "couple.png", "--set=jawOpen=.3", "-o", name, *more)
    differ = (pixels("plain.png") != pixels("marked.png")).any(-1)
    assert differ[-30:, -100:].any() and not differ[:100].any()


def test_set_add_and_strength_are_those_of_the_editor(slider, editor):
    session = editor.open("one.png")
    slider("edit", "one.png", "--add=jawOpen=-.4", "-o", "added.png")
    expected = session.edit({"jawOpen": -0.4}, mode="add").photo.pixels
    np.testing.assert_array_equal(pixels("added.png"), expected)
    slider("edit", "one.png", "--set=happy=1", "--strength=.5", "-o", "half.png")
    expected = session.edit({"happy": 1.0}, strength=0.5).photo.pixels
    np.testing.assert_array_equal(pixels("half.png"), expected)
    slider("edit", "one.png", "--set=happy=1", "--strength=0", "-o", "none.png")
    np.testing.assert_array_equal(pixels("none.png"), pixels("one.png"))


@pytest.mark.parametrize(
    "pick, changed", [("0", [0]), ("300,100", [1]), ("all", [0, 1])]
)
def test_the_face_is_chosen_by_number_by_point_or_all(slider, pick, changed):
    slider("edit", "couple.png", "--set=jawOpen=.1", "--face", pick)
    differ = (pixels("couple.edited.png") != pixels("couple.png")).any(-1)
    halves = [differ[:, 40:160].any(), differ[:, 240:360].any()]
    assert [i for i in (0, 1) if halves[i]] == changed


def test_a_face_is_said_by_hand(slider):
    code, _, _ = slider("edit", "one.png", "--set=jawOpen=.1", "--box=10,10,140,140")
    assert code == 0
    code, _, complained = slider(
        "edit", "nobody.png", "--set=jawOpen=.1", "--box=5,5,9,9"
    )
    assert code == 3 and "does not look like a face" in complained


def test_neutralise_and_transfer(slider, editor):
    assert slider("neutralise", "one.png")[0] == 0
    rest = editor.neutralise("one.png")
    np.testing.assert_array_equal(pixels("one.edited.png"), rest.photo.pixels)
    slider("neutralise", "one.png", "--strength=.5", "--region=eyes", "-fo", "x.png")
    part = editor.neutralise("one.png", 0.5, region="eyes")
    np.testing.assert_array_equal(pixels("x.png"), part.photo.pixels)
    slider("transfer", "other.jpg", "one.png", "--strength=.7", "-o", "t.png")
    expected = editor.transfer("other.jpg", "one.png", 0.7)
    np.testing.assert_array_equal(pixels("t.png"), expected.photo.pixels)


def test_an_expression_is_saved_and_worn_by_another(slider, editor):
    assert slider("measure", "other.jpg", "--save=worn.json")[0] == 0
    assert recording.read("worn.json").model == editor.model.id
    slider("edit", "one.png", "--load=worn.json", "--save=new.csv", "-o", "a.png")
    assert len(recording.read("new.csv").requests) == 1
    slider("transfer", "worn.json", "one.png", "-o", "b.png")
    np.testing.assert_array_equal(pixels("a.png"), pixels("b.png"))
    assert (pixels("a.png") != pixels("one.png")).any()


def test_standard_input_and_output(slider, here):
    content = (here / "one.png").read_bytes()
    code, said, _ = slider("edit", "-", "--set=jawOpen=.3", stdin=content)
    assert code == 0
    slider("edit", "one.png", "--set=jawOpen=.3")
    np.testing.assert_array_equal(pixels(io.BytesIO(said)), pixels("one.edited.png"))
    code, said, _ = slider("measure", "-", "--json", stdin=content)
    assert len(json.loads(said)[0]["faces"]) == 1


def test_json_tells_of_every_photo_and_face(slider):
    code, said, _ = slider(
        "edit", "couple.png", "--set=jawOpen=.3", "--face=all", "--json"
    )
    (row,) = json.loads(said)
    assert row["out"] == "couple.edited.png" and len(row["faces"]) == 2
    assert row["pixels_changed"] == sum(f["pixels_changed"] for f in row["faces"])
    assert set(row["faces"][0]) > {"measured", "sliders", "expression", "milliseconds"}


def test_several_photos_go_into_a_folder_and_bad_ones_are_told_at_the_end(slider):
    code, said, complained = slider(
        "edit", "o*.*", "broken.jpg", "nobody.png", "--set=jawOpen=.3", "-o", "new/"
    )
    assert code == 1
    assert sorted(os.listdir("new")) == ["one.png", "other.jpg"]
    assert said.count(b"->") == 2 and "2 of 4 failed" in complained
    assert "broken.jpg cannot be read" in complained and "no face" in complained


def test_files_are_replaced_only_with_force(slider):
    asked = ("edit", "one.png", "--set=jawOpen=.3")
    slider(*asked)
    code, _, complained = slider(*asked)
    assert code == 2 and "--force" in complained
    before = pixels("one.png")
    code, _, complained = slider(*asked, "-o", "one.png")
    assert code == 2 and (pixels("one.png") == before).all()
    assert slider(*asked, "-o", "one.png", "--force")[0] == 0
    assert (pixels("one.png") != before).any()


MISTAKES = {
    "edit one.png": "Say what the face shall do",
    "edit one.png --set jawOpn=1": "the nearest are jawOpen",
    "edit one.png --set jawOpen": "write NAME=VALUE",
    "edit one.png --set jawOpen=x": "'x', which is no number",
    "edit one.png --set jawOpen=2": "takes 0 to 1",
    "edit one.png --set speech_2=.5": "There is no 'speech_2'",
    "edit one.png --set jawOpen=1 --region moth": "There is no region 'moth'",
    "edit one.png --set jawOpen=1 --strength nan": "strength is nan: give 0 to 2",
    "edit one.png --set jawOpen=1 --face left": "face is 'left': give its number",
    "edit one.png --set jawOpen=1 --box 1,2,nan,4": "give x,y,w,h in pixels",
    "edit one.png --set jawOpen=1 -o x.bmp": "end its name in one of",
    "edit one.png --set jawOpen=1 --save x.txt": "neither in .json nor in .csv",
    "edit one.png other.jpg --set jawOpen=1 --save x.csv": "holds one expression",
    "edit couple.png --set jawOpen=1 --face all --save x.csv": "give --face a number",
    "edit one.png --set jawOpen=1 --save empty.json -f": "empty.json is a folder",
    "edit one.png --set jawOpen=1 -o broken.jpg/x.png": "cannot be made a folder",
    "edit one.png --load none.json": "none.json holds no expression",
    "edit one.png --set jawOpen=1 --label ä": "has 'ä', which its font has not",
    "edit one.png --set jawOpen=1 -o . -o -  --json": "both want standard output",
    "edit one.png other.jpg --set jawOpen=1 -o x.png": "is one file for 2 photos",
    "edit one.png other.jpg --set jawOpen=1 -o -": "Only one picture fits",
    "edit q*.png --set jawOpen=1": "No file matches q*.png",
    "edit lost.png --set jawOpen=1": "There is no lost.png",
    "edit broken.jpg --set jawOpen=1": "broken.jpg cannot be read",
    "edit one.png --load lost.json": "There is no file lost.json",
    "measure one.png --json --csv": "choose one",
    "measure one.png other.jpg --save x.csv": "holds one expression",
    "transfer one.png other.jpg --source-face all": "--source-face is one face",
    "batch lost -o new --set jawOpen=1": "There is no lost",
    "batch . -o new": "--set jawOpen=.6, or --neutralise",
    "batch empty -o new --neutralise": "There is no picture in empty",
    "batch one.png -o new": "one.png is no text",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_2(slider, here, line):
    for folder in ("empty", "empty.json"):
        (here / folder).mkdir()
    (here / "none.json").write_text('{"frames": []}')
    before = sorted(os.listdir())
    code, said, complained = slider(*line.split())
    assert (code, said) == (2, b"") and MISTAKES[line] in complained
    assert complained.startswith("slider: ") and complained.count("\n") == 1
    assert set(os.listdir()) - set(before) <= {"new"}


@pytest.mark.parametrize(
    "line",
    [
        "edit nobody.png --set jawOpen=1",
        "edit one.png --set jawOpen=1 --face 3",
        "edit one.png --set jawOpen=1 --face 2,2",
        "neutralise nobody.png",
        "measure nobody.png",
        "measure one.png --save x.json --face 4",
        "transfer nobody.png one.png",
    ],
)
def test_no_usable_face_is_one_sentence_and_exit_3(slider, line):
    code, _, complained = slider(*line.split())
    assert code == 3 and complained.count("\n") == 1
    assert not pathlib.Path("one.edited.png").exists()


def test_without_a_model_the_way_out_is_named(slider, monkeypatch):
    monkeypatch.delenv("SLIDER_MODEL")
    monkeypatch.setattr(edit.Editor, "load", model_file.load_model)
    monkeypatch.setattr(model_file, "DEFAULT", pathlib.Path("lost.npz"))
    code, _, complained = slider("measure", "one.png")
    assert code == 2 and "brings no model: train one" in complained


def test_measure_speaks_to_people_and_to_tables(slider, editor):
    code, said, _ = slider("measure", "couple.png", "one.png")
    assert code == 0 and said.count(b"face 1:") == 1 and said.count(b"face 0:") == 2
    code, said, _ = slider("measure", "couple.png", "--csv")
    rows = list(csv.DictReader(io.StringIO(said.decode())))
    measured = editor.measure("couple.png")
    assert [float(row["jawOpen"]) for row in rows] == pytest.approx(
        [face.sliders["jawOpen"] for face in measured], abs=1e-4
    )


def test_what_was_measured_asks_for_nothing_in_a_batch(slider, here):
    _, said, _ = slider("measure", "couple.png", "one.png", "--csv")
    (here / "worn.csv").write_bytes(said)
    code, said, _ = slider("batch", "worn.csv", "-o", "new", "--json")
    assert code == 0 and [r["pixels_changed"] for r in json.loads(said)] == [0, 0, 0]


def test_a_batch_of_a_folder_goes_on_where_it_stopped(slider, editor):
    asked = ("batch", ".", "-o", "new", "--set=jawOpen=.3", "--json", "-j2")
    code, said, complained = slider(*asked)
    rows = {row["photo"]: row for row in json.loads(said)}
    assert code == 1 and len(rows) == 5 and "2 of 5 failed" in complained
    assert rows["nobody.png"]["exit_code"] == 3 and rows["broken.jpg"]["exit_code"] == 2
    expected = editor.edit("one.png", {"jawOpen": 0.3}).photo.pixels
    np.testing.assert_array_equal(pixels("new/one.png"), expected)
    os.remove("new/one.png")
    code, said, _ = slider(*asked)
    again = {row["photo"]: row for row in json.loads(said)}
    assert code == 1 and "skipped" not in again["one.png"]
    assert again["other.jpg"]["skipped"] and again["couple.png"]["skipped"]


def test_a_batch_never_takes_another_edit_or_an_older_one_for_done(slider, here):
    done = ("batch", "one", "-o", "new", "--json")
    (here / "one").mkdir()
    shutil.copy("one.png", "one/one.png")
    slider(*done, "--set=jawOpen=.3")
    code, said, complained = slider(*done, "--set=jawOpen=.4")
    assert code == 2 and "is there already" in complained
    os.utime("new/one.png", (1, 1))
    assert slider(*done, "--set=jawOpen=.3")[0] == 2
    code, said, _ = slider(*done, "--set=jawOpen=.3", "--force")
    assert code == 0 and "skipped" not in json.loads(said)[0]


def test_a_batch_takes_nothing_for_done_that_looks_otherwise_or_does_not_say(slider):
    asked = ("batch", ".", "-o", "new", "--json", "--set=jawOpen=.3")
    first = lambda *how: {r["photo"]: r for r in json.loads(slider(*asked, *how)[1])}
    marked = ("--label=AI", "--quality=80")
    assert "error" not in first(*marked)["other.jpg"]
    assert "skipped" in first(*marked)["other.jpg"]
    for how in ((), ("--label=AI",), ("--label=BI", "--quality=80")):
        assert "is there already" in first(*how)["other.jpg"]["error"]
    slider(*asked, "--force", "--no-record")
    for how in (("--no-record",), ()):
        assert "is there already" in first(*how)["other.jpg"]["error"]


def test_an_expression_is_saved_into_a_new_folder_before_the_picture(slider):
    line = "edit one.png --set jawOpen=.5 --save new/DEEP.JSON"
    assert slider(*line.split())[0] == 0
    assert "jawOpen" in recording.read("new/DEEP.JSON").requests[0]
    assert slider("edit", "other.jpg", "--load", "new/DEEP.JSON")[0] == 0


def test_a_face_that_is_not_there_is_missed_by_the_name_of_its_photo(slider):
    _, _, complained = slider("edit", "one.png", "--set=jawOpen=1", "--face=3")
    assert "no face 3 in one.png" in complained


def test_what_another_model_made_is_not_done(slider, editor):
    slider("edit", "one.png", "--set=jawOpen=.3")
    job = jobs.Job("one.png", "one.edited.png", orders.Order(set={"jawOpen": 0.3}))
    assert jobs.is_done(editor, job, jobs.Writing())
    other = edit.Editor(make_painter(small_editor.model(seed=1)))
    assert not jobs.is_done(other, job, jobs.Writing())


def test_a_batch_survives_what_nobody_expected(slider, monkeypatch):
    real = photo.open_photo

    def open_photo(source):
        if "other" in str(source):
            raise RuntimeError("out of luck")
        return real(source)

    monkeypatch.setattr(photo, "open_photo", open_photo)
    code, _, complained = slider("edit", "o*.*", "--set=jawOpen=.3")
    assert code == 1 and "RuntimeError: out of luck" in complained
    with pytest.raises(RuntimeError):
        slider("edit", "other.jpg", "--set=jawOpen=.3")


def test_a_table_of_edits(slider, here, editor):
    (here / "edits.csv").write_text(
        "photo,out,jawOpen,happiness,face,region,strength\n"
        "one.png,,0.3,,,,\n"
        "one.png,,,1,,mouth,0.5\n"
        "couple.png,sub/named.png,.2,,1,,\n"
    )
    code, said, _ = slider("batch", "edits.csv", "-o", "new")
    assert code == 0
    expected = editor.edit("one.png", {"jawOpen": 0.3}).photo.pixels
    np.testing.assert_array_equal(pixels("new/one.png"), expected)
    wanted = editor.edit("one.png", {"happy": 1}, region="mouth", strength=0.5)
    np.testing.assert_array_equal(pixels("new/one-2.png"), wanted.photo.pixels)
    expected = editor.edit("couple.png", {"jawOpen": 0.2}, face=1).photo.pixels
    np.testing.assert_array_equal(pixels("new/sub/named.png"), expected)


TABLES = {
    "name,jawOpen\none.png,1\n": "has no column `photo`",
    "photo,jawOpn\none.png,1\n": "row 2: There is no 'jawOpn'",
    "photo,jawOpen\none.png,1\none.png,much\n": "row 3: jawOpen is 'much'",
    "photo,jawOpen\n,1\n": "row 2: there are more cells than names, or no photo",
    "photo,jawOpen\n": "has no row below",
    "photo,region,jawOpen\none.png,ear,1\n": "There is no region 'ear'",
    "photo,strength,jawOpen\none.png,9,1\n": "strength is 9",
}


@pytest.mark.parametrize("table", TABLES)
def test_a_wrong_table_is_refused_before_anything_is_edited(slider, here, table):
    (here / "edits.csv").write_text(table)
    code, _, complained = slider("batch", "edits.csv", "-o", "new")
    assert code == 2 and TABLES[table] in complained and "edits.csv" in complained
    assert not (here / "new").exists()
