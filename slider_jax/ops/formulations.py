"""The three maps of a convolution, each in several ways.

Every function takes (geometry, left, right), as `convolution.py` says:
`forward` (x, kernel), `image` (dy, kernel), `kernel` (x, dy).
"""

import jax
import jax.numpy as jnp
from jax import lax

from slider_jax.ops import winograd

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_FEW = 64  # pixels, beside the thousands of a kernel's taps and channels


def _convolve(x, kernel, stride, padding):
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), [(padding, padding)] * 2, dimension_numbers=_LAYOUT
    )


# ------------------------------------------------------------ what XLA has


def _lax_forward(geometry, x, kernel):
    return _convolve(x, kernel, geometry.stride, geometry.padding)


def _lax_image(geometry, dy, kernel):
    shape = (dy.shape[0], *geometry.size, kernel.shape[2])
    x = jax.ShapeDtypeStruct(shape, dy.dtype)
    return jax.linear_transpose(lambda x: _lax_forward(geometry, x, kernel), x)(dy)[0]


def _lax_kernel(geometry, x, dy):
    shape = (geometry.kernel, geometry.kernel, x.shape[3], dy.shape[3])
    kernel = jax.ShapeDtypeStruct(shape, dy.dtype)
    return jax.linear_transpose(lambda k: _lax_forward(geometry, x, k), kernel)(dy)[0]


def _swap_kernel(geometry, x, dy):
    """Stride 1: dy is the image and x the kernel, so x's channels are the outputs."""
    flipped = _convolve(
        dy.transpose(3, 1, 2, 0),
        x.transpose(1, 2, 0, 3),
        1,
        geometry.kernel - 1 - geometry.padding,
    )
    return jnp.flip(flipped, (1, 2)).transpose(1, 2, 3, 0)


def _rows_forward(geometry, x, kernel):
    """Few channels: the taps of a row become channels, and the kernel one column."""
    k, _, channels, features = kernel.shape
    p, s, (_, w) = geometry.padding, geometry.stride, geometry.output
    x = jnp.pad(x, ((0, 0), (0, 0), (p, p), (0, 0)))
    taps = [lax.slice_in_dim(x, j, j + (w - 1) * s + 1, s, 2) for j in range(k)]
    return lax.conv_general_dilated(
        lax.optimization_barrier(jnp.concatenate(taps, 3)),
        kernel.reshape(k, 1, k * channels, features),
        (s, 1),
        [(p, p), (0, 0)],
        dimension_numbers=_LAYOUT,
    )


# ------------------------------------------------------------ one matrix product


def _taps(geometry, x, axis):
    """The image as each live tap sees it. Rows and columns are `axis`, `axis + 1`."""
    live, s = geometry.live, geometry.stride
    edges = [(0, 0, 0)] * x.ndim
    for i, (n, outputs, (first, last)) in enumerate(
        zip(geometry.size, geometry.output, live, strict=True)
    ):
        before, reach = geometry.padding - first, (outputs - 1) * s + last - first
        edges[axis + i] = (before, reach - before - n, 0)
    # The barrier, or every tap would pad (and transpose) the image again.
    x = lax.optimization_barrier(lax.pad(x, jnp.zeros((), x.dtype), edges))
    h, w = geometry.output
    (top, bottom), (left, right) = live
    for i in range(bottom - top):
        rows = lax.slice_in_dim(x, i, i + (h - 1) * s + 1, s, axis)
        for j in range(right - left):
            yield lax.slice_in_dim(rows, j, j + (w - 1) * s + 1, s, axis + 1)


def _trim(geometry, kernel):
    (top, bottom), (left, right) = geometry.live
    return kernel[top:bottom, left:right]


def _product_forward(geometry, x, kernel):
    patches = jnp.concatenate(list(_taps(geometry, x, 1)), axis=-1)
    *shape, depth = patches.shape
    patches = patches.reshape(-1, depth)
    kernel = _trim(geometry, kernel).reshape(depth, -1)
    if len(patches) > _FEW:
        y = patches @ kernel
    else:
        # As columns, which XLA leaves to Eigen: up to twice as fast as its fast path.
        columns = lax.optimization_barrier(patches.T)
        y = jnp.einsum("kn,ko->no", columns, kernel)
    return y.reshape(*shape, -1)


def _product_kernel(geometry, x, dy):
    channels, features = x.shape[3], dy.shape[3]
    taps = _taps(geometry, x.transpose(3, 0, 1, 2), 2)
    patches = jnp.stack([tap.reshape(channels, -1) for tap in taps])
    (top, bottom), (left, right) = geometry.live
    k = geometry.kernel
    trimmed = (
        patches.reshape(-1, patches.shape[2]) @ dy.reshape(-1, features)
    ).reshape(bottom - top, right - left, channels, features)
    edges = ((top, k - bottom), (left, k - right), (0, 0), (0, 0))
    return jnp.pad(trimmed, edges)


def _product_image(geometry, dy, kernel):
    """One product, then each pixel adds what its taps say.

    The pixels of one remainder by the stride hear the same taps, so every sum runs over
    whole blocks, without zeros in between.
    """
    kernel = _trim(geometry, kernel)
    *taps_and_channels, o = kernel.shape
    # Two matrices, or XLA would transpose the kernel in memory. A few pixels go as
    # columns, as in `_product_forward`.
    pixels, taps = dy.reshape(-1, o), kernel.reshape(-1, o)
    if len(pixels) > _FEW:
        parts = jnp.einsum("no,to->nt", pixels, taps)
    else:
        parts = lax.optimization_barrier(jnp.einsum("to,no->tn", taps, pixels)).T
    parts = parts.reshape(*dy.shape[:3], *taps_and_channels)
    s = geometry.stride
    # How many pixels of each remainder, rounded up to whole strides.
    blocks = [-(-n // s) for n in geometry.size]

    def hear(axis, remainder):
        """(tap, zeros before, zeros after) that a remainder's pixels hear."""
        first, last = geometry.live[axis]
        for tap in range(last - first):
            shift, rest = divmod(remainder + geometry.padding - first - tap, s)
            if not rest:
                after = blocks[axis] + shift - geometry.output[axis]
                yield tap, -shift, after

    def sums(row, column):
        total = jnp.zeros((dy.shape[0], *blocks, kernel.shape[2]), dy.dtype)
        for i, *rows in hear(0, row):
            for j, *columns in hear(1, column):
                edges = [(0, 0, 0), (*rows, 0), (*columns, 0), (0, 0, 0)]
                zero = jnp.zeros((), dy.dtype)
                total += lax.pad(parts[:, :, :, i, j], zero, edges)
        return total

    grid = [jnp.stack([sums(r, c) for c in range(s)], axis=3) for r in range(s)]
    grid = jnp.stack(grid, axis=2)  # [b, block, row, block, column, i]
    h, w = geometry.size
    image = grid.reshape(dy.shape[0], blocks[0] * s, blocks[1] * s, kernel.shape[2])
    return image[:, :h, :w]


# ------------------------------------------------------------ all of them


def _winograd(tile):
    return {
        name: lambda geometry, left, right, function=function: function(
            geometry, left, right, tile
        )
        for name, function in winograd.MAPS.items()
    }


LAX = {"forward": _lax_forward, "image": _lax_image, "kernel": _lax_kernel}
ALL = {
    "lax": LAX,
    "product": {
        "forward": _product_forward,
        "image": _product_image,
        "kernel": _product_kernel,
    },
    "rows": {"forward": _rows_forward},
    "swap": {"kernel": _swap_kernel},
    "winograd2": _winograd(2),
    "winograd4": _winograd(4),
}
