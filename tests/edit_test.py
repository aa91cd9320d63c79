"""The promises of the Editor, on photos where a face is said to be."""

import numpy as np
import pytest
import small_editor

import slider_jax
from slider_jax import photo, photo_record
from slider_jax.edit import Editor
from slider_jax.face import requests
from slider_jax.face.sliders import SLIDERS
from slider_jax.painter import make_painter
from slider_jax.session import FADE

SEEDS = range(6)


@pytest.fixture(scope="module")
def editor():
    return Editor(make_painter(small_editor.model()))


@pytest.fixture(scope="module")
def sessions(editor):
    """Small faces, large ones, and some that reach over the border of the photo."""
    out = []
    for seed in SEEDS:
        scale = (0.7, 1.6, 3.5)[seed % 3]
        image, face = small_editor.photo_with_face(seed, scale=scale)
        out.append(editor.open(image, face))
    return out


def wish(seed, parameters=30):
    rng = np.random.default_rng(seed)
    names = rng.choice(requests.names(parameters), 4, replace=False)
    return {str(n): float(rng.uniform(*requests.limits(n))) for n in names}


def test_the_package_gives_the_editor_and_nothing_it_has_not():
    assert slider_jax.Editor is Editor
    with pytest.raises(AttributeError, match="no attribute 'editor_'"):
        _ = slider_jax.editor_


def test_asking_for_the_measured_face_returns_the_input_pixels(sessions):
    for session in sessions:
        measured = session.measured
        for result in (
            session.edit(measured.sliders),
            session.edit({name: measured.sliders[name] for name in SLIDERS[::5]}),
            session.edit(measured),
            session.edit({}),
            session.edit({"jawOpen": 0.0, "component_2": 0.0}, mode="add"),
        ):
            np.testing.assert_array_equal(result.photo.pixels, session.photo.pixels)
            assert result.pixels_changed == 0 and not result.mask.any()


def test_strength_zero_returns_the_input_pixels(sessions):
    for seed, session in enumerate(sessions):
        other = sessions[seed - 1].measured
        for result in (
            *(session.edit(wish(seed), mode=m, strength=0.0) for m in ("set",)),
            session.edit(other, strength=0.0),
            session.edit(other, strength=0.0, region="mouth"),
            session.neutralise(0.0),
        ):
            np.testing.assert_array_equal(result.photo.pixels, session.photo.pixels)


def test_outside_the_mask_no_byte_changes_and_inside_some_do(sessions):
    for seed, session in enumerate(sessions):
        result = session.edit(wish(seed))
        shut = result.mask == 0
        changed = (result.photo.pixels != session.photo.pixels).any(-1)
        assert shut.any() and not (changed & shut).any()
        assert result.pixels_changed == changed.sum() > 0


def test_the_same_request_gives_the_same_bytes(editor, sessions):
    again = Editor(make_painter(small_editor.model()))
    for seed, session in enumerate(sessions):
        first = session.edit(wish(seed)).photo.pixels
        session.edit(wish(seed + 100))  # leaves nothing behind
        np.testing.assert_array_equal(session.edit(wish(seed)).photo.pixels, first)
        other = again.edit(session.photo, wish(seed), face=session.measured.face)
        np.testing.assert_array_equal(other.photo.pixels, first)


def test_sliders_do_not_stack(sessions):
    for session in sessions:
        once = session.edit({"jawOpen": 0.7})
        for _ in range(3):
            again = session.edit({"jawOpen": 0.7})
        np.testing.assert_array_equal(again.requested, once.requested)
        np.testing.assert_array_equal(again.photo.pixels, once.photo.pixels)


def mirrored(image):
    return image.replace(pixels=np.ascontiguousarray(image.pixels[:, ::-1]))


def test_a_mirrored_photo_gives_the_mirrored_edit_to_the_bit(editor, sessions):
    maps = editor.painter.maps
    for seed, session in enumerate(sessions):
        face = session.measured.face.mirrored(session.photo.pixels.shape[1])
        other = editor.open(mirrored(session.photo), face)
        assert other.flipped != session.flipped
        expected = maps.reflect(session.measured.expression)
        np.testing.assert_array_equal(other.measured.expression, expected)
        there = requests.mirror(wish(seed), maps)
        for how in (dict(strength=0.5), dict(region="mouth"), dict(mode="add")):
            one, two = session.edit(wish(seed), **how), other.edit(there, **how)
            assert one.pixels_changed == two.pixels_changed > 0
            for here, mirror in (
                (one.photo.pixels, two.photo.pixels),
                (one.mask, two.mask),
                (one.crop, two.crop),
            ):
                np.testing.assert_array_equal(mirror, here[:, ::-1])


