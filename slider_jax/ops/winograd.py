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

from slider_jax.ops.fold import fold, unfold

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


def _tiles(x, m, r, transform):
    """Overlapping tiles, transformed: [b, h, w, c] -> t times [t, b y x, c]."""
    b, h, w, c = x.shape
    y, z = (-(-(n - r + 1) // m) for n in (h, w))
    x = jnp.pad(x, ((0, 0), (0, y * m + r - 1 - h), (0, z * m + r - 1 - w), (0, 0)))
    t = m + r - 1

    def windows(x, axis):
        reach = x.shape[axis] - t + 1
        return [lax.slice_in_dim(x, i, i + reach, m, axis) for i in range(t)]

    rows = _both(transform, x, windows, 1, 2)
    return [row.reshape(t, b * y * z, c) for row in rows]


def _blocks(x, m, transform):
    """The same of separate tiles: [b, y m, x m, c] -> t times [t, b y x, c]."""
    b, h, w, c = x.shape
    y, z = -(-h // m), -(-w // m)
    x = jnp.pad(x, ((0, 0), (0, y * m - h), (0, z * m - w), (0, 0)))
    x = x.reshape(b, y, m, z, m, c)
    rows = _both(transform, x, _apart, 2, 4)
    return [row.reshape(-1, b * y * z, c) for row in rows]


def _kernels(kernel, transform):
    """[r, r, i, o] -> t times [t, i, o]."""
    return _both(transform, kernel, _apart, 0, 1)


def _apart(x, axis):
    return jnp.unstack(x, axis=axis)


def _correlate(x, kernel, m, turned=False):
    """Stride 1, no padding. The `turned` kernel is flipped, and maps o to i.

    Its transform comes from G reversed, since to move a large kernel is slow.
    """
    r, (b, h, w, _) = kernel.shape[0], x.shape
    a, g, bt = matrices(m, r)
    t = m + r - 1
    h, w = h - r + 1, w - r + 1
    y, z = -(-h // m), -(-w // m)
    kernels = _kernels(kernel, g[:, ::-1] if turned else g)
    sum_over = "tno,tco->tnc" if turned else "tnc,tco->tno"
    rows = [
        jnp.einsum(sum_over, *factors).reshape(t, b, y, z, -1)
        for factors in zip(_tiles(x, m, r, bt), kernels, strict=True)
    ]
    rows = jnp.stack(_contract(a, rows), 3)  # [t, b, y, m, x, o]
    columns = jnp.unstack(lax.optimization_barrier(rows))
    image = jnp.stack(_contract(a, columns), 4)  # [b, y, m, x, m, o]
    return image.reshape(b, y * m, z * m, -1)[:, :h, :w]


def _correlate_kernel(x, dy, r, m):
    """The gradient of `_correlate` to its kernel."""
    a, g, bt = matrices(m, r)
    rows = [
        jnp.einsum("tnc,tno->tco", *factors)
        for factors in zip(_tiles(x, m, r, bt), _blocks(dy, m, a.T), strict=True)
    ]
    rows = lax.optimization_barrier(jnp.stack(_contract(g.T, rows)))
    return jnp.stack(_contract(g.T, _apart(rows, 1)), 1)


def _fold_kernel(kernel):
    """[4, 4, i, o] -> [2, 2, 4i, o]."""
    i, o = kernel.shape[2:]
    kernel = kernel.reshape(2, 2, 2, 2, i, o).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(2, 2, 4 * i, o)


def _unfold_kernel(kernel):
    c, o = kernel.shape[2:]
    kernel = kernel.reshape(2, 2, 2, 2, c // 4, o).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(4, 4, c // 4, o)


def _pad(x, n):
    return jnp.pad(x, ((0, 0), (n, n), (n, n), (0, 0)))


def _forward(geometry, x, kernel, m):
    x = _pad(x, geometry.padding)
    if geometry.stride == 2:
        x, kernel = fold(x, 2), _fold_kernel(kernel)
    return _correlate(x, kernel, m)


def _image(geometry, dy, kernel, m):
    if geometry.stride == 1:
        around = geometry.kernel - 1 - geometry.padding
        return _correlate(_pad(dy, around), kernel, m, turned=True)
    padded = _correlate(_pad(dy, 1), _fold_kernel(kernel), m, turned=True)
    padded = unfold(padded, 2)
    p, (h, w) = geometry.padding, geometry.size
    return padded[:, p : p + h, p : p + w]


def _kernel(geometry, x, dy, m):
    x = _pad(x, geometry.padding)
    if geometry.stride == 2:
        return _unfold_kernel(_correlate_kernel(fold(x, 2), dy, 2, m))
    return _correlate_kernel(x, dy, geometry.kernel, m)


MAPS = {"forward": _forward, "image": _image, "kernel": _kernel}
