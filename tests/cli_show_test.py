"""Strips, grids, films and model files from the command line."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import small_editor
import small_shell
from PIL import Image, ImageCms

from slider_jax import edit, film, jobs, model_file, photo, strips
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


def stand_in(folder, script):
    """A program named ffmpeg, first on the PATH."""
    path = folder / "bin" / "ffmpeg"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\nimport json, sys\n{script}")
    path.chmod(0o755)
    return str(path.parent)


def test_a_slider_is_set_and_below_zero_turned_round(editor):
    session = editor.open(*small_editor.photo_with_face())
    now = session.measured.expression
    at = lambda value: strips.slide(session, now, "jawOpen", value)
    for value in (0.0, 0.4, 1.0):
        np.testing.assert_allclose(
            at(value), session.vector({"jawOpen": value}), atol=2e-6
        )
    np.testing.assert_allclose(at(-0.5) + at(0.5), 2 * at(0.0), atol=2e-6)
    third = strips.slide(session, now, "component_3", -0.7)
    assert third[2] == pytest.approx(-0.7) and np.delete(third - now, 2).any() == 0


def test_sweep_is_the_photo_and_then_every_step(slider, editor):
    code, said, _ = slider("sweep", "one.png", "c2", "--steps=5", "--size=40", "--json")
    told = json.loads(said)
    assert code == 0 and told["out"] == "one.sweep.png"
    assert told["request"]["values"] == [-1, -0.5, 0, 0.5, 1]
    sheet = np.asarray(Image.open("one.sweep.png"))
    assert (told["height"], told["width"]) == sheet.shape[:2]
    session = editor.open("one.png")
    last = strips.look(session, session.edit({"c2": 1.0}).photo.pixels, 40)
    np.testing.assert_array_equal(sheet[-42:-2, -42:-2], last)
    first = strips.look(session, session.photo.pixels, 40)
    np.testing.assert_array_equal(sheet[-42:-2, 2:42], first)
    assert photo.read_record("one.sweep.png")["request"]["sweep"] == "c2"


def test_grid_moves_one_slider_across_and_one_down(slider, editor):
    code, _, _ = slider(
        *("grid", "one.png", "c2", "jawOpen", "--steps=3", "--size=40"),
        *("--low=0", "--set=happiness=.5", "-o", "new/g.png", "--no-record"),
    )
    assert code == 0 and photo.read_record("new/g.png") is None
    sheet = np.asarray(Image.open("new/g.png"))
    session = editor.open("one.png")
    begun = session.vector({"happiness": 0.5})
    corner = strips.slide(session, begun, "jawOpen", 1.0)
    corner = strips.slide(session, corner, "c2", 0.5)
    cell = strips.look(session, session.edit(corner).photo.pixels, 40)
    np.testing.assert_array_equal(sheet[-42:-2, -84:-44], cell)


def test_a_sheet_to_standard_output(slider, here):
    content = (here / "one.png").read_bytes()
    code, said, _ = slider("sweep", "-", "jawOpen", "--steps=2", stdin=content)
    assert code == 0 and said.startswith(b"\x89PNG")


def exchanged():
    """A profile in which red is green."""
    profile = bytearray(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def test_sheets_keep_the_profile_and_films_are_seen_through_it(slider, here):
    image, profile = Image.open("one.png").convert("RGB"), exchanged()
    image.save("seen.png", icc_profile=profile)
    assert slider("sweep", "seen.png", "jawOpen", "--steps=2", "-o", "s.png")[0] == 0
    with Image.open("s.png") as sheet:
        assert sheet.info["icc_profile"] == profile
    assert (
        slider("animate", "seen.png", "measured", "jawOpen=.1", "-o", "a.gif")[0] == 0
    )
    with Image.open("a.gif") as film:
        seen = np.asarray(film.convert("RGB").resize(image.size), float)
    asked = np.asarray(image, float)
    assert (
        np.abs(seen - asked[..., [1, 0, 2]]).mean() < 0.5 * np.abs(seen - asked).mean()
    )


def test_the_look_stays_inside_the_photo(editor):
    for scale in (0.7, 1.6, 3.5):
        session = editor.open(*small_editor.photo_with_face(3, scale=scale))
        white = np.full_like(session.photo.pixels, 255)
        assert (strips.look(session, white, 48) == 255).all()


def test_a_gif_keeps_its_time_its_record_and_what_stands_still(slider):
    code, said, _ = slider(
        *("animate", "couple.png", "measured", "happiness=1", "--seconds=.5"),
        *("--fps=30", "--back", "-o", "a.gif", "--json"),
    )
    told = json.loads(said)
    assert code == 0 and told["frames"] == 30
    total, frames = 0, []
    with Image.open("a.gif") as image:
        assert json.loads(image.info["comment"])["request"]["region"] == "all"
        for i in range(image.n_frames):
            image.seek(i)
            total += image.info["duration"]
            frames.append(np.asarray(image.convert("RGB")))
    assert total == 1000 and len(frames) > 20
    assert all((frame[:, 220:] == frames[0][:, 220:]).all() for frame in frames)
    assert (frames[15][:, :200] != frames[0][:, :200]).any()


def test_dots_of_a_gif_stand_still_where_the_pictures_do(tmp_path):
    first = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    second = first.copy()
    second[:, :20] //= 2
    film.write_gif(tmp_path / "a.gif", [first, second], 10, record=None)
    with Image.open(tmp_path / "a.gif") as image:
        shown = [np.asarray(image.convert("RGB"))]
        image.seek(1)
        shown.append(np.asarray(image.convert("RGB")))
    differ = (shown[0] != shown[1]).any(-1)
    assert differ[:, :20].any() and not differ[:, 20:].any()


def test_a_recording_moves_the_face_over_time(slider, here):
    (here / "take.csv").write_text(
        "time,viseme,headYaw\n0,sil,1\n0.1,aa,2\n0.3,O,3\n0.4,sil,1\n"
    )
    code, said, complained = slider("animate", "one.png", "take.csv", "--json")
    assert code == 0 and json.loads(said)["frames"] == 11
    assert "head and eye turns are left out" in complained
    with Image.open("one.gif") as image:
        assert image.n_frames > 5


def test_faces_photos_and_saved_expressions_are_stops(slider, editor, monkeypatch):
    seen = []
    keep = lambda path, frames, *rest, **how: seen.append(list(frames))
    monkeypatch.setattr(film, "write_gif", keep)
    slider("measure", "other.jpg", "--save=worn.json")
    stops = ("other.jpg", "worn.json", "jawOpen=.2,c3=.1", "measured")
    assert slider("animate", "one.png", *stops, "--seconds=.04", "-o", "b.gif")[0] == 0
    session = editor.open("one.png")
    giver = editor.measure("other.jpg")[0]
    wanted = (giver, giver.sliders, {"jawOpen": 0.2, "c3": 0.1}, {})
    for frame, request in zip(seen[0], wanted, strict=True):
        expected = session.edit(request).photo.pixels.astype(int)
        assert abs(frame - expected).mean() < 0.5  # a file keeps four digits


def test_a_film_of_the_face_alone(slider, editor):
    asked = ("animate", "couple.png", "happy=1", "--seconds=.1", "--face=1", "--crop")
    assert slider(*asked)[0] == 0
    left, top, right, bottom = strips.square(editor.open("couple.png", 1))
    assert 150 < left < right <= 400 and right - left == pytest.approx(bottom - top)
    with Image.open("couple.gif") as image:
        assert image.size == (round(right - left),) * 2


def test_one_stop_begins_at_the_measured_face():
    path = film.passages([np.zeros(2), np.ones(2)], 1.0, 4)
    np.testing.assert_allclose([v[0] for v in path], [0, 0.15625, 0.5, 0.84375, 1])


def test_pictures_shrink_and_videos_have_even_sides():
    frame = np.zeros((101, 203, 3), np.uint8)
    assert film.shrink(frame, 640) is frame
    assert film.shrink(frame, 640, even=True).shape == (100, 202, 3)
    assert film.shrink(frame, 100, even=True).shape == (50, 100, 3)


def test_frames_and_sound_go_to_ffmpeg(slider, here, monkeypatch):
    script = (
        "frames = sys.stdin.buffer.read()\n"
        "told = {'line': sys.argv[1:], 'bytes': len(frames)}\n"
        "open(sys.argv[-1], 'w').write(json.dumps(told))\n"
    )
    monkeypatch.setenv("PATH", stand_in(here, script))
    (here / "tone.wav").write_bytes(b"sound")
    code, _, _ = slider(
        *("animate", "one.png", "happy=1", "--seconds=.2", "-o", "a.mp4"),
        *("--audio=tone.wav", "--size=64"),
    )
    told = json.loads(pathlib.Path("a.mp4").read_text())
    assert code == 0 and told["bytes"] == 6 * 64 * 64 * 3
    line = " ".join(told["line"])
    assert "-s 64x64 -r 25" in line and "-i tone.wav -map 0:v:0 -map 1:a:0" in line
    assert 'comment={"software": "slider_jax' in line


@pytest.mark.parametrize(
    "complaint, sentence",
    [
        ("Stream map '1:a:0' matches no streams.", "tone.wav has no sound"),
        ("Unknown encoder 'libx264'", "(Unknown encoder 'libx264')"),
    ],
)
def test_what_ffmpeg_complains_of_is_one_sentence(
    slider, here, monkeypatch, complaint, sentence
):
    path = stand_in(here, f"print({complaint!r}, file=sys.stderr); sys.exit(1)")
    monkeypatch.setenv("PATH", path)
    (here / "tone.wav").write_bytes(b"sound")
    asked = ("animate", "one.png", "happy=1", "-o", "a.mp4", "--audio=tone.wav")
    code, _, complained = slider(*asked)
    assert code == 2 and sentence in complained
    assert not [name for name in os.listdir() if "a.mp4" in name]


def test_without_ffmpeg_the_way_out_is_named(slider, here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    code, _, complained = slider("animate", "one.png", "happy=1", "-o", "a.mp4")
    assert code == 2 and "pip install 'slider_jax[video]'" in complained


def test_a_real_film_has_pictures_and_sound(slider, here):
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    tone = [program, "-v", "error", "-f", "lavfi", "-i", "sine=duration=0.1", "t.wav"]
    subprocess.run(tone, check=True)
    asked = ("animate", "one.png", "happy=1", "--seconds=.4", "-o", "a.mp4")
    assert slider(*asked, "--audio=t.wav")[0] == 0
    done = subprocess.run([program, "-i", "a.mp4"], capture_output=True, text=True)
    for word in ("Video: h264", "160x160", "Audio: aac", "0:00:00.44", "slider_jax"):
        assert word in done.stderr


MISTAKES = {
    "sweep one.png jawOpn": "the nearest are jawOpen",
    "grid one.png jawOpen c31": "There is no 'c31'",
    "sweep one.png jawOpen --face all": "--face is one face here",
    "sweep one.png jawOpen -o x.gif": "end its name in one of",
    "sweep one.png jawOpen --high 3": "takes 0 to 1",
    "sweep lost.png jawOpen": "There is no lost.png",
    "animate one.png happy=1 -o x.avi": "neither a .gif nor an .mp4",
    "animate one.png happy=1 --audio x.wav": "A GIF has no sound",
    "animate one.png lost.csv": "There is no file lost.csv",
    "animate one.png empty.json": "empty.json holds no frame",
    "animate one.png two.json happy=1": "holds 2 expressions, not one",
    "animate one.png lost.png": "There is no lost.png",
    "animate one.png happy=1 --seconds 60 --fps 50": "3001 frames are too many",
    "sweep one.png jawOpen --low -3": "--low is -3, too far: jawOpen is 3.0",
    "grid one.png jawOpen mouthSmile --high nan": "--high is nan, too far",
    "animate one.png happy=1 --region ear": "There is no region 'ear'",
    "animate one.png happy=1 --strength 3": "strength is 3",
    "animate one.png happy=1 -o one.png": "neither a .gif nor an .mp4",
    "export lost -o x.npz": "There is no model at lost",
    "export . -o x.onnx": "is no run",
    "export one.png -o x.onnx": "one.png is no model of slider_jax",
    "export -o x.pt": "x.pt is of no known format: choose from npz, onnx",
    "export -o x.onnx --format=tf": "--format is 'tf': choose from npz, onnx",
    "export -o x.npz --reader": "--reader is of onnx and stablehlo",
    "export -o x.onnx --float32": "--float32 is of npz: onnx keeps all digits",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_2(slider, here, line):
    (here / "empty.json").write_text('{"frames": []}')
    frames = [{"sliders": {"jawOpen": v}} for v in (0, 1)]
    (here / "two.json").write_text(json.dumps({"frames": frames}))
    before = os.listdir()
    code, said, complained = slider(*line.split())
    assert (code, said) == (2, b"") and MISTAKES[line] in complained
    assert complained.startswith("slider: ") and complained.count("\n") == 1
    assert set(os.listdir()) == set(before)


@pytest.mark.parametrize(
    "line",
    [
        "sweep nobody.png jawOpen",
        "grid one.png jawOpen c3 --face 2",
        "animate nobody.png happy=1",
        "animate one.png nobody.png",
    ],
)
def test_no_usable_face_is_exit_3(slider, line):
    code, _, complained = slider(*line.split())
    assert code == 3 and complained.count("\n") == 1


def test_nothing_is_replaced_unasked(slider, here):
    for name, *line in (
        ("one.sweep.png", "sweep", "one.png", "jawOpen"),
        ("one.gif", "animate", "one.png", "happy=1"),
    ):
        (here / name).write_bytes(b"precious")
        code, _, complained = slider(*line)
        assert code == 2 and "--force" in complained
        assert (here / name).read_bytes() == b"precious"


def test_export_makes_a_file_that_model_takes(slider, here, monkeypatch):
    model = small_editor.model()
    monkeypatch.setattr(model_file, "_load_run", lambda folder: model)
    line = ("export", ".", "-o", "new/m.npz", "--licence=CC0-1.0", "--json")
    code, said, _ = slider(*line)
    assert code == 0 and json.loads(said)["model"] == model.id
    assert model_file.load_model("new/m.npz").card["licence"] == "CC0-1.0"


def test_export_of_the_model_in_hand_runs_elsewhere(slider, here, monkeypatch):
    monkeypatch.setattr(model_file, "load_model", lambda _: small_editor.model())
    code, said, _ = slider("export", "-o", "m.onnx", "--json")
    told = json.loads(said)
    assert code == 0 and told["opset"] == 17 and told["difference"] < 1e-4
    assert told["bytes"] == (here / "m.onnx").stat().st_size
    code, _, complained = slider("export", "-o", "m.onnx")
    assert code == 2 and "m.onnx is there already" in complained
    (here / "m.stablehlo.json").write_text("mine")
    code, _, complained = slider("export", "-o", "m.stablehlo")
    assert code == 2 and "m.stablehlo.json is there already" in complained


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_standard_output_is_said_once(monkeypatch):
    """Not again as the stream is closed, with what it still holds."""
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="did not take the picture .No space left"):
            jobs.put_out(b"a picture")
