"""Inception v3 (Szegedy 2016), as FID was defined with it: a function of its weights.

94 convolutions, each with its normalisation folded in; 299 x 299 to 2048 numbers. The
network of FID is TensorFlow's: its means leave zeros at the edge out, and its last
block takes the largest instead (Heusel 2017; names are those of torchvision).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Weights = dict[str, Any]  # name -> {"kernel", "scale", "shift"}

SIZE = 299
# The branches of each kind of block: how names of their convolutions end.
CHAINS = {
    "A": (("1x1",), ("5x5_1", "5x5_2"), ("3x3dbl_1", "3x3dbl_2", "3x3dbl_3")),
    "B": (("3x3",), ("3x3dbl_1", "3x3dbl_2", "3x3dbl_3")),
    "C": (
        ("1x1",),
        ("7x7_1", "7x7_2", "7x7_3"),
        ("7x7dbl_1", "7x7dbl_2", "7x7dbl_3", "7x7dbl_4", "7x7dbl_5"),
    ),
    "D": (("3x3_1", "3x3_2"), ("7x7x3_1", "7x7x3_2", "7x7x3_3", "7x7x3_4")),
    # The last two stand side by side.
    "E": (("1x1",), ("3x3_1", "3x3_2a|b"), ("3x3dbl_1", "3x3dbl_2", "3x3dbl_3a|b")),
}
BLOCKS = dict(
    zip("5b 5c 5d 6a 6b 6c 6d 6e 7a 7b 7c".split(), "AAABCCCCDEE", strict=True)
)
HALVING = "BD"  # in their last convolutions, without zeros around


def describe(weights: Weights, images: Float[Array, "b h w 3"]) -> Float[Array, "b d"]:
    """FID's features of images in [-1, 1], enlarged to 299 pixels, bilinear."""
    b, _, _, c = images.shape
    x = jax.image.resize(images, (b, SIZE, SIZE, c), "linear", antialias=False)
    x = _convolution(weights["Conv2d_1a_3x3"], x, stride=2)
    x = _convolution(weights["Conv2d_2a_3x3"], x, padding="VALID")
    x = _largest(_convolution(weights["Conv2d_2b_3x3"], x))
    x = _convolution(weights["Conv2d_3b_1x1"], x)
    x = _largest(_convolution(weights["Conv2d_4a_3x3"], x, padding="VALID"))
    for name, kind in BLOCKS.items():
        x = _block(weights, name, kind, x)
    return x.mean(axis=(1, 2))


def _block(weights, name, kind, x):
    layer = lambda end: weights[f"Mixed_{name}.branch{end}"]
    branches = []
    for *chain, last in CHAINS[kind]:
        y = x
        for end in chain:
            y = _convolution(layer(end), y)
        if kind in HALVING:
            branches.append(_convolution(layer(last), y, stride=2))
        else:
            ends = [last[:-2], last[:-3] + "b"] if "|" in last else [last]
            branches += [_convolution(layer(end), y) for end in ends]
    if kind in HALVING:
        branches.append(_largest(x))
    else:
        around = _largest(x, 1) if name == "7c" else _mean(x)
        branches.append(_convolution(layer("_pool"), around))
    return jnp.concatenate(branches, axis=3)


def _convolution(layer, x, *, stride=1, padding="SAME"):
    y = jax.lax.conv_general_dilated(
        x,
        layer["kernel"],
        (stride, stride),
        "VALID" if stride == 2 else padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )
    return nn.relu(y * _wide(layer["scale"]) + _wide(layer["shift"]))


def _largest(x, stride=2):
    padding = "VALID" if stride == 2 else "SAME"
    return nn.max_pool(x, (3, 3), (stride, stride), padding)


def _mean(x):
    return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)


_wide = lambda values: values[None, None, None]
