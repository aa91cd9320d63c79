"""The rasteriser against one that asks every triangle about every pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import raster

SIZES = (8, 32)
TRIANGLES = 24
compiled = jax.jit(raster.rasterise, static_argnames=("size", "max_runs", "keep"))


def draw(points, triangles, size, *, one_sided=True, max_runs=4000, keep=None):
    one_sided = jnp.broadcast_to(one_sided, len(triangles))
    options = dict(one_sided=one_sided, max_runs=max_runs, keep=keep)
    return compiled(jnp.array(points), jnp.array(triangles), size, **options)


def random_mesh(seed, size):
    """Small and huge triangles, in and out of the picture, some without area."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.4, 1.4, (3 * TRIANGLES, 3)) * size
    points[:9, :2] = size * rng.uniform(-8, 8, (9, 2))
    points[12] = (points[13] + points[14]) / 2  # a line
    points[15] = points[16]
    points[18:21] = points[18]  # a point
    triangles = rng.permutation(3 * TRIANGLES).reshape(-1, 3)
    triangles[:8] = np.arange(24).reshape(-1, 3)
    triangles[-6:] = rng.integers(3 * TRIANGLES, size=(6, 3))
    return points.astype(np.float32), triangles.astype(np.int32)


def mesh_on_half_pixels(seed, size, flat):
    """Vertices and many edges lie on pixel centres; `flat` faces the camera."""
    rng = np.random.default_rng(seed)
    points = rng.integers(-6, 2 * size + 6, (3 * TRIANGLES, 3)) / 2
    triangles = rng.integers(3 * TRIANGLES, size=(TRIANGLES, 3))
    triangles[slenderness(points[triangles]) > 60] = 0  # float32 cannot place them
    if flat:
        points = points[triangles].reshape(-1, 3)
        points[:, 2] = np.repeat(rng.integers(1, 5, TRIANGLES), 3) / 3
        triangles = np.arange(3 * TRIANGLES).reshape(-1, 3)
    return points.astype(np.float32), triangles.astype(np.int32)


def slenderness(corners):
    """Square of the longest side over the area; 0 for what has no area."""
    longest = np.ptp(corners[..., :2], axis=1).max(-1)
    area = np.abs(np.linalg.det(corners[:, 1:, :2] - corners[:, :1, :2]))
    return np.where(area > 1e-9, longest**2 / np.maximum(area, 1e-9), 0.0)