def test_a_chain_of_edits_is_mirrored_too(editor):
    """The first edit may well change which of the two pictures is looked at."""
    image, face = small_editor.photo_with_face(2, scale=3.5)
    maps, width = editor.painter.maps, image.pixels.shape[1]
    one, two = image, mirrored(image)
    for asked in (wish(1), wish(2), wish(3)):
        one = editor.edit(one, asked, face=face).photo
        asked = requests.mirror(asked, maps)
        two = editor.edit(two, asked, face=face.mirrored(width)).photo
        np.testing.assert_array_equal(two.pixels, one.pixels[:, ::-1])


def test_a_face_mirrored_twice_is_the_same(sessions):
    face = sessions[0].measured.face
    again = face.mirrored(120).mirrored(120)
    assert again.box == face.box and again.pose == face.pose
    np.testing.assert_array_equal(again.landmarks, face.landmarks)


def test_the_change_fades_in_from_the_measured_face(sessions):
    session = sessions[1]
    now = session.measured.expression
    direction = np.zeros(30)
    direction[0] = -np.sign(now[0]) or 1.0
    sizes = []
    for length in (0.001, 0.01, FADE / 3, FADE):
        after = session.edit(now + length * direction).crop
        sizes.append(np.abs(after.astype(int) - session.crop).mean())
    assert sizes[0] < 0.05 and sizes == sorted(sizes) and sizes[3] > 10 * sizes[1]


def test_other_models_of_speech_edit_too():
    editor = Editor(make_painter(small_editor.model(40)))
    image, face = small_editor.photo_with_face()
    session = editor.open(image, face)
    result = session.edit({"viseme_aa": 1.0, "mouthSmile": 0.5, "speech_2": -0.3})
    assert result.requested.shape == (40,) and result.pixels_changed
    assert not editor.open(image, face).neutralise().requested.any()


def test_neutralise_goes_all_the_way_or_a_part(sessions):
    session = sessions[0]
    now = session.measured.expression
    assert not session.neutralise().requested.any()
    np.testing.assert_allclose(session.neutralise(0.5).requested, now / 2, atol=1e-6)
    jaw = session.neutralise(1.0, region="jaw").requested
    assert 0 < np.linalg.norm(jaw - now) < np.linalg.norm(now)


def test_transfer_brings_the_measured_expression(editor, sessions):
    giver, taker = sessions[1], sessions[2]
    how = dict(face=taker.measured.face)
    result = editor.transfer(giver.measured, taker.photo, **how)
    np.testing.assert_array_equal(result.requested, giver.measured.expression)
    faces = dict(source_face=giver.measured.face) | how
    other = editor.transfer(giver.photo, taker.photo, **faces)
    np.testing.assert_array_equal(other.photo.pixels, result.photo.pixels)
    half = editor.transfer(giver.measured, taker.photo, 0.5, **how)
    middle = (giver.measured.expression + taker.measured.expression) / 2
    np.testing.assert_allclose(half.requested, middle, atol=1e-6)


def test_interpolation_starts_and_ends_where_it_should(editor, sessions):
    session = sessions[1]
    steps = list(
        editor.interpolate(
            session.photo, {}, {"happy": 0.8}, 4, face=session.measured.face
        )
    )
    np.testing.assert_array_equal(steps[0].photo.pixels, session.photo.pixels)
    end = session.edit({"happy": 0.8})
    np.testing.assert_array_equal(steps[-1].photo.pixels, end.photo.pixels)
    lengths = [np.linalg.norm(s.requested - steps[0].requested) for s in steps]
    np.testing.assert_allclose(np.diff(lengths), lengths[-1] / 3, atol=1e-4)


def test_animation_yields_pictures_one_at_a_time(editor, sessions):
    session = sessions[1]

    def frames():
        yield {"jawOpen": 0.1}
        yield {"jawOpen": 0.9}
        raise RuntimeError("nobody asked for a third")

    film = editor.animate(session.photo, frames(), face=session.measured.face)
    for value in (0.1, 0.9):
        same = session.edit({"jawOpen": value}).photo.pixels
        np.testing.assert_array_equal(next(film).photo.pixels, same)


def test_several_faces_are_edited_one_after_the_other(editor, monkeypatch):
    """Each has its part of the photo; the rest is as it was."""
    left, face = small_editor.photo_with_face(1)
    wide = np.concatenate([left.pixels, left.pixels], 1)
    shift = np.array([left.pixels.shape[1], 0], np.float32)
    box = tuple(face.box + np.tile(shift, 2))
    other = photo.Face(box, 1.0, face.landmarks + shift, face.pose)
    monkeypatch.setattr(photo, "find_faces", lambda image, box=None: [face, other])
    source = photo.Photo(wide)
    both = editor.edit_all(source, {"jawOpen": 1.0})
    one, two = (editor.edit(source, {"jawOpen": 1.0}, face=i) for i in (0, 1))
    expected = np.where((one.mask > 0)[..., None], one.photo.pixels, two.photo.pixels)
    np.testing.assert_array_equal(both[-1].photo.pixels, expected)
    assert [m.face for m in editor.measure(source)] == [face, other]


