"""The head that ships: whole, symmetric, and doing what its sliders are called."""

import functools
import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import landmarks
from slider_jax.face.head import (
    BASES,
    HEAD,
    REQUESTS,
    SPOKEN,
    area_normals,
    load_head,
    vertex_normals,
)
from slider_jax.face.sliders import INDEX, MIRROR

# The 68 points seen in a mirror.
MIRROR_68 = [
    *(*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65),
]
PARTS_OF_A_HEAD = 7


@pytest.fixture(scope="module")
def head():
    return load_head()


@functools.cache
def on_device(basis="pca"):
    return jax.device_put(load_head(basis=basis).face)


def wearing(head, **sliders):
    """The 68 landmarks of the mean face with these sliders."""
    mesh = np.array(head.face.mean)
    for name, value in sliders.items():
        mesh += value * head.face.units[INDEX[name]]
    return mesh[head.landmarks]


def opening(points, upper, lower):
    return (points[list(upper), 1] - points[list(lower), 1]).mean()


def test_the_files_are_the_ones_that_were_built():
    """Their sums are written beside them, and the head fits into a repository."""
    for line in (HEAD.parent / "SHA256SUMS").read_text().splitlines():
        expected, name = line.split()
        found = hashlib.sha256((HEAD.parent / name).read_bytes()).hexdigest()
        assert (found, name) == (expected, name)
    assert HEAD.stat().st_size <= 8 * 2**20


def test_a_head_has_the_sizes_it_promises(head):
    v, f = len(head.face.mean), len(head.face.triangles)
    assert head.face.units.shape == (52, v, 3)
    assert head.face.identities.shape == (96, v, 3)
    assert head.face.expression.basis.shape == (30, v, 3)
    assert head.face.speech.basis.shape == (10, v, 3)
    assert head.face.expression.names[0] == "expression_01"
    assert head.corner_uv.shape == (f, 3, 2)
    assert head.visibility.shape == (v, 10)
    assert head.landmarks.shape == (68,) and head.dense_landmarks.shape == (468,)
    assert head.people.shape[1] == 96 and head.traits.shape == (len(head.people), 5)
    assert set(np.unique(head.part)) == set(range(PARTS_OF_A_HEAD))
    assert head.face.triangles.min() == 0 and head.face.triangles.max() == v - 1


def test_loading_touches_no_device(head):
    assert not [x for x in jax.tree.leaves(head) if isinstance(x, jax.Array)]


def test_a_head_is_measured_in_millimetres_and_looks_along_z(head):
    points = head.face.mean[head.landmarks]
    eyes = points[landmarks.LEFT_EYE].mean(0) - points[landmarks.RIGHT_EYE].mean(0)
    assert 50 < eyes[0] < 75  # left is +x
    assert points[30, 2] == points[:, 2].max()  # the tip of the nose
    assert points[8, 1] < points[:, 1].min() + 1  # the chin


def test_triangles_are_counter_clockwise_from_outside(head):
    normals = jax.jit(vertex_normals)(
        jnp.array(head.face.mean), jnp.array(head.face.triangles)
    )
    nose, chin, right, left = np.asarray(normals)[head.landmarks[[30, 8, 0, 16]]]
    assert nose[2] > 0.8 and chin[1] < -0.8 and right[0] < -0.8 and left[0] > 0.8
    solid = np.isin(head.part, [0, 1, 2, 3, 4])
    np.testing.assert_allclose(
        np.linalg.norm(normals[np.unique(head.face.triangles[solid])], axis=1),
        1.0,
        atol=1e-4,
    )


def test_normals_of_a_tetrahedron_are_twice_the_areas_round_each_corner():
    points = jnp.array([[0.0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 4]])
    triangles = jnp.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    found = jax.jit(area_normals)(points, triangles)
    np.testing.assert_allclose(
        found, [[-12, -8, -6], [12, 0, 0], [0, 8, 0], [0, 0, 6]], atol=1e-5
    )


def test_mirroring_twice_changes_nothing(head):
    mirror = head.face.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    np.testing.assert_array_equal(np.array(MIRROR_68)[MIRROR_68], np.arange(68))


