"""The camera against a pinhole in NumPy, and faces put where they belong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import camera as cameras
from slider_jax.face import landmarks, raster
from slider_jax.face.camera import Camera

SIZE = 32
VERTICES = np.random.default_rng(0).uniform(-80, 80, (68, 3)).astype(np.float32)
project = jax.jit(cameras.project, static_argnames="size")
align = jax.jit(cameras.align)


def camera(
    yaw=0.0, pitch=0.0, roll=0.0, *, nearness=1 / 600, scale=0.005, centre=(0.5, 0.4)
):
    f = jnp.float32
    return Camera(f([yaw, pitch, roll]), f(nearness), f(scale), f(centre))


def turned(vertices, yaw, pitch, roll):
    """About y, then x, then z, by the right-hand rule."""

    def about(angle, i, j):
        matrix = np.eye(3)
        matrix[[i, j], [i, j]] = np.cos(angle)
        matrix[[i, j], [j, i]] = -np.sin(angle), np.sin(angle)
        return matrix

    return vertices @ about(yaw, 2, 0).T @ about(pitch, 1, 2).T @ about(roll, 0, 1).T


def test_a_projection_is_that_of_a_pinhole():
    """A camera at distance d sees (x, y) d / (d - z)."""
    points, magnification = project(camera(0.3, -0.2, 0.1), jnp.array(VERTICES), SIZE)
    x, y, z = turned(VERTICES, 0.3, -0.2, 0.1).T
    factor = 600 / (600 - z)
    np.testing.assert_allclose(magnification, factor, rtol=1e-5)
    np.testing.assert_allclose(points[:, 0], SIZE * (0.5 + 0.005 * x * factor), 1e-4)
    np.testing.assert_allclose(points[:, 1], SIZE * (0.4 - 0.005 * y * factor), 1e-4)


@pytest.mark.parametrize("angles", [(0.4, 0, 0), (0, 0.4, 0), (0, 0, 0.4), (1, -2, 3)])
def test_a_rotated_camera_is_a_rotated_mesh(angles):
    rotated = project(camera(*angles), jnp.array(VERTICES), SIZE)
    mesh = turned(VERTICES, *angles).astype(np.float32)
    expected = project(camera(), jnp.array(mesh), SIZE)
    np.testing.assert_allclose(rotated[0], expected[0], atol=1e-3)
    matrix = cameras.rotation_matrix(jnp.array(angles, jnp.float32))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)


def test_angles_turn_the_way_their_names_say():
    """Yaw to the face's left, which is the viewer's right; a nod; a tilt."""
    nose, crown = jnp.array([[0.0, 0, 50]]), jnp.array([[0.0, 50, 0]])
    x = lambda points: float(points[0][0, 0]) - 0.5 * SIZE
    y = lambda points: float(points[0][0, 1]) - 0.4 * SIZE
    assert x(project(camera(yaw=0.3), nose, SIZE)) > 1
    assert y(project(camera(pitch=0.3), nose, SIZE)) > 1
    assert x(project(camera(roll=0.3), crown, SIZE)) < -1


def test_without_nearness_the_camera_is_orthographic():
    """Depth does not move a point, and a distant camera comes to the same."""
    flat = project(camera(0.2, nearness=0.0), jnp.array(VERTICES), SIZE)
    x, y, z = turned(VERTICES, 0.2, 0, 0).T
    expected = SIZE * np.stack([0.5 + 0.005 * x, 0.4 - 0.005 * y, -0.005 * z], 1)
    np.testing.assert_allclose(flat[0], expected, atol=1e-4)
    np.testing.assert_array_equal(flat[1], 1.0)
    distant = project(camera(0.2, nearness=1e-7), jnp.array(VERTICES), SIZE)
    np.testing.assert_allclose(distant[0], flat[0], atol=1e-3)


@pytest.mark.parametrize("nearness", [0.0, 1 / 300])
def test_depth_is_affine_on_the_screen_and_grows_away_from_the_viewer(nearness):
    """Points of a plane in space have points of a plane as (x, y, depth)."""
    rng = np.random.default_rng(1)
    plane = rng.uniform(-80, 80, (50, 2)) @ rng.normal(size=(2, 3)) + [3, -8, 20]
    points = project(camera(nearness=nearness), jnp.float32(plane), SIZE)[0]
    affine = np.concatenate([points[:, :2], np.ones((50, 1))], 1)
    solution = np.linalg.lstsq(affine, np.array(points[:, 2]), rcond=None)[0]
    np.testing.assert_allclose(affine @ solution, points[:, 2], atol=1e-3)
    line = jnp.array([[0.0, 0, z] for z in (80, 0, -80)])
    depth = project(camera(nearness=nearness), line, SIZE)[0][:, 2]
    assert depth[0] < depth[1] < depth[2]


def test_the_weight_that_comes_with_points_undoes_perspective():
    """Halfway between two corners in space is not halfway on the screen."""
    corners = jnp.array([[-60.0, 60, 80], [-60, -60, 80], [80, 0, -200]])
    points, weight = project(camera(nearness=1 / 300), corners, SIZE)
    triangles = jnp.array([[0, 1, 2]])
    middle = project(camera(nearness=1 / 300), corners.mean(0, keepdims=True), SIZE)
    column, row = np.array(middle[0][0, :2])
    # Shifted so that the middle is seen by the pixel (16, 16).
    points = points - jnp.array([[column - 16.5, row - 16.5, 0]])
    rasterise = jax.jit(raster.rasterise, static_argnames=("size", "max_runs"))
    one_sided = jnp.array([False])
    hits = rasterise(points, triangles, SIZE, max_runs=400, one_sided=one_sided)
    seen = raster.corner_weights(points, weight, triangles, hits)[16, 16]
    np.testing.assert_allclose(seen, 1 / 3, atol=1e-4)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.5])
@pytest.mark.parametrize("nearness", [0.0, 1 / 600])
def test_align_finds_the_similarity_that_was_applied(angle, nearness):
    seen_by = camera(0.3, 0.1, 0.2, nearness=nearness)
    seen = np.array(project(seen_by, jnp.array(VERTICES), 1)[0][:, :2])
    c, s = 0.7 * np.cos(angle), 0.7 * np.sin(angle)
    reference = seen @ np.array([[c, s], [-s, c]]) + [0.2, -0.1]
    aligned = align(seen_by, jnp.array(VERTICES), jnp.float32(reference))
    found = project(aligned, jnp.array(VERTICES), 1)[0][:, :2]
    np.testing.assert_allclose(found, reference, atol=1e-5)
    np.testing.assert_allclose(aligned.scale, 0.7 * 0.005, rtol=1e-5)
    # y is down in pictures: what turns clockwise there rolls to the face's left.
    np.testing.assert_allclose(aligned.rotation[2], 0.2 - angle, atol=1e-5)
    np.testing.assert_array_equal(aligned.rotation[:2], seen_by.rotation[:2])


def test_what_is_aligned_already_stays_where_it_is():
    before = camera(0.3, 0.1, 0.2)
    reference = project(before, jnp.array(VERTICES), 1)[0][:, :2]
    after = align(before, jnp.array(VERTICES), reference)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), after, before
    )


def test_align_does_not_mirror():
    """The best similarity of a reflected face is not a reflection of the camera."""
    before = camera()
    seen = project(before, jnp.array(VERTICES), 1)[0][:, :2]
    after = align(before, jnp.array(VERTICES), seen * jnp.array([[-1.0, 1.0]]))
    assert after.scale > 0
    again = project(after, jnp.array(VERTICES), 1)[0][:, :2]
    turn = np.linalg.lstsq(
        np.c_[np.array(seen), np.ones(68)], np.array(again), rcond=None
    )[0]
    assert np.linalg.det(turn[:2]) > 0


def test_the_reference_has_its_eyes_where_the_dossier_says():
    """0.28 of the width apart, 0.40 from the top, in the middle; the chin below."""
    points = np.random.default_rng(2).uniform(-60, 60, (68, 3)).astype(np.float32)
    points[landmarks.RIGHT_EYE] += [-300, 40, 0]
    points[landmarks.LEFT_EYE] += [300, 40, 0]
    points[8] = [0, -500, 0]
    reference = landmarks.reference(points)
    right, left = (
        reference[eye].mean(0) for eye in (landmarks.RIGHT_EYE, landmarks.LEFT_EYE)
    )
    assert right[0] < left[0]
    np.testing.assert_allclose(np.linalg.norm(left - right), 0.28, rtol=1e-5)
    np.testing.assert_allclose((left + right) / 2, [0.5, 0.40], atol=1e-6)
    assert reference[8, 1] > 0.5
