"""Winograd's convolutions: fewer multiplications, in plain JAX.

A tile of m outputs in a row, under a kernel of r taps, is Aᵀ[(G g) ∘ (Bᵀ d)] of m+r-1
inputs d: m+r-1 products where the definition takes m·r (Winograd 1980; Lavin and Gray
2016). Rows and columns nest, channels turn the products into matrix products.

3x3 kernels of stride 1 are taken as they are. A 4x4 kernel of stride 2 is a 2x2 kernel
of stride 1 on the image of 2x2 pixel blocks, with four times the channels.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax

from slider_jax.ops.fold import fold

# The points of Cook and Toom's interpolation, with infinity. Of all small ones these
# round least (Barabasz et al. 2020).
_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)


@functools.cache
def matrices(m: int, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Aᵀ [m, t], G [t, r], Bᵀ [t, t]) for t = m + r - 1 products."""
    t = m + r - 1

    def powers(n):
        at_infinity = np.eye(n)[-1:]
        rows = [[point**k for k in range(n)] for point in _POINTS[: t - 1]]
        return np.concatenate([rows, at_infinity])

    g, b = powers(r), np.linalg.inv(powers(t)).T
    # The rows of Bᵀ become whole numbers and halves, which are exact; G takes the rest.
    scale = np.array([np.abs(row[np.abs(row) > 1e-9]).min() for row in b])[:, None]
    return powers(m).T, g * scale, np.round(b / scale, 9)


def _contract(matrix, parts):
    """Σₙ matrix[m, n] parts[n], for every m."""
    return [_combine(row, parts) for row in matrix]


def _combine(row, parts):
    """Most coefficients are 0 or ±1, and cost nothing or an addition."""
    total = None
    for coefficient, part in zip(row.tolist(), parts, strict=True):
        if coefficient:
            term = part if abs(coefficient) == 1 else part * abs(coefficient)
            if total is None:
                total = term if coefficient > 0 else -term
            else:
                total = total + term if coefficient > 0 else total - term
    return total


def _both(transform, x, cut, row_axis, column_axis):
    """Along the columns, then along the rows: t rows of a tile, [t, ...] each.

    They stay apart, since a matrix product of one row stays in a core's cache, and
    cores share the rows.
    """
    x = jnp.stack(_contract(transform, cut(x, column_axis)))
    rows = cut(lax.optimization_barrier(x), row_axis + 1)
    return lax.optimization_barrier(_contract(transform, rows))


# ------------------------------------------------------------ into products
#
# One way for each array, whichever of the three maps it is for. So what two of them
# need, XLA computes once: a kernel and its image going forward and backward, the
# gradient of the outputs for both other gradients.


def _tiles(x, geometry, m, bt):
    """An image, in overlapping tiles: [b, h, w, i] -> t times [t, b y x, c]."""
    t, p = len(bt), geometry.padding
    x = fold(jnp.pad(x, ((0, 0), (p, p), (p, p), (0, 0))), geometry.stride)
    y, z = _count(geometry, m)
    b, h, w, c = x.shape
    x = jnp.pad(x, ((0, 0), (0, y * m + t - m - h), (0, z * m + t - m - w), (0, 0)))

    def windows(x, axis):
        reach = x.shape[axis] - t + 1
        return [lax.slice_in_dim(x, i, i + reach, m, axis) for i in range(t)]

    rows = _both(bt, x, windows, 1, 2)
    return [row.reshape(t, b * y * z, c) for row in rows]


def _blocks(dy, geometry, m, a):
    """Outputs, in separate tiles of m x m: [b, h, w, o] -> t times [t, b y x, o]."""
    y, z = _count(geometry, m)
    b, h, w, o = dy.shape
    dy = jnp.pad(dy, ((0, 0), (0, y * m - h), (0, z * m - w), (0, 0)))
    rows = _both(a, dy.reshape(b, y, m, z, m, o), _apart, 2, 4)
    return [row.reshape(-1, b * y * z, o) for row in rows]


def _kernels(kernel, geometry, g):
    """[k, k, i, o] -> t times [t, c, o]."""
    return _both(g, _fold_kernel(kernel, geometry.stride), _apart, 0, 1)


