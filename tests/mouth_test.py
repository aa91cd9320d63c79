"""Opened mouths: teeth where the head has them, and nothing else touched."""

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from slider_jax import (
    jobs,
    landmarker,
    model_file,
    mouth,
    orders,
    outline,
    patch,
    photo,
)
from slider_jax.edit import Editor
from slider_jax.face import camera, inside, raster, requests
from slider_jax.face.atlas import PARTS
from slider_jax.face.head import load_head
from slider_jax.face.maps import load_maps
from slider_jax.face.sliders import INDEX
from slider_jax.measures import landmarks
from slider_jax.painter import make_painter

SHUT = pathlib.Path(model_file.__file__).parent / "studio/page/example.jpg"


@pytest.fixture(scope="module")
def painter():
    return make_painter(model_file.load_model())


@pytest.fixture(scope="module")
def session(painter):
    return Editor(painter, finishes=True).open(SHUT)


def painted(session):
    """The same, but mouths are left as the network paints them."""
    other = dataclasses.replace(session)
    kept = dict(grain=session.finish.grain, eyes=session.finish.eyes)
    other.finish.__dict__.update(kept, mouth=None)
    return other


def vector(**sliders):
    values = np.zeros(len(INDEX))
    for name, value in sliders.items():
        values[INDEX[name]] = value
    return jnp.asarray(load_maps(30).components_of @ values, jnp.float32)


def looking(yaw=0.0, pitch=0.0, scale=1 / 80):
    values = np.radians([yaw, pitch, 0]), 1 / 1000, scale, [0.5, -0.45]
    return camera.Camera(*(jnp.asarray(v, jnp.float32) for v in values))


WIDE = vector(jawOpen=1.0)


@pytest.mark.parametrize("yaw, pitch", [(0, 0), (35, 20), (-35, -30)])
def test_every_triangle_is_drawn(monkeypatch, yaw, pitch):
    drawn = inside.draw(inside.load_inside(), WIDE, looking(yaw, pitch), size=128)
    monkeypatch.setattr(inside, "ROOM", 4.0)
    longer = jax.jit(inside.draw.__wrapped__, static_argnames="size")
    more = longer(inside.load_inside(), WIDE, looking(yaw, pitch), size=128)
    np.testing.assert_allclose(drawn, more, atol=1e-6)


def test_teeth_and_tongue_lie_where_the_whole_head_has_them():
    head, there, size = load_head(), looking(), 64
    mesh = head.face.vertices(jnp.zeros(96), WIDE)
    shown = np.isin(head.part, [PARTS.index(name) for name in inside.SHOWN])
    flat = camera.project(there, mesh + jnp.array([[0, 0, inside.FORWARD]]), size)[0]
    triangles = jnp.asarray(head.face.triangles)
    hits = raster.rasterise(flat, triangles, size, max_runs=300_000)
    seen = np.asarray(hits.triangle)
    truth = (seen >= 0) & shown[seen]
    picture = inside.draw(inside.load_inside(), WIDE, there, size=size)
    drawn = np.asarray(picture).max(2) > -0.7  # the throat is darker
    # Behind lips there is more of them; before, nothing is missing but at its edges.
    assert truth.sum() > 100 and drawn[truth].mean() > 0.9


def test_a_silent_head_is_drawn_alike_with_speech():
    scene, there = inside.load_inside(), looking()
    silent = jnp.concatenate([WIDE, jnp.zeros(10)])
    one = inside.draw(scene, WIDE, there, size=32)
    two = inside.draw(scene, silent, there, size=32)
    np.testing.assert_allclose(one, two, atol=1e-6)
    spoken = silent.at[30].set(0.5)
    assert np.abs(inside.draw(scene, spoken, there, size=32) - one).max() > 0.1


def test_a_smooth_line_goes_through_the_lips():
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    round_ = 64 + 30 * np.stack([np.cos(turn), np.sin(turn)], 1)
    inner = outline.cover(round_, 128)
    assert inner.sum() == pytest.approx(np.pi * 30**2, rel=0.02)
    assert inner[64, 64] == 1 and inner[64, 20] == 0


