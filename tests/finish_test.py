"""What is drawn over edits: noise like the photo's, and lids that meet in a line."""

import dataclasses
import pathlib

import numpy as np
import pytest
from scipy import ndimage

from slider_jax import eyes, finish, grain, landmarker, model_file, patch, photo
from slider_jax.edit import Editor
from slider_jax.face import requests
from slider_jax.face.landmarks import LIDS
from slider_jax.face.maps import load_maps
from slider_jax.measures import landmarks
from slider_jax.painter import make_painter

OPEN = pathlib.Path(model_file.__file__).parent / "studio/page/example.jpg"
BLINK, WINK = {"eyeBlink": 1.0}, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 0.0}


@pytest.fixture(scope="module")
def editor():
    return Editor(make_painter(model_file.load_model()), finishes=True)


@pytest.fixture(scope="module")
def session(editor):
    return editor.open(OPEN)


def vector(asked):
    """Components of a face at rest that is asked for one thing."""
    return requests.target(load_maps(30), np.zeros(30), asked, mode="set", region="all")


def edited(session, asked, monkeypatch, *without):
    """Pixels where some of what is drawn is not."""
    with monkeypatch.context() as patched:
        for what in without:
            patched.setattr(*what)
        return dataclasses.replace(session).edit(asked).photo.pixels.astype(int)


NO_EYES = (eyes, "change", lambda *_: np.zeros(2))


@pytest.mark.parametrize("asked, eyes", [(BLINK, 2), (WINK, 1)])
def test_shut_lids_meet_in_a_dark_line(session, monkeypatch, asked, eyes):
    drawn = edited(session, asked, monkeypatch)
    plain = edited(session, asked, monkeypatch, NO_EYES)
    assert (drawn <= plain).all()
    rows, columns = np.nonzero((drawn != plain).any(2))
    points = session.measured.face.landmarks
    right, left = points[36:42], points[42:48]  # the photo's left half, and its right
    between = (right[:, 0].max() + left[:, 0].min()) / 2
    seen = [(columns < between).any(), (columns > between).any()]
    assert sum(seen) == eyes and seen[1]
    assert points[36:48, 1].min() < rows.min() and rows.max() < points[30, 1]
    darker = (plain - drawn).sum(2).max(0)  # in every column of the line
    of_left = darker[int(left[:, 0].min()) + 4 : int(left[:, 0].max()) - 3]
    assert of_left.min() > 60


@pytest.mark.parametrize(
    "asked", [{"jawOpen": 0.8}, {"browInnerUp": 0.8}, {"eyeBlink": 0.2}]
)
def test_eyes_that_stay_as_they_are_are_left_alone(session, monkeypatch, asked):
    drawn = edited(session, asked, monkeypatch)
    np.testing.assert_array_equal(drawn, edited(session, asked, monkeypatch, NO_EYES))


