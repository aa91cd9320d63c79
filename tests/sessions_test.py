"""Rows of the open set: the same each time, and labelled with what was drawn."""

import dataclasses
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import camera as cameras
from slider_jax.face import landmarks, sessions
from slider_jax.face.expressions import KINDS
from slider_jax.face.head import load_head
from slider_jax.face.sessions import Renderer, sample_session
from slider_jax.face.sliders import EMOTIONS

SIZE, TAKES = 32, 3  # compiled once
DRAWN = Renderer(size=SIZE, seed=4, samples=1)
expose = jax.jit(sessions.expose)


def rows(identity=0, session=0, renderer=DRAWN):
    return list(renderer.rows(identity, session, TAKES))


@pytest.fixture(scope="module")
def sitting():
    return rows()


@pytest.fixture(scope="module")
def face():
    return jax.device_put(load_head().face)


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_a_row_has_what_the_data_set_promises(sitting):
    for take, row in enumerate(sitting):
        shapes = {name: np.shape(value) for name, value in row.items()}
        assert shapes == dict(
            **dict(image=(SIZE, SIZE, 3), mask=(SIZE, SIZE), landmarks=(68, 2)),
            **dict(expression=(30,), speech=(10,), sliders=(52,), pose=(3,)),
            **dict(identity=(), session=(), take=(), kind=()),
        )
        assert row["image"].dtype == row["mask"].dtype == np.uint8
        assert row["kind"] in KINDS
        assert (row["identity"], row["session"], row["take"]) == (0, 0, take)
        assert np.abs(row["expression"]).max() <= 1


def test_a_row_is_a_function_of_seed_identity_and_session(sitting):
    again = rows()
    assert all(map(same, sitting, again))
    for other in (
        rows(identity=1),
        rows(session=1),
        rows(renderer=dataclasses.replace(DRAWN, seed=5)),
    ):
        assert not np.array_equal(other[0]["image"], sitting[0]["image"])
        assert not np.array_equal(other[1]["expression"], sitting[1]["expression"])
        assert not np.array_equal(other[0]["pose"], sitting[0]["pose"])


def test_a_person_stays_the_same_from_session_to_session():
    """And is somebody else under another seed."""
    one, two = DRAWN.person(3), DRAWN.person(3)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[2], two[2])
    other = dataclasses.replace(DRAWN, seed=5).person(3)
    assert np.abs(one[0] - other[0]).max() > 0.5


def test_of_several_takes_the_first_is_at_rest_and_nobody_speaks(sitting):
    first, *others = sitting
    assert first["kind"] == "neutral"
    assert not first["expression"].any() and not first["sliders"].any()
    assert not any(row["speech"].any() for row in sitting)
    assert any(row["expression"].any() for row in others)


def test_wishes_are_pulled_on_what_a_face_wears():
    wearing = dataclasses.replace(DRAWN, wishes=1.0, worn=1.0)
    smiles = 0
    for session in range(3):
        first, worn, wished = rows(session=session, renderer=wearing)
        assert first["kind"] == "neutral" and wished["kind"] == "mixed"
        assert worn["kind"] in EMOTIONS and worn["expression"].any()
        # Nearer to what the face wears than the same wishes are to a face at rest.
        kept = np.linalg.norm(wished["sliders"] - worn["sliders"])
        assert kept < np.linalg.norm(wished["sliders"])
        smiles += worn["kind"] == "happiness"
    assert smiles


def test_somebody_alone_may_speak():
    drawn = [
        DRAWN.draw_expression(np.random.default_rng(seed), alone=True)
        for seed in range(60)
    ]
    speaks = np.mean([speech.any() for _, speech, _ in drawn])
    assert 0.1 < speaks < 0.4
    assert max(np.abs(np.concatenate(words[:2])).max() for words in drawn) <= 1


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="it takes two cores",
)
def test_labels_do_not_depend_on_the_cores():
    labels = (
        "import numpy as np; from slider_jax.face import maps, sessions; "
        "r = sessions.Renderer(64, 3); say = lambda x: np.float32(x).tobytes().hex(); "
        "[print(*map(say, r.draw_expression(np.random.default_rng(i), True)[:2])) "
        "for i in range(20)]; print(say(maps.load_maps(40).sliders_of))"
    )
    one = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "
    env = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}  # of the tests
    run = lambda line: subprocess.check_output([sys.executable, "-c", line], env=env)
    assert run(one + labels) == run(labels)


def test_takes_of_a_sitting_share_camera_light_and_background(sitting):
    first, *others = sitting
    outside = first["mask"] == 0
    outside[:, 6:-6] = False
    assert outside.sum() > 50
    for row in others:
        np.testing.assert_array_equal(row["pose"], first["pose"])
        difference = row["image"][outside].astype(int) - first["image"][outside]
        assert np.median(np.abs(difference)) < 20  # grain
        assert (row["image"] != first["image"]).mean() > 0.1


def test_the_face_is_in_the_middle_and_the_mask_is_on_it(sitting):
    for row in sitting:
        row_of_nose, column_of_nose = row["landmarks"][30, ::-1].astype(int)
        assert row["mask"][row_of_nose, column_of_nose] == 255
        assert np.abs(row["landmarks"][30] / SIZE - 0.5).max() < 0.2
        inside = row["mask"] > 200
        assert 0.15 < inside.mean() < 0.7
        assert row["image"][inside].std() > 3