def _count(geometry, m):
    """Tiles along each axis."""
    return [-(-n // m) for n in geometry.output]


def _apart(x, axis):
    return jnp.unstack(x, axis=axis)


def _fold_kernel(kernel, by):
    """[k, k, i, o] -> [k / by, k / by, by by i, o]."""
    k, _, i, o = kernel.shape
    kernel = kernel.reshape(k // by, by, k // by, by, i, o)
    return kernel.transpose(0, 2, 1, 3, 4, 5).reshape(k // by, k // by, -1, o)


def _unfold_kernel(kernel, by):
    k, _, c, o = kernel.shape
    kernel = kernel.reshape(k, k, by, by, c // by**2, o).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(k * by, k * by, -1, o)


# ------------------------------------------------------------ and out of them


def _outputs(rows, geometry, m, a):
    """t times [t, b y x, o] -> [b, h, w, o]."""
    rows = _places(rows, geometry, m)
    rows = jnp.stack(_contract(a, rows), 3)  # [t, b, y, m, x, o]
    columns = jnp.unstack(lax.optimization_barrier(rows))
    image = jnp.stack(_contract(a, columns), 4)  # [b, y, m, x, m, o]
    return _crop(image, geometry.output)


def _image_of(rows, geometry, m, b):
    """What tiles say of an image, summed where they overlap: [b, h, w, i]."""
    rows = _places(rows, geometry, m)
    rows = jnp.stack(_overlap(rows, geometry, m, b, 2), 3)  # [t, b, y, s m, x, s i]
    columns = jnp.unstack(lax.optimization_barrier(rows))
    image = jnp.stack(_overlap(columns, geometry, m, b, 3), 4)
    return _crop(image, geometry.size)


def _overlap(parts, geometry, m, b, axis):
    """The pixels between the first lines of neighbouring tiles, one after another.

    A pixel of remainder r by the stride is in the channels of the line (r + padding) %
    stride of folded pixels; where tiles overlap, `axis` counts them.
    """
    pixels = []
    for remainder in range(geometry.stride):
        first, line = divmod(remainder + geometry.padding, geometry.stride)
        mine = [jnp.split(part, geometry.stride, -1)[line] for part in parts]
        lines = _contract(b, mine)
        pixels.append(
            [
                sum(
                    _shift(lines[near], step, axis)
                    for near, step in ((q, 0), (q + m, 1), (q - m, -1))
                    if 0 <= near < len(lines)
                )
                for q in range(first, first + m)
            ]
        )
    return [pixel for line in zip(*pixels, strict=True) for pixel in line]


def _shift(x, step, axis):
    """What the tile `step` before says; tiles that are not there say nothing."""
    edges = [(0, 0, 0)] * x.ndim
    edges[axis] = (step, -step, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), edges) if step else x


def _kernel_of(rows, geometry, g):
    rows = lax.optimization_barrier(jnp.stack(_contract(g, rows)))
    kernel = jnp.stack(_contract(g, _apart(rows, 1)), 1)
    return _unfold_kernel(kernel, geometry.stride)


def _places(rows, geometry, m):
    y, z = _count(geometry, m)
    return [row.reshape(row.shape[0], -1, y, z, row.shape[2]) for row in rows]


def _crop(image, size):
    """[b, y, n, x, n, c] -> [b, h, w, c]."""
    b, y, n, z, _, c = image.shape
    return image.reshape(b, y * n, z * n, c)[:, : size[0], : size[1]]


# ------------------------------------------------------------ the three maps


def _products(sum_over, left, right):
    return [jnp.einsum(sum_over, *pair) for pair in zip(left, right, strict=True)]


def _forward(geometry, x, kernel, m):
    a, g, bt = _matrices_for(geometry, m)
    tiles, kernels = _tiles(x, geometry, m, bt), _kernels(kernel, geometry, g)
    return _outputs(_products("tnc,tco->tno", tiles, kernels), geometry, m, a)


def _image(geometry, dy, kernel, m):
    a, g, bt = _matrices_for(geometry, m)
    blocks, kernels = _blocks(dy, geometry, m, a.T), _kernels(kernel, geometry, g)
    return _image_of(_products("tno,tco->tnc", blocks, kernels), geometry, m, bt.T)


def _kernel(geometry, x, dy, m):
    a, g, bt = _matrices_for(geometry, m)
    tiles, blocks = _tiles(x, geometry, m, bt), _blocks(dy, geometry, m, a.T)
    return _kernel_of(_products("tnc,tno->tco", tiles, blocks), geometry, g.T)


def _matrices_for(geometry, m):
    return matrices(m, geometry.kernel // geometry.stride)


MAPS = {"forward": _forward, "image": _image, "kernel": _kernel}
