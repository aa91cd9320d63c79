"""Atlases: every part in its place, and colours that are those of the look."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import appearance, sessions
from slider_jax.face import atlas as layout
from slider_jax.face.appearance import crown_coordinates
from slider_jax.face.head import load_head
from slider_jax.face.people import sample_look

WIDTH = 128  # that of pictures of 32 pixels: compiled once for all tests
sample = jax.jit(layout.sample)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def look():
    """A young woman, without anything drawn at random but the seed."""
    traits = np.array([0.0, 0.2, 0.1, 0.1, 0.8])
    plain = dict.fromkeys(("freckles", "stubble", "roughness", "bald", "curl"), 0.0)
    plain |= dict(tone=[0.8, 0.6, 0.5], iris=[0.2, 0.5, 0.3], pupil=0.4, hairline=0.0)
    plain |= dict(hair=[0.5, 0.3, 0.1], lips=[0.7, 0.4, 0.4], lip_strength=0.9)
    plain = {name: np.float32(value) for name, value in plain.items()}
    return sample_look(traits, np.random.default_rng(0)).replace(**plain)


def bake(look):
    return np.asarray(sessions._bake(look, WIDTH))


@pytest.fixture(scope="module")
def sheet(look):
    return bake(look)


def block(sheet, name):
    """Colours of one block, in [0, 1]."""
    return sheet[layout.block_slices(name, WIDTH)][..., :3] / 255


def texel(head, sheet, place):
    """Colour of the skin next to a place on the mean face, in millimetres."""
    distance = np.linalg.norm(head.place - np.array(place), axis=-1)
    row, column = np.unravel_index(distance.argmin(), distance.shape)
    scale = WIDTH / len(distance)
    return sheet[int(row * scale), int(column * scale), :3] / 255


def test_blocks_fill_the_atlas_without_overlap():
    used = np.zeros((round(layout.HEIGHT * WIDTH), WIDTH), int)
    for name in layout.BLOCKS:
        used[layout.block_slices(name, WIDTH)] += 1
    assert used.max() == 1
    left, top, right, bottom = 0, 0, 1, layout.HEIGHT
    for x, y, width, height in layout.BLOCKS.values():
        assert left <= x and top <= y and x + width <= right and y + height <= bottom


@pytest.mark.parametrize("name", layout.BLOCKS)
def test_coordinates_in_a_block_stay_a_texel_inside_it(name):
    corners = layout.in_block(name, np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    (x0, y0), (x1, y1) = corners * [512, layout.HEIGHT * 512]
    rows, columns = layout.block_slices(name, 512)
    assert columns.start + 1 < x0 < x1 < columns.stop - 1
    assert rows.start + 1 < y0 < y1 < rows.stop - 1


def test_every_part_of_the_head_finds_its_colours_in_its_own_block():
    head = load_head()
    for index, name in enumerate(layout.PARTS[:-1]):
        uv = head.corner_uv[head.part == index].reshape(-1, 2)
        x, y, width, height = layout.BLOCKS["hair" if name == "long hair" else name]
        u, v = (uv * [1, layout.HEIGHT]).T
        assert x < u.min() and u.max() < x + width
        assert y < v.min() and v.max() < y + height


def test_a_lookup_mixes_the_four_texels_around():
    sheet = RNG.random((6, 5, 3)).astype(np.float32)
    uv = RNG.uniform(0.11, 0.89, (40, 2)).astype(np.float32)
    x, y = uv[:, 0] * 5 - 0.5, uv[:, 1] * 6 - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    expected = (1 - fy) * ((1 - fx) * sheet[top, left] + fx * sheet[top, left + 1])
    expected += fy * ((1 - fx) * sheet[top + 1, left] + fx * sheet[top + 1, left + 1])
    np.testing.assert_allclose(sample(jnp.array(sheet), uv), expected, atol=1e-5)


def test_at_the_middle_of_a_texel_and_beyond_the_edge_there_is_one_texel():
    sheet = RNG.random((4, 4, 1)).astype(np.float32)
    uv = np.array([[0.375, 0.625], [-3.0, -3.0], [0.125, 9.0]], np.float32)
    expected = sheet[[2, 0, 3], [1, 0, 0]]
    np.testing.assert_allclose(sample(jnp.array(sheet), uv), expected, atol=2e-3)


def test_bytes_are_read_as_fractions():
    """The same picture, and the same alpha at the nearest texel."""
    sheet = RNG.integers(0, 256, (6, 5, 4), np.uint8)
    uv = RNG.random((30, 2)).astype(np.float32)
    as_floats = jnp.array(sheet / 255, jnp.float32)
    np.testing.assert_allclose(
        sample(jnp.array(sheet), uv), sample(as_floats, uv), atol=1e-5
    )
    column, row = (uv * [5, 6]).astype(int).T
    for each in (jnp.array(sheet), as_floats):
        alpha = layout.nearest_alpha(each, jnp.array(uv[:, 0]), jnp.array(uv[:, 1]))
        np.testing.assert_allclose(alpha, sheet[row, column, 3] / 255, atol=1e-6)


def test_gradients_reach_the_texels_and_the_coordinates():
    sheet, uv = jnp.array(RNG.random((4, 4, 3))), jnp.array([[0.4, 0.6]])
    of_sheet, of_uv = jax.jit(
        jax.grad(lambda sheet, uv: sample(sheet, uv)[0, 0], (0, 1))
    )(sheet.astype(jnp.float32), uv)
    np.testing.assert_allclose(of_sheet[..., 0].sum(), 1, atol=1e-5)
    assert (of_sheet[..., 0] > 0).sum() == 4 and np.abs(of_uv).min() > 0


def test_hair_is_combed_from_the_crown():
    """The crown is at 0 of the second coordinate; the first goes round, in [0, 1]."""
    up = np.array([0, 0.94, -0.342]) * 100 + layout.CENTRE
    beside = up + np.array([[30, 0, 0], [-30, 0, 0], [0, 0, 30], [0, -150, 0]])
    places = jnp.array(np.concatenate([[up], beside]), jnp.float32)
    round_it, away = np.asarray(jax.jit(crown_coordinates)(places)).T
    assert away[0] < 0.02 and (away[1:4] > 0.1).all() and away[4] > away[3]
    assert ((round_it >= 0) & (round_it <= 1)).all()
    np.testing.assert_allclose(round_it[1] + round_it[2], 1, atol=1e-4)


def test_an_atlas_is_bytes_and_the_same_each_time(look, sheet):
    assert sheet.shape == (WIDTH * 3 // 2, WIDTH, 4) and sheet.dtype == np.uint8
    np.testing.assert_array_equal(bake(look), sheet)
    other = bake(look.replace(seed=np.uint32(5)))
    difference = np.abs(block(other, "skin") - block(sheet, "skin"))
    assert 0 < difference.mean() < 0.1


def test_skin_iris_and_hair_have_the_colours_of_the_look(look, sheet):
    head = load_head()
    forehead = np.mean(
        [texel(head, sheet, (x, y, 115)) for x in (-20, 0, 20) for y in (25, 35)], 0
    )
    np.testing.assert_allclose(forehead, look.tone, atol=0.08)
    eye = block(sheet, "eye")
    side = len(eye)
    assert eye[side // 2, side // 2].max() < 0.1  # the pupil
    green = eye[side // 2, side // 2 + round(0.36 * side / 2)]
    assert green[1] > 1.2 * green[0] and green[1] > 1.2 * green[2]
    assert eye[side // 2, round(0.1 * side)].min() > 0.4  # the white
    red, grey, blue = block(sheet, "hair").mean((0, 1))
    np.testing.assert_allclose([grey / red, blue / red], [0.6, 0.2], atol=0.02)


def test_what_is_stronger_in_the_look_shows_in_its_place(look, sheet):
    """Lips redden with blood, cheeks with blush, jaws darken with a beard."""
    head, of = load_head(), lambda value: np.float32(value)
    lip, cheek, jaw = (0, -75, 118), (44, -34, 95), (30, -95, 85)
    pale = bake(look.replace(lip_strength=of(0), blush=of(0), stubble=of(0)))
    rosy = bake(look.replace(lip_strength=of(1), blush=of(1), stubble=of(0.9)))
    redness = lambda sheet, place: np.subtract(*texel(head, sheet, place)[:2])
    assert redness(rosy, lip) > redness(pale, lip) + 0.05
    assert redness(rosy, cheek) > redness(pale, cheek) + 0.03
    assert texel(head, rosy, jaw).mean() < texel(head, pale, jaw).mean() - 0.04


def test_roots_of_lashes_darken_the_rims_of_both_eyes_and_no_more():
    """A closed lid is seen by its rim."""
    head = load_head()
    upper, lower = (head.face.mean[head.dense_landmarks[i]] for i in (159, 145))
    lid, corner = upper + [0, 5, 0], head.face.mean[head.dense_landmarks[133]]
    places = np.stack([upper, lower, lid, corner, upper * [1, 1, -1]])
    for side in (1, -1):
        there = (places * [side, 1, 1]).astype(np.float32)
        dark = appearance._lash_line(jax.random.key(0), head, there)
        assert 0.5 <= dark[0] <= 1 and dark[1] == pytest.approx(0.35 * dark[0])
        assert (dark[2:] == 0).all()


def test_brows_are_drawn_where_they_are_known_to_be(look):
    known = load_head().brow[..., 0] > -9
    width = 2 * len(known)  # in coarser atlases nothing lies between two texels
    with_and_without = [
        np.asarray(sessions._bake(look.replace(brow_density=np.float32(x)), width))
        for x in (0.9, 0)
    ]
    drawn = (with_and_without[0] != with_and_without[1]).any(2)[:width]
    rows, columns = drawn.nonzero()
    assert len(rows)
    ends = lambda i: (i // 2, i // 2 + np.where(i % 2, 1, -1))  # mixed there
    for row in ends(rows):
        for column in ends(columns):
            assert known[row, column].all()


def test_hair_covers_the_scalp_unless_bald(look, sheet):
    head, top = load_head(), (0, 110, -20)
    of_hair = np.linalg.norm(texel(head, sheet, top) - look.tone)
    of_skin = np.linalg.norm(
        texel(head, bake(look.replace(bald=np.float32(1))), top) - look.tone
    )
    assert of_hair > 0.3 > 0.15 > of_skin