def seen_by(renderer, face, identity, session):
    """The camera of a sitting, aligned and shaken, as `_draw` makes it."""
    head, setting = load_head(), renderer.session(identity, session)
    rest = face.neutral(jnp.array(renderer.person(identity)[0]))[head.landmarks]
    reference = landmarks.reference(head.face.mean[head.landmarks])
    rigid = landmarks.RIGID
    camera = cameras.align(
        jax.device_put(setting.camera), rest[rigid], jnp.array(reference[rigid])
    )
    scale, roll, *shift = setting.jitter
    centre = 0.5 + (camera.centre - 0.5) * scale + jnp.array(shift)
    return camera.replace(
        rotation=camera.rotation + jnp.array([0, 0, roll]),
        scale=camera.scale * scale,
        centre=centre,
    )


def test_labels_draw_the_same_mesh_again(sitting, face):
    """Landmarks, pose, components and sliders all say the same."""
    head = load_head()
    identity = jnp.array(DRAWN.person(0)[0])
    camera = seen_by(DRAWN, face, 0, 0)
    np.testing.assert_allclose(camera.rotation, sitting[0]["pose"], atol=1e-5)
    for row in sitting:
        expression, speech = jnp.array(row["expression"]), jnp.array(row["speech"])
        mesh = face.vertices(identity, expression, speech)
        points = cameras.project(camera, mesh[head.landmarks], SIZE)[0][:, :2]
        np.testing.assert_allclose(points, row["landmarks"], atol=2e-3)
        found = face.expression.project(mesh - face.neutral(identity))
        np.testing.assert_allclose(found, row["expression"], atol=1e-3)
        by_sliders = face.with_sliders(identity, jnp.array(row["sliders"]))
        np.testing.assert_allclose(by_sliders, mesh, atol=0.02)


def test_without_jitter_a_frontal_face_lies_on_the_reference(monkeypatch):
    """In the mean exactly; each point as near as one face is to the mean face."""
    straight = DRAWN.session(0, 0)
    straight = straight.replace(
        jitter=np.array([1, 0, 0, 0], np.float32),
        camera=straight.camera.replace(rotation=np.zeros(3, np.float32)),
    )
    monkeypatch.setattr(Renderer, "session", lambda *_: straight)
    found = rows()[0]["landmarks"][landmarks.RIGID] / SIZE
    head = load_head()
    expected = landmarks.reference(head.face.mean[head.landmarks])[landmarks.RIGID]
    np.testing.assert_allclose(found.mean(0), expected.mean(0), atol=1e-3)
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.03


def test_sessions_are_mostly_frontal_and_never_beyond_45_degrees():
    drawn = [sample_session(np.random.default_rng(seed)) for seed in range(3000)]
    yaw, pitch, roll = np.degrees([s.camera.rotation for s in drawn]).T
    assert np.abs(yaw).max() <= 45.001 and np.median(np.abs(yaw)) < 15
    assert (np.abs(yaw) > 44.99).any()  # a few would have turned further
    assert np.abs(pitch).max() < 21 and np.abs(roll).max() < 15
    for s in drawn:
        np.testing.assert_allclose(np.linalg.norm(s.light.direction), 1, atol=1e-5)
        assert s.light.colour.min() > 0 and s.light.ambient[0].min() > 0
        assert 0.8 < s.jitter[0] < 1.2 and 0 < s.camera.nearness <= 1 / 500
        assert s.lens.blur >= 0 and 0 <= s.lens.grain <= 0.04
        assert all(leaf.dtype != np.float64 for leaf in jax.tree.leaves(s))


def test_backgrounds_are_light_between_zero_and_one_and_differ():
    draw = jax.jit(sessions.backdrop, static_argnames="size")
    one, other = draw(np.uint32(1), SIZE), draw(np.uint32(2), SIZE)
    assert one.shape == (SIZE, SIZE, 3) and one.min() >= 0 and one.max() <= 1
    assert np.abs(one - other).mean() > 0.02
    np.testing.assert_array_equal(one, draw(np.uint32(1), SIZE))


def lens(*, gains=(1.0, 1.0, 1.0), blur=0.0, grain=0.0):
    return sessions.Lens(jnp.array(gains), jnp.float32(blur), jnp.float32(grain))


def test_a_perfect_lens_changes_nothing_and_others_do_what_they_say():
    image = jnp.array(np.random.default_rng(0).uniform(-0.9, 0.5, (16, 16, 3)), "f4")
    through = lambda **faults: np.asarray(expose(lens(**faults), np.uint32(3), image))
    np.testing.assert_allclose(through(), image, atol=1e-5)
    halved = through(gains=(0.5, 1.0, 1.0))
    np.testing.assert_allclose(halved[..., 0] + 1, (image[..., 0] + 1) / 2, atol=1e-5)
    np.testing.assert_allclose(halved[..., 1:], image[..., 1:], atol=1e-5)
    blurred = through(blur=1.0)
    np.testing.assert_allclose(blurred.mean(), image.mean(), atol=0.02)
    assert blurred.std() < 0.6 * image.std()
    noise = (through(grain=0.02) - np.asarray(image)) / 2
    np.testing.assert_allclose(noise.std(), 0.02, rtol=0.15)


def test_an_appearance_that_does_not_exist_is_one_sentence():
    with pytest.raises(ValueError, match="appearance 'oil'; choose from"):
        Renderer(size=SIZE, seed=0, appearance="oil")
    with pytest.raises(ValueError, match="needs `wardrobe`"):
        Renderer(size=SIZE, seed=0, appearance="textured")
