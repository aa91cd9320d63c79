"""Which triangle does each pixel see? A z-buffer in pure JAX.

Every triangle's bounding box is cut into runs of RUN pixels in a row; all runs of all
triangles lie in one list of fixed length, so nothing is drawn twice and nothing has a
size limit but the list. Pixels are sampled at their centres, (column + 1/2, row + 1/2).

A pixel on an edge belongs to both neighbours; the nearer triangle wins, then the one
that comes first. Visibility has no gradient; what is interpolated with `corner_weights`
does.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

RUN = 8
_ASIDE = 64
# Corner weights this far below zero still count: float32 must not open cracks.
_EDGE = 1e-5

# (triangle [r 1], corner weights [r RUN] x 3) -> may this fragment be seen [r RUN]
Keep = Callable[[Array, tuple[Array, Array, Array]], Array]


@struct.dataclass
class Hits:
    """`triangle` is -1 and `depth` infinite where the background shows.

    `runs` says how long the list had to be: above `max_runs`, triangles are missing.
    """

    triangle: Int[Array, "h w"]
    depth: Float[Array, "h w"]
    runs: Int[Array, ""]


def rasterise(
    points: Float[Array, "v 3"],
    triangles: Int[Array, "f 3"],
    size: int,
    *,
    max_runs: int,
    one_sided: Bool[Array, "f"] | bool = True,
    keep: Keep | None = None,
) -> Hits:
    """Points are (x, y, depth) in pixels, y down; less depth is nearer.

    Depth must be affine on the screen, as `camera.project` makes it. Triangles are
    counter-clockwise from the front; `one_sided` ones vanish when seen from behind.
    `keep` is the alpha test of hair and lashes.
    """
    corners = points[triangles]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = _cross(b - a, c - a)
    low, high = corners.min(1), corners.max(1)
    x0 = jnp.clip(jnp.ceil(low[:, 0] - 0.5), 0, size)
    y0 = jnp.clip(jnp.ceil(low[:, 1] - 0.5), 0, size)
    x1 = jnp.clip(jnp.floor(high[:, 0] - 0.5), -1, size - 1)
    y1 = jnp.clip(jnp.floor(high[:, 1] - 0.5), -1, size - 1)

    faces_us = jnp.where(one_sided, area < 0, area != 0)  # y is down: front is negative
    drawn = faces_us & (x1 >= x0) & (y1 >= y0)
    runs_per_row = jnp.floor((x1 - x0) / RUN) + 1
    runs = jnp.where(drawn, runs_per_row * (y1 - y0 + 1), 0).astype(jnp.int32)
    end = jnp.cumsum(runs)
    start = end - runs

    # Weights are affine: value at the box's first pixel, and slopes along x and y.
    inverse = jnp.where(drawn, 1.0 / jnp.where(drawn, area, 1.0), 0.0)
    first = jnp.stack([x0 + 0.5, y0 + 0.5], 1)
    columns = jnp.stack(
        [
            (b[:, 1] - c[:, 1]) * inverse,
            (c[:, 0] - b[:, 0]) * inverse,
            _cross(b[:, :2] - first, c[:, :2] - first) * inverse,
            (c[:, 1] - a[:, 1]) * inverse,
            (a[:, 0] - c[:, 0]) * inverse,
            _cross(c[:, :2] - first, a[:, :2] - first) * inverse,
            a[:, 2] - c[:, 2],
            b[:, 2] - c[:, 2],
            c[:, 2],
            x0,
            y0,
            x1,
            runs_per_row,
            start.astype(jnp.float32),  # exact below 2^24
        ],
        1,
    )

    order = jnp.arange(len(triangles), dtype=jnp.int32)
    marks = jnp.zeros(max_runs, jnp.int32)
    marks = marks.at[jnp.where(runs > 0, start, max_runs)].max(order, mode="drop")
    triangle = jax.lax.cummax(marks)[:, None]
    of_run = columns[triangle[:, 0]]
    u_x, u_y, u_0, v_x, v_y, v_0, z_a, z_b, z_c, left, top, right, per_row, begin = (
        of_run[:, i, None] for i in range(of_run.shape[1])
    )
    number = jnp.arange(max_runs, dtype=jnp.float32)[:, None]
    row = jnp.floor((number - begin + 0.5) / per_row)
    column = (number - begin - row * per_row) * RUN
    column += jnp.arange(RUN, dtype=jnp.float32)[None]
    u = u_x * column + u_y * row + u_0
    v = v_x * column + v_y * row + v_0
    w = 1.0 - u - v
    depth = u * z_a + v * z_b + z_c  # exact for triangles that face the camera
    seen = (u >= -_EDGE) & (v >= -_EDGE) & (w >= -_EDGE) & (left + column <= right)
    seen &= number < end[-1]
    if keep is not None:
        seen &= keep(triangle, (u, v, w))

    # What is not seen is written beside the picture, spread out: writing it all to one
    # place would make every write wait for the last.
    nowhere = size * size
    aside = nowhere + jnp.arange(max_runs, dtype=jnp.int32)[:, None] % _ASIDE
    pixel = ((top + row) * size + left + column).astype(jnp.int32)
    pixel = jnp.where(seen, pixel, aside)
    # The two passes must see the same bits, so the depths are made once.
    pixel, depth = jax.lax.optimization_barrier((pixel, depth))
    nearest = jnp.full(nowhere + _ASIDE, jnp.inf).at[pixel].min(depth)
    wins = depth <= nearest[pixel]
    winner = jnp.full(nowhere + _ASIDE, len(triangles), jnp.int32)
    winner = winner.at[jnp.where(wins, pixel, aside)].min(
        jnp.broadcast_to(triangle, pixel.shape)
    )
    winner = winner[:nowhere].reshape(size, size)
    return Hits(
        triangle=jnp.where(winner == len(triangles), -1, winner),
        depth=nearest[:nowhere].reshape(size, size),
        runs=end[-1],
    )


def corner_weights(
    points: Float[Array, "v 3"],
    perspective: Float[Array, "v"],
    triangles: Int[Array, "f 3"],
    hits: Hits,
) -> Float[Array, "h w 3"]:
    """How much of each corner a pixel sees, right in perspective; they sum to one.

    Differentiable in the points. Empty pixels have finite, meaningless weights.
    """
    size = hits.triangle.shape[0]
    corners = jnp.concatenate([points[:, :2], perspective[:, None]], 1)[triangles]
    corners = corners.reshape(len(triangles), 9)[jnp.maximum(hits.triangle, 0)]
    a, b, c = corners[..., 0:2], corners[..., 3:5], corners[..., 6:8]
    centre = jnp.arange(size) + 0.5
    pixel = jnp.stack(jnp.meshgrid(centre, centre), -1)
    on_screen = jnp.stack(
        [_cross(b - pixel, c - pixel), _cross(c - pixel, a - pixel)]
        + [_cross(a - pixel, b - pixel)],
        -1,
    )
    weights = on_screen * corners[..., 2::3]
    total = weights.sum(-1, keepdims=True)
    return weights / jnp.where(jnp.abs(total) < 1e-12, 1.0, total)


def interpolate(
    corner_values: Float[Array, "f 3 c"],
    hits: Hits,
    weights: Float[Array, "h w 3"],
) -> Float[Array, "h w c"]:
    """Values given at the corners of every triangle, as each pixel sees them."""
    f, _, c = corner_values.shape
    rows = corner_values.reshape(f, 3 * c)[jnp.maximum(hits.triangle, 0)]
    return sum(weights[..., i, None] * rows[..., i * c : (i + 1) * c] for i in range(3))


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