def test_an_opened_mouth_is_sharp_and_all_else_stays(session):
    asked = {"jawOpen": 0.7}
    filled, plain = session.edit(asked), painted(session).edit(asked)
    differ = (filled.photo.pixels != plain.photo.pixels).any(2)
    x, y = session.measured.face.landmarks[48:68].T  # the lips, shut
    rows, columns = np.nonzero(differ)
    assert x.min() - 20 < columns.min() and columns.max() < x.max() + 20
    assert y.min() - 20 < rows.min() and rows.max() < y.max() + 120
    steps = lambda r: np.abs(np.diff(r.photo.pixels.astype(float), axis=0)).sum(2)
    assert steps(filled)[differ[1:]].mean() > 1.5 * steps(plain)[differ[1:]].mean()
    outside = filled.mask == 0
    np.testing.assert_array_equal(
        filled.photo.pixels[outside], session.photo.pixels[outside]
    )


def test_the_lips_part_as_the_slider_goes(session):
    values = np.linspace(0, 1, 6)
    apart = []
    for value in values:
        edited = session.edit({"jawOpen": value}).photo
        (face,) = photo.find_faces(edited)
        apart.append(landmarks.mouth_opening(face.landmarks[None])[0])
    assert (np.diff(apart) > 0).all() and apart[-1] > apart[0] + 0.3


@pytest.mark.parametrize("slider", ["eyeBlink", "mouthClose", "jawLeft"])
def test_what_opens_no_mouth_is_not_filled(session, slider):
    edit = session.edit({slider: 0.8})
    nothing = np.zeros(edit.crop.shape, np.float32)
    crop = edit.crop[:, ::-1] if session.flipped else edit.crop
    look = lambda: landmarker.on_crop(np.ascontiguousarray(crop))
    how = edit.photo, edit.requested, nothing, 1.0, look
    assert session.finish.mouth.fill(*how) is None


def test_teeth_that_are_painted_pale_are_drawn_where_lips_seem_shut(session):
    """Smiles: the landmark net takes a pale band for lip."""
    edit = session.edit({"happiness": 1.0})
    seen = landmarker.on_crop(session.finish.crop)  # as if nothing had moved
    pale = np.full(edit.crop.shape, 30, np.float32)
    fill = session.finish.mouth.fill
    how = edit.photo, edit.requested
    assert fill(*how, 0 * pale, 1.0, seen.copy) is None
    assert fill(*how, -pale, 1.0, seen.copy) is None
    drawn, mask = fill(*how, pale, 1.0, seen.copy)
    assert mask.max() > 200
    ways = [fill(*how, level * pale / 30, 1.0, seen.copy) for level in (6, 8, 10)]
    masks = [mask.max() for _, mask in ways]
    assert 0 < masks[0] < masks[1] < masks[2] < 255


def test_no_step_of_the_slider_jumps(session):
    """Teeth come in with the lips' parting: pictures change as evenly as before."""
    values = np.arange(0.0, 0.32, 0.02)

    def steps(session):
        edits = [session.edit({"jawOpen": v}).photo.pixels.astype(int) for v in values]
        return np.abs(np.diff(edits, axis=0)).sum((1, 2, 3))

    assert (steps(session) < 1.4 * steps(painted(session))).all()


def test_mirrored_to_the_bit(painter):
    editor, asked = Editor(painter, finishes=True), {"jawOpen": 0.6, "jawLeft": 0.5}
    here = photo.open_photo(SHUT)
    there = photo.open_photo(here.pixels[:, ::-1])
    one = editor.edit(here, asked)
    two = editor.edit(there, requests.mirror(asked, painter.maps))
    np.testing.assert_array_equal(two.photo.pixels, one.photo.pixels[:, ::-1])
    np.testing.assert_array_equal(two.mask, one.mask[:, ::-1])
    assert (
        one.photo.pixels != painted(editor.open(here)).edit(asked).photo.pixels
    ).any()


