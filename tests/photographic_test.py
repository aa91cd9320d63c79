"""One shot for both pictures of a pair; faces stay in view; sheets stay as they are."""

import dataclasses

import jax
import numpy as np
import pytest
import small_run
from PIL import Image

from slider_jax import photographic, prepare
from slider_jax.batch import to_bytes
from slider_jax.face import landmarks
from slider_jax.face.head import load_head
from slider_jax.photographic import EYES, draw_shot, glasses

MOVED = 0.12  # of the picture, at most

SIZE = 64


def shot(seed=0, strength=1.0):
    return draw_shot(np.random.default_rng(seed), SIZE, strength)


@pytest.fixture(scope="module")
def picture():
    y, x = np.mgrid[:SIZE, :SIZE] * 3
    return np.stack([y, x, 255 - y // 2 - x // 2], -1).astype(np.uint8)


@pytest.fixture(scope="module")
def face():
    """The 68 points where renders are aligned to, [68, 2] of the picture."""
    head = load_head()
    return landmarks.reference(np.asarray(head.face.mean)[head.landmarks])


def seen_at(jitter, points):
    """Where points of the old picture lie in the new one."""
    return np.linalg.solve(jitter[:, :2], (points - jitter[:, 2]).T).T


def test_a_shot_is_a_function_of_its_generator(picture):
    np.testing.assert_array_equal(shot(3)(picture), shot(3)(picture))
    assert (shot(3)(picture) != shot(4)(picture)).any()


@pytest.mark.parametrize("size", [8, 96])
def test_bytes_of_the_same_size_come_back(size):
    for seed in range(20):
        made = draw_shot(np.random.default_rng(seed), size, 1.0)
        seen = made(np.full((size, size, 3), 9 * seed, np.uint8))
        assert seen.shape == (size, size, 3) and seen.dtype == np.uint8


def test_more_strength_is_more_change_and_none_is_the_codecs(picture):
    change = lambda strength: np.mean(
        [np.abs(shot(i, strength)(picture) * 1.0 - picture) for i in range(40)]
    )
    none, some, all_ = map(change, (0, 0.3, 1))
    assert none < 3 < 5 < some < 0.7 * all_


def test_where_a_pair_is_equal_its_shots_are_equal_too(picture):
    """Noise, blocks, light and what lies before the face."""
    other = picture.copy()
    other[46:52, 28:36] = 255
    for seed in range(20):
        one, two = shot(seed)(picture), shot(seed)(other)
        np.testing.assert_array_equal(one[:14], two[:14])
        assert (one[30:] != two[30:]).any()


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_a_face_stays_in_view_and_moves_no_further_than_said(face, strength):
    furthest = 0
    for seed in range(300):
        moved = seen_at(shot(seed, strength).jitter, SIZE * face) / SIZE
        assert (moved > 0).all() and (moved < 1).all()
        furthest = max(furthest, np.linalg.norm(moved - face, axis=1).max())
    assert 0.5 * strength * MOVED < furthest < strength * MOVED


def test_the_picture_moves_as_its_points_do():
    """A disc; where it lies is told by brightness, within a pixel of 64."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    for seed, place in enumerate([(20, 20), (32, 40), (44, 24)] * 3):
        disc = np.hypot(x - place[0], y - place[1]) < 5
        seen = shot(seed, 0.6)
        plain = dataclasses.replace(shot(0, 0.0), jitter=seen.jitter)
        light = plain(np.repeat(255 * disc[..., None], 3, 2).astype(np.uint8))
        light = light.mean(-1) * (light.mean(-1) > 60)
        found = [(light * axis).sum() / light.sum() for axis in (x, y)]
        (expected,) = seen_at(seen.jitter, np.array([place], float))
        np.testing.assert_allclose(found, expected, atol=0.4)


def first(config):
    return next(prepare.stream(config, prepare.plan(config)[0], 0))


def test_a_run_sees_photographs_and_its_sheets_do_not():
    config = small_run.config()
    plain, sheets = first(config), prepare.sample_batches(config)
    config.data.photographic = 0.5
    seen = first(config)
    for name in ("image", "target"):
        was, now = getattr(plain, name), getattr(seen, name)
        assert np.abs(now).max() <= 1 and was.dtype == now.dtype
        moved = np.abs(to_bytes(was) * 1.0 - to_bytes(now)).mean((2, 3, 4))
        assert (moved > 1).all()
    for name in ("expression", "target_expression", "paired"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(seen, name))
    again = prepare.sample_batches(config)
    jax.tree.map(np.testing.assert_array_equal, sheets, again)


def test_glasses_frame_the_eyes_and_nothing_below():
    whole = np.zeros((SIZE, SIZE))
    for seed in range(60):
        lens, _ = map(np.asarray, glasses(np.random.default_rng(seed), SIZE))
        whole += lens / 60
        for x, y in SIZE * np.array(EYES):
            around = lens[int(y) - 14 : int(y) + 15, int(x) - 12 : int(x) + 13]
            assert around.max() > 60  # a rim, if a thin one
        assert not lens[int(0.65 * SIZE) :].any()
    for x, y in np.int32(SIZE * np.array(EYES)):
        assert 0 < whole[y, x] < 60  # one looks through


def test_eyes_look_through_the_upper_half_of_many_glasses():
    """Rims below are then further from the eyes than the bars above."""
    reach = []
    for seed in range(60):
        lens = np.asarray(glasses(np.random.default_rng(seed), SIZE)[0])
        rows = np.flatnonzero((lens > 60).any(1)) - 0.4 * SIZE
        reach.append([-rows[0], rows[-1]])
    above, below = np.mean(reach, 0)
    assert below > 1.1 * above


@pytest.mark.parametrize("size", [8, SIZE, 200])
def test_glasses_of_all_shapes_can_be_drawn(size):
    for seed in range(1000):
        masks = glasses(np.random.default_rng(seed), size)
        assert [mask.size for mask in masks] == [(size, size)] * 2


def test_lenses_mirror_light_within_their_frames():
    shone = [np.asarray(glasses(np.random.default_rng(s), SIZE)[1]) for s in range(60)]
    assert 20 < sum(light.max() > 30 for light in shone) < 50  # many, not all
    for light in shone:
        outside = np.ones((SIZE, SIZE), bool)
        for x, y in SIZE * np.array(EYES):
            reach = int(0.2 * SIZE)  # half of a lens, shifted and turned
            left, top = int(x) - reach, int(y) - reach
            outside[top : top + 2 * reach, left : left + 2 * reach] = False
        assert not light[outside].any()


def test_what_lenses_mirror_is_added(monkeypatch):
    monkeypatch.setattr(photographic, "SPECTACLED", 2)

    def wearing(bright):
        masks = [Image.new("L", (SIZE, SIZE), light) for light in (0, bright)]
        monkeypatch.setattr(photographic, "glasses", lambda *_: masks)
        return shot(3, 0.5)

    np.testing.assert_allclose(wearing(50).cover - wearing(0).cover, 50, atol=1e-3)


def test_some_shots_wear_glasses(monkeypatch):
    worn = []
    drawn = lambda *given: worn.append(1) or glasses(*given)
    monkeypatch.setattr(photographic, "glasses", drawn)
    for seed in range(300):
        shot(seed, 0.5)
    assert 50 < len(worn) < 100