def test_the_mean_face_is_symmetric_to_a_tenth_of_a_millimetre(head):
    reflected = head.face.mean[head.face.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(reflected, head.face.mean, atol=0.1)


def test_left_sliders_are_right_sliders_in_the_mirror(head):
    reflected = head.face.units[:, head.face.mirror] * np.float32([-1, 1, 1])
    np.testing.assert_array_equal(reflected[MIRROR], head.face.units)


def test_opposite_landmarks_are_opposite_vertices(head):
    np.testing.assert_array_equal(
        head.face.mirror[head.landmarks], head.landmarks[MIRROR_68]
    )


def test_the_68_landmarks_are_among_the_468(head):
    of_dense = head.dense_landmarks[list(landmarks.IBUG_OF_DENSE)]
    np.testing.assert_array_equal(of_dense, head.landmarks)


@pytest.mark.parametrize("basis", BASES)
def test_bases_are_orthonormal_when_they_say_so(basis):
    shapes = load_head(basis=basis).face.expression
    flat = (shapes.basis * np.sqrt(shapes.weight)[:, None]).reshape(30, -1)
    distance = np.abs(flat @ flat.T - np.eye(30)).max()
    assert shapes.orthonormal == (basis == "pca") == (distance < 1e-4)
    assert shapes.scale.shape == (30,) and (shapes.scale > 0).all()


def test_speech_is_orthonormal_too(head):
    flat = head.face.speech.basis * np.sqrt(head.face.speech.weight)[:, None]
    flat = flat.reshape(10, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(10), atol=1e-4)
    deviations = load_head(param_scale=1.0).face
    assert (np.diff(deviations.speech.scale) < 0).all()
    assert (np.diff(deviations.expression.scale) < 0).all()


@pytest.mark.parametrize("basis", BASES)
def test_every_slider_gets_to_its_end_inside_of_the_box(basis):
    """On one side, on both, and every emotion; some get there and no further."""
    expression = load_head(basis=basis).face.expression
    of = jax.jit(jax.vmap(on_device(basis).to_expression))
    far = np.abs(of(REQUESTS.astype(np.float32))).max(0)
    assert far.max() == pytest.approx(1, abs=1e-3)
    threes = load_head(basis=basis, param_scale=3.0).face.expression
    wider = expression.scale / threes.scale
    assert (wider > 1.001).any() and wider.min() == 1
    np.testing.assert_allclose(far[wider > 1.001], 1, atol=1e-3)


def test_every_viseme_is_inside_of_the_box_of_speech(head):
    drawn = np.tensordot(SPOKEN.astype(np.float32), head.face.units, axes=1)
    spoken = jax.vmap(on_device().speech.project)(drawn)
    assert 0.999 < np.abs(spoken).max() < 1.001


def test_a_larger_scale_of_parameters_moves_the_same_component_further():
    ones = load_head(param_scale=1.0).face.expression
    threes = load_head(param_scale=3.0).face.expression
    np.testing.assert_allclose(threes.scale, 3 * ones.scale, rtol=1e-6)
    np.testing.assert_array_equal(threes.basis, ones.basis)


def test_components_are_sliders_in_other_words():
    """They lie in the span of the units: sliders draw the same mesh."""
    face, rng = on_device(), np.random.default_rng(0)
    expression, speech = rng.uniform(-0.5, 0.5, 30), rng.uniform(-0.5, 0.5, 10)
    identity = jnp.array(rng.normal(size=96), jnp.float32)
    expression, speech = jnp.float32(expression), jnp.float32(speech)
    sliders = jax.jit(type(face).to_sliders)(face, expression, speech)
    np.testing.assert_allclose(
        face.with_sliders(identity, sliders),
        face.vertices(identity, expression, speech),
        atol=0.01,
    )


@pytest.mark.parametrize("basis", BASES)
def test_a_flipped_face_has_flipped_components(basis):
    """Left smile to right smile, and twice is nothing."""
    face = on_device(basis)
    flip = jax.jit(type(face).mirror_matrix)(face, face.expression)
    np.testing.assert_allclose(flip @ flip, np.eye(30), atol=1e-3)
    project = jax.jit(type(face.expression).project)
    left, right = (
        project(face.expression, face.units[INDEX[name]])
        for name in ("mouthSmileLeft", "mouthSmileRight")
    )
    np.testing.assert_allclose(flip @ left, right, atol=1e-3)


def test_jaw_open_opens_the_mouth(head):
    gap = lambda points: opening(points, (61, 62, 63), (67, 66, 65))
    assert gap(wearing(head)) < 4 < 20 < gap(wearing(head, jawOpen=1.0))


def test_a_blink_closes_its_own_eye(head):
    left = lambda points: opening(points, (43, 44), (47, 46))
    right = lambda points: opening(points, (37, 38), (41, 40))
    before, after = wearing(head), wearing(head, eyeBlinkLeft=1.0)
    assert 5 < left(before) < 14
    assert left(after) < 0.2 * left(before)
    np.testing.assert_allclose(right(after), right(before), atol=0.01)


def test_landmarks_of_the_upper_lids_ride_on_them(head):
    """Both move down with a blink; the corners, and the lower lids, hardly."""
    blink = wearing(head, eyeBlinkLeft=1.0, eyeBlinkRight=1.0) - wearing(head)
    assert (blink[[37, 38, 43, 44], 1] < -7).all()
    still = [36, 39, 40, 41, 42, 45, 46, 47]
    assert np.abs(blink[still]).max() < 4
    points = wearing(head)
    for inner, *lid, outer in ((42, 43, 44, 45), (42, 47, 46, 45)):
        share = (points[lid, 0] - points[inner, 0]) / np.ptp(points[[inner, outer], 0])
        np.testing.assert_allclose(share, [1 / 3, 2 / 3], atol=0.15)


def test_a_smile_raises_and_widens_the_corners_of_the_mouth(head):
    before = wearing(head)
    after = wearing(head, mouthSmileLeft=1.0, mouthSmileRight=1.0)
    assert (after[[48, 54], 1] > before[[48, 54], 1] + 4).all()
    assert after[54, 0] - after[48, 0] > before[54, 0] - before[48, 0] + 4


def test_people_are_a_sample_of_the_model(head):
    """Whitened: every identity component has mean zero and deviation one."""
    np.testing.assert_allclose(head.people.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(head.people.std(0), 1, atol=0.02)
    assert head.traits.min() >= 0 and head.traits.max() <= 1
    np.testing.assert_allclose(head.traits[:, 2:].sum(1), 1, atol=2e-3)


def test_an_unknown_basis_or_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="basis 'ica'; choose from .*pca"):
        load_head(basis="ica")
    with pytest.raises(FileNotFoundError, match="No head at .*build_head.py"):
        load_head(tmp_path / "head.npz")


@pytest.mark.parametrize("kept", [0, 100, 9999])
def test_a_damaged_head_is_named_in_one_sentence(tmp_path, kept):
    damaged = tmp_path / "head.npz"
    damaged.write_bytes(HEAD.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"head\.npz is damaged .*build_head"):
        load_head(damaged)