FILES = ("b.png", "b.jpg", "b.webp", "b.tif")
ASKED = ({"jawOpen": 0.6}, {"mouthSmile": 0.7, "happy": 0.5}, {"viseme_aa": 1.0})


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("region", ["all", "mouth+jaw"])
def test_asking_again_of_a_picture_that_was_saved_changes_nothing(
    editor, sessions, tmp_path, name, region
):
    for asked, session in zip(ASKED, sessions, strict=False):
        face = session.measured.face
        once = session.edit(asked, region=region)
        photo.save(once.photo, tmp_path / name, record=once.record)
        again = editor.open(tmp_path / name, face)
        wears = again.measured.expression
        np.testing.assert_array_equal(wears, once.requested)
        same = again.edit(asked, region=region)
        assert not same.pixels_changed and same.photo.faces
        assert again.edit(again.measured.sliders).pixels_changed == 0
        assert again.edit({"browInnerUp": 0.9}).pixels_changed


def test_sliders_that_were_asked_one_by_one_all_stay(editor):
    image, face = small_editor.photo_with_face(1)
    asked = {"jawOpen": 0.6, "mouthSmileLeft": 0.8, "browDownRight": 0.4}
    for name, value in asked.items():
        result = editor.edit(image, {name: value}, face=face)
        assert result.pixels_changed
        image = result.photo
    for request in ({n: v} for n, v in asked.items()):
        assert editor.edit(image, request, face=face).pixels_changed == 0
    assert editor.edit(image, asked, face=face).pixels_changed == 0
    sliders = editor.open(image, face).measured.sliders
    assert sliders == sliders | asked


@pytest.fixture
def saved(editor):
    image, face = small_editor.photo_with_face(1)
    result = editor.edit(image, {"jawOpen": 0.6}, face=face)
    return photo.save(result.photo, record=result.record), face, result.requested


def test_the_record_counts_for_the_pixels_that_it_was_written_for(editor, saved):
    content, face, worn = saved
    opened = photo.open_photo(content)
    known = lambda image, face, editor: (
        editor.open(image, face).measured.expression == worn
    ).all()
    assert known(opened, face, editor)
    pixels = opened.pixels.copy()
    pixels[0, 0, 0] ^= 1
    altered = photo.save(opened.replace(pixels=pixels, faces=opened.faces))
    assert photo.open_photo(altered).faces == ()  # its record was left out
    kept = opened.replace(pixels=pixels)
    assert kept.faces == () and not known(kept, face, editor)
    packet = opened.xmp
    other = photo.open_photo(photo.save(photo.Photo(pixels)))
    assert photo_record.faces_of(packet, opened.pixels) == opened.faces
    assert photo_record.faces_of(packet, other.pixels) == ()
    assert not known(photo.open_photo(opened.pixels), face, editor)
    elsewhere = face.mirrored(120)
    far = photo.Face((0.0, 0.0, 9.0, 9.0), 1.0, elsewhere.landmarks, face.pose)
    assert not known(opened, far, editor)
    another = Editor(make_painter(small_editor.model(seed=1)))
    assert not known(opened, face, another)


@pytest.mark.parametrize(
    "change", [{"expression": [0.1]}, {"expression": "x"}, {"box": 3}, {"asked": [1]}]
)
def test_a_record_that_makes_no_sense_is_none(editor, saved, change):
    content, face, worn = saved
    opened = photo.open_photo(content)
    known = photo_record.known([opened.faces[0] | change], opened.pixels)
    forged = photo_record.packet(None, photo_record.entry({}, known))
    found = photo_record.faces_of(forged, opened.pixels)
    again = editor.open(opened.replace(faces=found), face).measured.expression
    assert (again != worn).any()


def test_the_record_tells_what_was_done(editor, sessions):
    result = sessions[1].edit({"neutral": 1, "jawOpen": 0.9})
    record = result.record
    assert record["model"] == editor.model.id
    assert record["software"] == f"slider_jax {slider_jax.__version__}"
    assert record["expression"] == result.requested.tolist()
    assert record["sliders"]["jawOpen"] == pytest.approx(0.9, abs=0.05)
    saved = photo.save(result.photo, None, record=record)
    assert photo.read_record(saved) == record
    assert set(result.timings) == {"model", "total"}


def test_grey_photos_and_alpha_keep_what_they_are(editor):
    image, face = small_editor.photo_with_face(2)
    alpha = np.full(image.pixels.shape[:2], 7, np.uint8)
    result = editor.edit(image.replace(alpha=alpha), {"jawOpen": 1.0}, face=face)
    np.testing.assert_array_equal(result.photo.alpha, alpha)
