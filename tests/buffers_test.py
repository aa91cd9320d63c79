"""Geometry behind each pixel, and flow that lands where it says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import buffers as geometry
from slider_jax.face.atlas import PARTS
from slider_jax.face.camera import Camera, project
from slider_jax.face.head import load_head
from slider_jax.face.sliders import INDEX

SIZE = 48
draw = jax.jit(geometry.buffers, static_argnames="size")
flow = jax.jit(geometry.flow, static_argnames="size")


def camera(yaw=0.0, *, nearness=1 / 600, centre=(0.5, 0.42)):
    f = jnp.float32
    return Camera(f([yaw, 0, 0]), f(nearness), f(0.0042), f(centre))


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def surface(head):
    return jax.device_put(geometry.surface(head))


def mesh(head, **sliders):
    moved = np.array(head.face.mean)
    for name, value in sliders.items():
        moved += value * head.face.units[INDEX[name]]
    return jnp.array(moved)


FACES = ({}, {"jawOpen": 1.0}, {"mouthSmileLeft": 1.0}, {"mouthSmileRight": 1.0})


@pytest.fixture(scope="module")
def seen(head, surface):
    """Buffers of FACES, all at once."""
    one = lambda mesh: geometry.buffers(surface, camera(), mesh, SIZE)
    many = jax.jit(jax.vmap(one))(jnp.stack([mesh(head, **face) for face in FACES]))
    many = jax.device_get(many)
    return [jax.tree.map(lambda x: x[i], many) for i in range(len(FACES))]  # noqa: B023


def wall(depth, slope=0.0):
    """A square of 8 x 8 cm, in two triangles, counter-clockwise from the front."""
    x, y = 40.0 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]).T
    points = np.stack([x, y, depth + slope * x], 1)
    return jnp.array(points, jnp.float32), jnp.array([[0, 1, 2], [0, 2, 3]])


def test_a_wall_that_faces_the_viewer_has_one_depth_and_one_normal():
    points, triangles = wall(20.0)
    uv = jnp.array([[[0, 1], [1, 1], [1, 0]], [[0, 1], [1, 0], [0, 0]]], jnp.float32)
    painted = geometry.Surface(triangles, uv, jnp.array([3, 5]))
    draw = jax.jit(geometry.buffers, static_argnames="size")
    seen = draw(painted, camera(nearness=0.0, centre=(0.5, 0.5)), points, SIZE)
    inside, side = np.asarray(seen.coverage), 0.0042 * SIZE * 80
    assert inside.sum() == (2 * np.floor(side / 2 + 0.5)) ** 2
    assert set(np.unique(seen.part)) == {-1, 3, 5}
    np.testing.assert_allclose(seen.depth[inside], -20 * 0.0042 * SIZE, rtol=1e-4)
    np.testing.assert_allclose(np.asarray(seen.normal)[inside] - [0, 0, 1], 0, 0, 1e-6)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    expected = (np.stack([x, y], -1) - SIZE / 2) / side + 0.5
    np.testing.assert_allclose(seen.uv[inside], expected[inside], atol=1e-4)
    assert np.isinf(seen.depth[~inside]).all() and (seen.triangle[~inside] == -1).all()
    assert not np.any(seen.normal[~inside]) and not np.any(seen.uv[~inside])


def test_a_head_shows_its_parts_where_they_belong(seen):
    """Eyes between the lids, skin round them, a mouth's inside only if it is open."""
    rest, jaw_open, *_ = seen
    count = lambda part, *names: sum((part == PARTS.index(n)).sum() for n in names)
    assert rest.part[0, 0] == -1
    assert rest.part[SIZE // 2, SIZE // 2] == PARTS.index("skin")
    assert 4 < count(rest.part, "eye") < 60
    inside = ("mouth", "teeth", "tongue")
    assert count(jaw_open.part, *inside) > count(rest.part, *inside) + 15
    assert not any(face.missing for face in seen)


def test_normals_of_a_head_have_length_one_and_look_at_the_viewer(seen):
    normal = seen[0].normal[seen[0].coverage]
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=1e-5)
    assert (normal[:, 2] > -0.3).all() and normal[:, 2].max() > 0.99


def test_the_mirror_image_of_a_left_smile_is_a_right_smile(seen):
    """On the symmetric mean face; only pixels on edges may fall otherwise."""
    rest, _, left, right = seen
    flip = lambda x: x[:, ::-1]
    differ = flip(left.part) != right.part
    assert differ.sum() < 12
    both = ~differ & right.coverage
    assert np.median(np.abs(flip(left.depth)[both] - right.depth[both])) < 0.02
    normal = flip(left.normal) * [-1, 1, 1]
    assert np.quantile(np.abs(normal - right.normal)[both].max(-1), 0.95) < 0.15
    # And it is not that nothing moved.
    both &= left.coverage
    assert (np.abs(left.depth[both] - right.depth[both]) > 0.3).sum() > 10