def test_teeth_of_the_photo_stay(session):
    """Where the mouth was open, and nothing much is painted on what moved."""
    lips = session.finish.mouth.lips.copy()
    lips[mouth.LOWER, 1] += 0.06
    opened = dataclasses.replace(session.finish.mouth, lips=lips)
    nothing = np.zeros(session.crop.shape, np.float32)
    assert opened._free(nothing).max() == 0
    assert opened._free(nothing + 100).mean() > 0.9
    assert session.finish.mouth._free(nothing) == 1


def test_no_mouth_is_found_in_nothing_nor_on_faces_turned_far(session):
    blank = np.full_like(session.crop, 128)
    assert session.finish.mouth is not None
    assert dataclasses.replace(session.finish, crop=blank).mouth is None
    turned = dataclasses.replace(session.finish.face, pose=(-40.0, 0.0, 0.0))
    assert dataclasses.replace(session.finish, face=turned).mouth is None


def test_mouths_of_a_grey_photo_are_grey(painter):
    luma = np.asarray(Image.open(SHUT).convert("L").convert("RGB"))
    session = Editor(painter, finishes=True).open(luma)
    asked = {"jawOpen": 0.8}
    filled, plain = (s.edit(asked).photo.pixels for s in (session, painted(session)))
    differ = (filled != plain).any(2)
    colour = lambda pixels: np.ptp(pixels[differ].astype(int), axis=1).mean()
    assert differ.sum() > 1000 and colour(filled) <= colour(plain)


def test_faces_in_turn_prepare_their_pasting_once(painter):
    editor = Editor(painter, finishes=True)
    pixels = np.asarray(Image.open(SHUT))
    opened = [editor.open(np.roll(pixels, 4 * i, 1)) for i in range(4)]
    ask = lambda: [session.edit({"jawOpen": 0.7}) for session in opened]
    ask()
    before = patch._paster.cache_info().misses
    ask()
    assert patch._paster.cache_info().misses == before


def test_a_batch_is_done_again_where_mouths_are_made_otherwise(painter, tmp_path):
    drawn, alone = (Editor(painter, finishes=f) for f in (True, False))
    order = orders.Order(set={"jawOpen": 0.7})
    job = jobs.Job(str(SHUT), str(tmp_path / "out.png"), order)
    jobs.work(drawn, job, jobs.Writing())
    assert jobs.is_done(drawn, job, jobs.Writing())
    assert not jobs.is_done(alone, job, jobs.Writing())
    jobs.work(alone, job, jobs.Writing(force=True))
    assert jobs.is_done(alone, job, jobs.Writing())
    assert not jobs.is_done(drawn, job, jobs.Writing())


def test_lips_that_are_lost_leave_what_was_painted(session, monkeypatch):
    monkeypatch.setattr(
        landmarker, "mesh", lambda image: (np.zeros((478, 3), np.float32), -20.0)
    )
    ours, theirs = (s.edit({"jawOpen": 0.7}) for s in (session, painted(session)))
    np.testing.assert_array_equal(ours.photo.pixels, theirs.photo.pixels)


def test_all_is_compiled_before_the_first_edit(painter):
    editor = Editor(painter, finishes=True)
    programs = (mouth._lay, mouth._see, inside.draw)
    for program in programs:
        program.clear_cache()
    editor.warm_up()
    assert [program._cache_size() for program in programs] == [1, 1, 1]
    editor.edit(SHUT, {"jawOpen": 0.5})
    assert [program._cache_size() for program in programs] == [1, 1, 1]


def test_what_is_painted_is_measured_from_the_moved_photo():
    rng = np.random.default_rng(0)
    before = rng.uniform(0, 255, (16, 16, 3)).astype(np.float32)
    flow = np.full((16, 16, 2), 2 / 16, np.float32)
    after = patch.look(before, *(v + 2 for v in np.meshgrid(*[np.arange(16)] * 2)))
    change, moved = patch.on_moved(before, after - before, flow)
    np.testing.assert_allclose(moved, after, atol=1e-4)
    np.testing.assert_allclose(change, 0, atol=1e-4)