def fragments(points, triangles, size, one_sided):
    """For each pixel and triangle: corner weights, depth, is it drawn [h w f]."""
    corners = points.astype(np.float64)[triangles]
    y, x = np.mgrid[:size, :size] + 0.5
    centre = np.stack([x, y], -1)[:, :, None]
    a, b, c = (corners[:, i, :2] - centre for i in range(3))
    cross = lambda p, q: p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]
    area = cross(b - a, c - a)[0, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.stack([cross(b, c), cross(c, a), cross(a, b)], -1)
        weights = weights / area[:, None]
        depth = (weights * corners[..., 2]).sum(-1)
    faces_us = np.where(one_sided, area < 0, area != 0)
    return weights, depth, faces_us & (weights >= 0).all(-1)


def nearest(depth, drawn):
    """Triangle and depth of the picture; the first of those equally near."""
    depth = np.where(drawn, depth, np.inf)
    triangle = np.where(drawn.any(-1), depth.argmin(-1), -1)
    return triangle, depth.min(-1)


def too_close_to_call(points, triangles, weights, depth, drawn):
    """Pixels where float32 may decide otherwise: on an edge, or two at one depth."""
    unsure = 2e-5 + 2e-6 * slenderness(points[triangles].astype(np.float64))
    edge = (np.abs(weights).min(-1) < unsure) & (weights > -unsure[:, None]).all(-1)
    front = np.sort(np.where(drawn, depth, np.inf), -1)[..., :2]
    with np.errstate(invalid="ignore"):
        tie = front[..., 1] - front[..., 0] < 1e-3
    return edge.any(-1) | tie


@pytest.mark.parametrize("size", SIZES)
def test_random_meshes_look_as_if_every_pixel_had_been_asked(size):
    unsure = []
    for seed in range(25):
        points, triangles = random_mesh(seed, size)
        one_sided = np.random.default_rng(seed).random(TRIANGLES) < 0.5
        hits = draw(points, triangles, size, one_sided=one_sided)
        found = fragments(points, triangles, size, one_sided)
        triangle, depth = nearest(*found[1:])
        skip = too_close_to_call(points, triangles, *found)
        unsure.append(skip.mean())
        np.testing.assert_array_equal(hits.triangle[~skip], triangle[~skip])
        np.testing.assert_allclose(
            hits.depth[~skip], depth[~skip], rtol=1e-3, atol=1e-3 * size
        )
    assert np.mean(unsure) < 0.05


@pytest.mark.parametrize("size", SIZES)
def test_a_pixel_exactly_on_an_edge_or_a_corner_is_covered(size):
    for seed in range(25):
        points, triangles = mesh_on_half_pixels(seed, size, flat=False)
        hits = draw(points, triangles, size, one_sided=False)
        _, depth, drawn = fragments(points, triangles, size, False)
        seen = np.asarray(hits.triangle)
        np.testing.assert_array_equal(seen >= 0, drawn.any(-1))
        own = np.take_along_axis(depth, np.maximum(seen, 0)[..., None], -1)[..., 0]
        covers = np.take_along_axis(drawn, np.maximum(seen, 0)[..., None], -1)[..., 0]
        assert covers[seen >= 0].all()
        np.testing.assert_allclose(
            own[seen >= 0], nearest(depth, drawn)[1][seen >= 0], atol=1e-3
        )


@pytest.mark.parametrize("size", SIZES)
def test_of_triangles_at_one_depth_the_first_is_seen(size):
    for seed in range(25):
        points, triangles = mesh_on_half_pixels(seed, size, flat=True)
        hits = draw(points, triangles, size, one_sided=True)
        _, depth, drawn = fragments(points, triangles, size, True)
        depth = np.round(depth * 3) / 3
        np.testing.assert_array_equal(hits.triangle, nearest(depth, drawn)[0])


def test_a_fan_of_triangles_has_no_cracks():
    """Edges run through pixel centres at awkward slopes, and meet in one."""
    size, rng = 32, np.random.default_rng(0)
    fan = np.stack([np.zeros(23), 1 + np.arange(23), 1 + (np.arange(23) + 1) % 23], 1)
    triangles = jnp.array(np.concatenate([fan, fan[:1]]), jnp.int32)
    for _ in range(60):
        turns = np.sort(rng.uniform(0, 2 * np.pi, 19))
        turns = np.sort(np.concatenate([turns, np.arange(4) * np.pi / 2]))
        rim = np.stack([np.cos(turns), np.sin(turns)], 1) * rng.uniform(30, 90, (23, 1))
        hub = rng.integers(12, 20, 2) + 0.5
        rim = hub + np.where(rng.random((23, 1)) < 0.5, np.round(rim), rim)
        flat = np.concatenate([[hub], rim])
        points = np.concatenate([flat, rng.uniform(size=(24, 1))], 1)
        hits = draw(jnp.array(points, jnp.float32), triangles, size, one_sided=False)
        assert (hits.triangle >= 0).all()


def square(left, top, side, depth):
    x, y = np.array([[0, 0], [0, 1], [1, 1], [1, 0]]).T * side
    return np.stack([left + x, top + y, np.full(4, depth)], 1)


QUAD = np.array([[0, 1, 2], [0, 2, 3]])


def quads(*squares):
    """Points and triangles, counter-clockwise from the front."""
    triangles = np.concatenate([QUAD + 4 * i for i in range(len(squares))])
    points = np.concatenate([square(*s) for s in squares])
    return jnp.array(points, jnp.float32), jnp.array(triangles, jnp.int32)


def test_the_nearer_of_two_quads_wins():
    near, far = (0, 0, 8, -1), (0, 0, 8, 3)
    for order in ((near, far), (far, near)):
        hits = draw(*quads(*order), 8)
        assert (hits.triangle // 2 == order.index(near)).all()
        np.testing.assert_array_equal(hits.depth, -1.0)


def test_only_what_is_seen_from_the_front_is_drawn_unless_asked():
    points, triangles = quads((0, 0, 8, 1.0))
    backwards = triangles[:, ::-1]
    assert (draw(points, triangles, 8).triangle >= 0).all()
    behind = draw(points, backwards, 8)
    assert (behind.triangle == -1).all() and np.isinf(behind.depth).all()
    assert (draw(points, backwards, 8, one_sided=False).triangle >= 0).all()


def test_runs_count_the_eights_of_pixels_in_every_row_of_every_box():
    """An 8 x 8 box is one run a row, a 9 x 9 box two; two triangles to a quad."""
    assert draw(*quads((0, 0, 8, 0.0)), 32).runs == 2 * 8
    assert draw(*quads((0, 0, 9, 0.0)), 32).runs == 2 * 9 * 2
    assert draw(*quads((-50, -50, 200, 0.0)), 32).runs == 2 * 32 * 4
    assert draw(*quads((-9, 0, 8, 0.0), (0, 33, 8, 0.0)), 32).runs == 0


def test_a_list_that_is_too_short_is_reported_and_draws_nothing_wrong():
    points, triangles = random_mesh(3, 32)
    arguments = points, triangles, 32
    whole = draw(*arguments, one_sided=False)
    runs = int(whole.runs)
    exact = draw(*arguments, one_sided=False, max_runs=runs)
    np.testing.assert_array_equal(exact.triangle, whole.triangle)
    weights, depth, drawn = fragments(points, triangles, 32, False)
    for max_runs in (runs - 1, runs // 2):
        short = draw(*arguments, one_sided=False, max_runs=max_runs)
        assert short.runs == runs > max_runs
        seen = np.asarray(short.triangle)
        at = np.maximum(seen, 0)[..., None]
        take = lambda x: np.take_along_axis(x, at, -1)[seen >= 0, 0]  # noqa: B023
        inside = np.take_along_axis(weights, at[..., None], 2)[seen >= 0, 0].min(-1)
        assert (inside > -1e-3).all()
        np.testing.assert_allclose(take(depth), short.depth[seen >= 0], atol=0.05)


def cut_corners(triangle, weights):
    """Odd triangles lose what lies next to their first corner."""
    return (weights[0] < 0.55) | (triangle % 2 == 0)


def test_the_alpha_test_removes_its_fragments_and_shows_what_is_behind():
    changed = 0
    for seed in range(15):
        points, triangles = random_mesh(seed, 32)
        arguments = points, triangles, 32
        hits = draw(*arguments, one_sided=False, keep=cut_corners)
        weights, depth, drawn = fragments(points, triangles, 32, False)
        kept = drawn & cut_corners(np.arange(TRIANGLES), np.moveaxis(weights, -1, 0))
        skip = too_close_to_call(points, triangles, weights, depth, drawn)
        skip |= too_close_to_call(points, triangles, weights, depth, kept)
        skip |= (np.abs(weights[..., 0] - 0.55) < 1e-3).any(-1)
        expected = nearest(depth, kept)[0]
        np.testing.assert_array_equal(hits.triangle[~skip], expected[~skip])
        changed += (expected != nearest(depth, drawn)[0])[~skip].sum()
    assert changed > 800


def test_many_at_once_are_the_same_as_one_after_the_other():
    meshes = [random_mesh(seed, 8)[0] for seed in range(4)]
    triangles = jnp.array(random_mesh(0, 8)[1])
    one = lambda points: draw(points, triangles, 8, one_sided=False)
    together = jax.vmap(one)(jnp.array(meshes))
    for i, points in enumerate(meshes):
        alone = one(jnp.array(points))
        np.testing.assert_array_equal(together.triangle[i], alone.triangle)
        np.testing.assert_array_equal(together.depth[i], alone.depth)


def slanted(seed, nearness):
    """Twelve big triangles in millimetres round the origin, camera on the z axis."""
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-60, 60, (36, 3))
    magnification = 1 / (1 - nearness * vertices[:, 2])
    flat = vertices * magnification[:, None] * 0.1
    points = np.stack([16 + flat[:, 0], 16 - flat[:, 1], -flat[:, 2]], 1)
    triangles = jnp.arange(36).reshape(12, 3)
    return vertices, jnp.array(points), jnp.array(magnification), triangles


@pytest.mark.parametrize("nearness", [0.0, 1 / 300])
def test_weights_find_the_point_where_the_ray_meets_the_triangle(nearness):
    vertices, points, perspective, triangles = slanted(0, nearness)
    hits = draw(points, triangles, 32, one_sided=False)
    weights = raster.corner_weights(points, perspective, triangles, hits)
    place = raster.interpolate(jnp.array(vertices)[triangles], hits, weights)
    seen = np.asarray(hits.triangle) >= 0
    assert seen.sum() > 60
    np.testing.assert_allclose(weights.sum(-1)[seen], 1.0, atol=1e-5)
    assert (weights[seen] > -1e-4).all()

    y, x = np.mgrid[:32, :32] + 0.5
    on_plane = np.stack([(x - 16) / 0.1, (16 - y) / 0.1, np.zeros((32, 32))], -1)
    # From the camera at (0, 0, 1 / nearness), in a form that orthography survives.
    towards = -nearness * on_plane + [0, 0, 1]
    a, b, c = (vertices[np.asarray(triangles)[hits.triangle, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    dot = lambda p, q: (p * q).sum(-1, keepdims=True)
    along = dot(normal, a - on_plane) / dot(normal, towards)
    expected = on_plane + along * towards
    np.testing.assert_allclose(place[seen], expected[seen], atol=0.1)


def test_gradients_of_what_is_interpolated_are_right():
    """Visibility stays fixed; float64, so that differences can be trusted."""
    _, points, perspective, triangles = slanted(1, 1 / 300)
    hits = draw(points, triangles, 32, one_sided=False)
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        values, pull = rng.normal(size=(12, 3, 2)), rng.normal(size=(32, 32, 2))
        pull = jnp.array(pull * (np.asarray(hits.triangle) >= 0)[..., None])

        @jax.jit
        def total(points, perspective, values):
            weights = raster.corner_weights(points, perspective, triangles, hits)
            return (raster.interpolate(values, hits, weights) * pull).sum()

        to64 = lambda x: jnp.array(np.asarray(x), jnp.float64)
        at = to64(points), to64(perspective), to64(values)
        gradients = jax.grad(total, (0, 1, 2))(*at)
        for i, (x, gradient) in enumerate(zip(at, gradients, strict=True)):
            step = jnp.array(1e-5 * rng.normal(size=x.shape))
            shifted = lambda s: total(*at[:i], x + s, *at[i + 1 :])  # noqa: B023
            expected = (shifted(step) - shifted(-step)) / 2
            np.testing.assert_allclose((gradient * step).sum(), expected, rtol=1e-5)
            assert np.abs(gradient).max() > 0
