"""What ImageNet's classifiers see: VGG16 and AlexNet up to their last map, and LPIPS.

Functions of weights: {"layers": [{"kernel", "bias"}], "heads": [one vector a map]}.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from slider_jax.ops import convolution

Weights = dict[str, Any]
Images = Float[Array, "b h w 3"]

# Mean and spread of ImageNet's pictures, RGB in [-1, 1], as LPIPS rounds them.
MEAN, STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
TINY = 1e-10


class Layer(NamedTuple):
    """A convolution and a ReLU; how many features, the weights say."""

    size: int = 3
    stride: int = 1
    padding: int = 1
    pool: int = 0  # the side of the largest-of that comes first, in steps of two
    tap: bool = True  # whether LPIPS looks at it


NETS = {
    "vgg16": tuple(
        Layer(pool=2 if stage and not i else 0, tap=i == count - 1)
        for stage, count in enumerate((2, 2, 3, 3, 3))
        for i in range(count)
    ),
    "alexnet": (
        Layer(size=11, stride=4, padding=2),
        Layer(size=5, padding=2, pool=3),
        Layer(pool=3),
        Layer(),
        Layer(),
    ),
}


def maps(net: str, weights: Weights, images: Images) -> list[Float[Array, "b _ _ _"]]:
    """The maps that LPIPS looks at, of images in [-1, 1]; `relu5_3` is VGG16's last."""
    x = (images - _wide(MEAN)) / _wide(STD)
    found = []
    for layer, w in zip(NETS[net], weights["layers"], strict=True):
        if layer.pool:
            x = nn.max_pool(x, (layer.pool, layer.pool), (2, 2))
        x = convolution(x, w["kernel"], stride=layer.stride, padding=layer.padding)
        x = nn.relu(x + _wide(w["bias"]))
        if layer.tap:
            found.append(x)
    return found


def features(net: str, weights: Weights, images: Images) -> Float[Array, "b d"]:
    """For FID and KID: the mean of the last map, at the size the pictures have."""
    return maps(net, weights, images)[-1].mean(axis=(1, 2))


def lpips(net: str, weights: Weights, a: Images, b: Images) -> Float[Array, "b"]:
    """Σ over maps of the mean of w · (â - b̂)², of directions (Zhang 2018)."""
    distance = 0.0
    pairs = zip(maps(net, weights, a), maps(net, weights, b), strict=True)
    for (one, other), head in zip(pairs, weights["heads"], strict=True):
        squares = jnp.square(_direction(one) - _direction(other))
        distance += (squares * _wide(head)).sum(axis=3).mean(axis=(1, 2))
    return distance


def _direction(x):
    # Not √(Σ + tiny): a pixel that sees nothing must be nothing, as in the original.
    return x / (jnp.sqrt(jnp.square(x).sum(axis=3, keepdims=True)) + TINY)


_wide = lambda values: jnp.asarray(values, jnp.float32)[None, None, None]
