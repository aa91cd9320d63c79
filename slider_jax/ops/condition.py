"""A condition that is the same at every pixel, through a zero-padded convolution."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def condition_convolution(
    condition: Float[Array, "b n"],
    kernel: Float[Array, "k k n o"],
    *,
    size: tuple[int, int],
    padding: int,
) -> Float[Array, "b y x o"]:
    """`convolution` of the condition tiled over an image of `size`, at stride 1.

    Exactly: far from the border a tiled channel adds one number per output, near it the
    taps outside fall away. A plain bias would forget them, and with them all that the
    instance norm lets through (dossier 0.3, rule 8).
    """
    taps = jnp.einsum("bn,ijno->bijo", condition, kernel)
    for axis, n in zip((1, 2), size, strict=True):
        taps = _spread(taps, axis, _inside(n, kernel.shape[0], padding))
    return taps


def _inside(size, kernel, padding):
    """[output, tap]: 1 where the tap falls on the image, 0 where on the padding."""
    outputs = np.arange(size + 2 * padding - kernel + 1)[:, None]
    position = outputs + np.arange(kernel)[None] - padding
    return (position >= 0) & (position < size)


def _spread(taps, axis, inside):
    """What every output of an axis sums. All that are far from the border do alike."""
    new = np.diff(inside, axis=0).any(axis=1)
    first = np.flatnonzero(np.concatenate([[True], new]))
    sums = jnp.tensordot(inside[first].astype(taps.dtype), taps, (1, axis))
    runs = zip(sums, np.diff(first, append=len(inside)).tolist(), strict=True)
    return jnp.concatenate(
        [jnp.repeat(jnp.expand_dims(one, axis), n, axis) for one, n in runs], axis
    )
