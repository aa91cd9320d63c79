"""MobileNet (Howard 2017) as a function of its weights, as `faceres` uses it.

14 convolutions and 13 of single channels between them; 224 x 224 faces to 1024 numbers.
Its normalisations are folded into kernels, scales and shifts.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Weights = dict[str, Any]

SIZE, BLOCKS = 224, 13
HALVES = (1, 3, 5, 11)  # blocks, from 0
MEAN = (91.4953, 103.8827, 131.0912)  # BGR, in 0..255


def describe(weights: Weights, faces: Float[Array, "b h h 3"]) -> Float[Array, "b d"]:
    """The mean of the last map, for faces in [-1, 1]; compare by cosine."""
    x = (faces[..., ::-1] + 1) * 127.5 - jnp.array(MEAN)[None, None, None]
    x = _relu6(_convolution(x, weights["kernel"], 2) + _wide(weights["shift"]))
    for i, block in enumerate(weights["blocks"]):
        x = _convolution(x, block["each"], 2 if i in HALVES else 1, x.shape[-1])
        x = _relu6(x * _wide(block["scale"]) + _wide(block["each_shift"]))
        x = _relu6(_convolution(x, block["all"], 1) + _wide(block["all_shift"]))
    return x.mean(axis=(1, 2))


def _convolution(x, kernel, stride, groups=1):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
        precision="highest",
    )


_relu6 = lambda x: jnp.clip(x, 0, 6)
_wide = lambda x: x[None, None, None]