def test_the_other_eye_of_a_wink_is_left_alone(editor, session, monkeypatch):
    """It was shut: whatever the open one does, it gets no line."""
    winked = editor.open(session.edit(WINK).photo.pixels)
    points = landmarker.on_crop(winked.crop)
    shut = winked.finish.eyes[0 if winked.flipped else 1]
    how = winked.photo, points, 1.0
    assert shut.shut(*how) is None
    open_before = dataclasses.replace(shut, apart=shut.apart + 0.02)
    assert open_before.shut(*how) is not None
    for asked in ({"eyeWideRight": 1.0}, {"eyeSquintRight": 1.0}):
        drawn = edited(winked, asked, monkeypatch)
        plain = edited(winked, asked, monkeypatch, NO_EYES)
        assert not (drawn != plain).any(2)[:, drawn.shape[1] // 2 :].any()


def test_eyes_of_faces_turned_far_are_left_alone():
    shut = vector(BLINK)
    rest = np.zeros_like(shut)
    much = lambda yaw: eyes.change(rest, shut, yaw)
    assert (much(-20.0) == 1).all() and (much(40.0) == 0).all()
    assert (0 < much(30.0)).all() and (much(30.0) < 1).all()
    assert (eyes.change(rest, rest, 0.0) == 0).all()
    right, left = eyes.change(rest, vector(WINK), 0.0)
    assert (right, left) == (0, 1)


def test_nothing_begins_with_a_jump():
    rest = np.zeros(30)
    values = np.linspace(0, 0.3, 121)
    much = [eyes.change(rest, vector({"eyeBlink": v}), 0.0) for v in values]
    assert (much[0] == 0).all() and (much[-1] == 1).all()
    assert np.abs(np.diff(much, axis=0)).max() < 0.1


def wider(session):
    """Its points, with the upper lids raised."""
    points = landmarker.on_crop(session.crop)
    for upper, _ in LIDS:
        points[list(upper), 1] -= 0.015
    return points


STILL = np.zeros(2)
LOOKS = {
    ("eyeLookUp",): [0, -1],
    ("eyeLookDown",): [0, 1],
    ("eyeLookInRight", "eyeLookOutLeft"): [1, 0],
    ("eyeLookInLeft", "eyeLookOutRight"): [-1, 0],
}


def test_eyes_that_open_are_the_photos_own(session):
    """Whatever was painted, and it lies nowhere but between the lids."""
    tinted = (session.photo.pixels + [-30, 60, -30]).clip(0, 255).astype(np.uint8)
    edited = session.photo.replace(pixels=tinted)
    narrow, wide = landmarker.on_crop(session.crop), wider(session)
    for eye in session.finish.eyes:
        result, mask = eye.open(edited, wide, 1.0, STILL)
        inner = eyes.between(narrow, eye.which, eye.window)
        inner = ndimage.distance_transform_edt(inner > 0.5) > 8
        true, ours, false = (
            eye.window.see(pixels)[inner].astype(float)
            for pixels in (session.photo.pixels, result.pixels, tinted)
        )
        assert np.abs(ours - true).mean() < 0.15 * np.abs(false - true).mean()
        outside = mask == 0
        np.testing.assert_array_equal(result.pixels[outside], tinted[outside])


def test_eyes_no_wider_and_not_turned_are_left_alone(session):
    as_before = landmarker.on_crop(session.crop)
    for eye in session.finish.eyes:
        assert eye.open(session.photo, as_before, 1.0, STILL) is None
        assert eye.open(session.photo, wider(session), 0.0, STILL) is None
        assert eye.open(session.photo, as_before, 1.0, STILL + 0.01) is not None


@pytest.mark.parametrize("mirrored", [False, True])
def test_irises_go_where_the_slider_says(editor, mirrored):
    """As the net sees them in the finished photo, and those of the head as far."""
    pixels = photo.open_photo(OPEN).pixels
    session = editor.open(pixels[:, ::-1] if mirrored else pixels)

    def middles(opened):
        size = len(session.crop)
        points = landmarker.on_crop(photo.crop(opened, session.frame, size))
        return np.stack([points[i.start] for i in eyes.IRISES])

    rest, before, far = np.zeros(30), middles(session.photo), 0.004
    for names, way in LOOKS.items():
        asked = dict.fromkeys(names, 1.0)
        turns = eyes.turns(rest, vector(asked), 0.0)
        assert (turns @ way > 2 * far).all() and np.abs(turns @ way[::-1]).max() < 0.001
        moved = middles(session.edit(asked).photo) - before
        assert (moved @ way > far).all(), (asked, moved)
    turned = eyes.turns(rest, vector(asked), 60.0)
    np.testing.assert_allclose(turned[:, 0], turns[:, 0] / 2)
    assert not eyes.turns(rest, vector(BLINK), 0.0).round(3).any()


@pytest.mark.parametrize(
    "slider, values",
    [
        ("eyeBlink", np.arange(0.2, 0.8, 0.03)),
        ("eyeWide", np.arange(0.1, 0.7, 0.03)),
        ("eyeLookUp", np.arange(0.1, 0.7, 0.03)),
    ],
)
def test_what_is_drawn_comes_in_gently(session, slider, values):
    plain = dataclasses.replace(session, finishes=False)

    def steps(session):
        edits = [session.edit({slider: v}).photo.pixels.astype(int) for v in values]
        return np.abs(np.diff(edits, axis=0)).sum((1, 2, 3))

    assert steps(session).max() < 1.2 * steps(plain).max()


def test_eyes_close_as_the_slider_goes(session):
    openings = []
    for value in np.linspace(0, 0.6, 5):
        (face,) = photo.find_faces(session.edit({"eyeBlink": value}).photo)
        openings.append(landmarks.eye_opening(face.landmarks[None])[0])
    assert (np.diff(openings) < 0).all()


def test_mirrored_to_the_bit(editor):
    here = photo.open_photo(OPEN)
    there = photo.open_photo(here.pixels[:, ::-1])
    one = editor.edit(here, WINK)
    two = editor.edit(there, requests.mirror(WINK, editor.painter.maps))
    np.testing.assert_array_equal(two.photo.pixels, one.photo.pixels[:, ::-1])
    np.testing.assert_array_equal(two.mask, one.mask[:, ::-1])


def test_nothing_changes_outside_of_the_mask_and_the_record_says_who_drew(session):
    result = session.edit(BLINK)
    plain = dataclasses.replace(session, finishes=False).edit(BLINK)
    assert result.record == plain.record | {"finish": "drawn"}
    outside = result.mask == 0
    np.testing.assert_array_equal(
        result.photo.pixels[outside], session.photo.pixels[outside]
    )


def test_a_face_that_the_edit_loses_gets_no_line(session, monkeypatch):
    plain = edited(session, BLINK, monkeypatch, NO_EYES)
    known = dataclasses.replace(session)
    assert known.finish.eyes and known.finish.grain is not None
    lost = lambda image: (np.zeros((478, 3), np.float32), -20.0)
    monkeypatch.setattr(landmarker, "mesh", lost)
    np.testing.assert_array_equal(known.edit(BLINK).photo.pixels, plain)


FRAME = np.array([[0.25, 0, 0], [0, 0.25, 0]])  # a crop of 128 of 512 pixels
FACE = np.zeros((478, 2))
FACE[grain.NOSE] = 0.5, 0.55
FACE[list(grain.CHEEKS[0])] = [(0.3, 0.58), (0.33, 0.62), (0.3, 0.66)]
FACE[list(grain.CHEEKS[1])] = [(0.7, 0.58), (0.67, 0.62), (0.7, 0.66)]


def noisy(shape, seed=0):
    """Noise that differs along both axes, and whose channels are not alike."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 8, shape) + rng.normal(0, 8, shape[:2])[..., None]
    noise[1:] += 0.8 * noise[:-1]
    return noise


def test_grain_is_noise_of_the_strength_colour_and_direction_of_the_photo():
    pixels = (128 + noisy((512, 512, 3))).clip(0, 255).astype(np.uint8)
    tile = grain.grain_of(pixels, FRAME, 128, FACE)
    fine = pixels - patch.ndimage.gaussian_filter(pixels.astype(float), (2.8, 2.8, 0))
    shift = lambda a, axis: np.corrcoef(a.ravel(), np.roll(a, 1, axis).ravel())[0, 1]
    assert tile.std() == pytest.approx(fine.std(), rel=0.15)
    colours = lambda a: np.corrcoef(a.reshape(-1, 3).T)[0, 1]
    assert colours(tile) == pytest.approx(colours(fine), abs=0.1)
    for axis in (0, 1):
        assert shift(tile, axis) == pytest.approx(shift(fine, axis), abs=0.1)
    assert abs(tile.mean()) < 1


def test_grain_is_of_the_quietest_cheek_and_has_nothing_of_its_folds():
    pixels = np.full((512, 512, 3), 128.0) + noisy((512, 512, 3))
    pixels[:, 256:] += 3 * noisy((512, 256, 3), 1)
    pixels[:, 150:154] -= 60  # through every piece of the quiet cheek
    bytes_ = pixels.clip(0, 255).astype(np.uint8)
    tile = grain.grain_of(bytes_, FRAME, 128, FACE)
    assert tile.std() < 20
    columns = tile.mean((0, 2))
    piece = grain._piece(bytes_, np.array([132.0, 248.0]), 51, 2.8).mean((0, 2))
    assert np.abs(piece).max() > 4 * np.abs(columns).max()


def test_a_cheek_that_is_turned_away_is_not_looked_at():
    """It is quiet because what lies behind it is out of focus."""
    pixels = np.full((512, 512, 3), 128.0) + noisy((512, 512, 3))
    pixels[:, 256:] = 128
    pixels = pixels.astype(np.uint8)
    assert grain.grain_of(pixels, FRAME, 128, FACE).std() < 1
    turned = FACE.copy()
    turned[grain.NOSE, 0] = 0.6
    assert grain.grain_of(pixels, FRAME, 128, turned).std() > 5


def test_small_and_cut_off_faces_have_no_grain():
    pixels = np.zeros((200, 200, 3), np.uint8)
    assert grain.grain_of(pixels, np.eye(2, 3), 128, FACE) is None
    away = np.array([[0.25, 0, 400.0], [0, 0.25, 400.0]])
    assert grain.grain_of(pixels, away, 128, FACE) is None


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_the_stretch_of_a_flow_is_that_of_its_jacobian(turn):
    """Where a picture is drawn out three times, however that is turned."""
    c, s = np.cos(turn), np.sin(turn)
    axes = np.array([[c, -s], [s, c]])
    places = (np.indices((64, 64))[::-1].transpose(1, 2, 0) - 32) / 64
    flow = lambda times: places @ (axes @ np.diag([1, 1 / times]) @ axes.T - np.eye(2))
    for times, expected in ((1.0, 0), (1.4, 0), (4.0, 1), (0.3, 0)):
        np.testing.assert_allclose(patch.stretched(flow(times)), expected, atol=1e-6)
    half = patch.smoothstep((1 / 1.5 - 1 / 2.2) / (1 / 1.5 - 1 / 3.3))
    np.testing.assert_allclose(patch.stretched(flow(2.2)), half, atol=1e-6)


def test_grain_lies_where_detail_goes(session, monkeypatch):
    """On shut lids, which are drawn out from a sliver, and nowhere beyond the mask."""
    tile = session.finish.grain
    smooth = grain, "grain_of", lambda *_: np.zeros_like(tile)
    rough = edited(session, BLINK, monkeypatch, NO_EYES)
    plain = edited(session, BLINK, monkeypatch, NO_EYES, smooth)
    mask = session.edit(BLINK).mask
    assert not (rough - plain)[mask == 0].any()
    x, y = session.measured.face.landmarks[42:48].mean(0).astype(int)
    lid = (rough - plain)[y - 8 : y + 2, x - 10 : x + 10]
    assert 0.5 * tile.std() < lid.std() < 1.5 * tile.std()


def test_the_environment_says_who_draws(monkeypatch):
    assert finish.is_drawn() and Editor.load().finishes
    monkeypatch.setenv("SLIDER_FINISH", "painted")
    assert not Editor.load().finishes
    monkeypatch.setenv("SLIDER_FINISH", "closed")
    with pytest.raises(ValueError, match="choose from drawn, painted"):
        Editor.load()