def test_the_same_face_does_not_flow(head, surface):
    found = flow(
        *(camera(0.2), mesh(head, jawOpen=0.5)),
        *(camera(0.2), mesh(head, jawOpen=0.5)),
        *(surface.triangles, SIZE),
    )
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_flow_of_a_shift_is_the_same_everywhere_and_nothing_in_the_background(
    head, surface, seen
):
    """The source lies 3 pixels right of and 2 below the target, and nearer."""
    flat = camera(nearness=0.0)
    shift = jnp.array([[3 / SIZE / 0.0042, -2 / SIZE / 0.0042, 10.0]])
    found = np.asarray(
        flow(flat, mesh(head) + shift, flat, mesh(head), surface.triangles, SIZE)
    )
    inside = np.abs(found).max(-1) > 0
    assert (inside ^ seen[0].coverage).mean() < 0.05
    expected = np.array([3, 2, -10 * 0.0042 * SIZE]) / (SIZE / 2)
    np.testing.assert_allclose(found[inside] - expected, 0, atol=1e-4)


@pytest.mark.parametrize("nearness", [0.0, 1 / 200])
def test_a_pixel_and_its_flow_are_where_the_source_shows_the_same_place(nearness):
    """Exactly, however large the triangle and however near the camera."""
    rng = np.random.default_rng(0)
    target, triangles = wall(10.0, slope=0.9)
    source = target + jnp.array(rng.normal(0, 15, (4, 3)), jnp.float32)
    seen_by = camera(nearness=nearness), camera(-0.3, nearness=nearness)
    found = flow(seen_by[1], source, seen_by[0], target, triangles, SIZE)

    def place_of(row, column):
        """Where the ray through a pixel meets the wall; then carried to the source."""
        scale = 0.0042 * SIZE
        flat = np.array(
            [(column + 0.5 - 0.5 * SIZE) / scale, (0.42 * SIZE - row - 0.5) / scale, 0]
        )
        towards = -nearness * flat + [0, 0, 1]
        normal = np.array([-0.9, 0, 1])
        here = flat + towards * (normal @ ([0, 0, 10] - flat)) / (normal @ towards)
        which = 0 if here[0] > here[1] else 1
        corners = np.asarray(target, np.float64)[np.asarray(triangles)[which]]
        weights = np.linalg.solve(corners.T, here)
        carried = weights @ np.asarray(source)[np.asarray(triangles)[which]]
        return jnp.array(np.stack([here, carried]), jnp.float32)

    inside = np.argwhere(np.abs(np.asarray(found)).max(-1) > 0)
    assert len(inside) > 50
    for row, column in inside[rng.choice(len(inside), 20, replace=False)]:
        both = place_of(row, column)
        here = project(seen_by[0], both, SIZE)[0][0]
        there = project(seen_by[1], both, SIZE)[0][1]
        np.testing.assert_allclose(here[:2], [column + 0.5, row + 0.5], atol=1e-3)
        np.testing.assert_allclose(
            here + found[row, column] * SIZE / 2, there, atol=0.01
        )


def test_flow_carries_the_corners_of_a_smile_back(head, surface):
    """At landmarks of the target: their pixel plus flow is the source's landmark."""
    seen_by = camera()
    source, target = mesh(head, mouthSmileLeft=1.0, mouthSmileRight=1.0), mesh(head)
    found = np.asarray(
        flow(seen_by, source, seen_by, target, surface.triangles, SIZE)
    ) * (SIZE / 2)
    at = lambda m: np.asarray(project(seen_by, m[head.landmarks], SIZE)[0])[:, :2]
    for i in (30, 33, 48, 54):
        column, row = at(target)[i].astype(int)
        np.testing.assert_allclose(
            found[row, column, :2], at(source)[i] - at(target)[i], atol=0.4
        )
    assert np.linalg.norm(at(source)[48] - at(target)[48]) > 1


def test_gradients_reach_the_meshes_and_the_cameras(head, surface):
    def total(camera_source, source, target):
        moved = geometry.flow(
            camera_source, source, camera(), target, surface.triangles, SIZE
        )
        seen = geometry.buffers(surface, camera(), target, SIZE)
        depth = jnp.where(seen.coverage, seen.depth, 0)
        return jnp.square(moved).sum() + depth.sum() + seen.normal[..., 0].sum()

    gradients = jax.jit(jax.grad(total, (0, 1, 2)))(
        camera(0.1), mesh(head, jawOpen=0.5), mesh(head)
    )
    for leaf in jax.tree.leaves(gradients):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0
