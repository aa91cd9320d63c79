"""Who is in the picture: IResNet (ArcFace), and how any face recogniser is asked.

A recogniser sees the face where it saw faces while it learnt. Our pictures are aligned
(face/landmarks.py), so the way there is one fixed scaling and shift: two matrices.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

from slider_jax.ops import convolution

TINY = 1e-12
# Residual blocks of the four stages; the name is the count of weighted layers.
BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}


@dataclasses.dataclass(frozen=True)
class Crop:
    """A recogniser's picture, cut out of ours: crop = scale * ours + (x, y).

    Ours is in picture widths from the top left, the crop in its own pixels.
    """

    size: int
    scale: float
    x: float
    y: float


@dataclasses.dataclass(frozen=True)
class Template:
    """Where some of iBUG's 68 points lie in a recogniser's picture.

    Pixels count from the centre of the first one; a group of points stands for its
    mean.
    """

    size: int
    groups: tuple[tuple[int, ...], ...]
    points: tuple[tuple[float, float], ...]


# Eyes, tip of the nose, corners of the mouth (dossier 1.9).
ARCFACE = Template(
    112,
    (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,)),
    (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ),
)


def fixed_crop(template: Template, points: Float[np.ndarray, "68 2"]) -> Crop:
    """The best crop for faces whose landmarks lie at `points`, in picture widths.

    Least squares from the template to our picture, as dlib does it, but upright: both
    templates are within 0.4 degrees of it, and without a rotation rows and columns can
    be read one after the other.
    """
    ours = np.stack([points[list(group)].mean(axis=0) for group in template.groups])
    theirs = np.array(template.points) + 0.5  # from the corner, as ours
    here, there = ours.mean(axis=0), theirs.mean(axis=0)
    scale = np.sum((theirs - there) ** 2) / np.sum((ours - here) * (theirs - there))
    x, y = there - scale * here
    return Crop(template.size, float(scale), float(x), float(y))


def warp_crop(
    images: Float[Array, "b h h c"], crop: Crop
) -> Float[Array, "b size size c"]:
    """The crop, bilinear; smoothed where it shrinks, and edges go on outside."""
    n = images.shape[1]
    rows = _resampling(n, crop.size, crop.scale, crop.y)
    columns = _resampling(n, crop.size, crop.scale, crop.x)
    # In full precision: a face is recognised by small differences.
    return jnp.einsum(
        "yh,xw,bhwc->byxc", rows, columns, images, precision="highest"
    ).astype(images.dtype)


def _resampling(
    n: int, size: int, scale: float, shift: float
) -> Float[np.ndarray, "size n"]:
    """Weights of n pixels in each of `size`; each row sums to one."""
    centre = (np.arange(size) + 0.5 - shift) / scale * n - 0.5
    distance = np.abs(centre.clip(0, n - 1)[:, None] - np.arange(n)[None])
    weight = np.maximum(0, 1 - distance / max(1.0, n / scale))
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


@struct.dataclass
class Recogniser:
    """A frozen network F: `recogniser(images)` for aligned images in [-1, 1].

    A pytree of its weights, so that it can be one more entry of a system's parameters.
    `embed(weights, crops)` is the network itself.
    """

    weights: Any
    crop: Crop = struct.field(pytree_node=False)
    embed: Callable[[Any, Array], Array] = struct.field(pytree_node=False)

    def __call__(self, images: Float[Array, "b h h 3"]) -> Float[Array, "b d"]:
        """Embeddings of length one: a dot product is a cosine."""
        weights = jax.tree.map(jnp.asarray, self.weights)
        return unit(self.embed(weights, warp_crop(images, self.crop)))


def unit(x: Float[Array, "b d"]) -> Float[Array, "b d"]:
    """Of length one."""
    # √ has an infinite slope at zero.
    return x / jnp.sqrt(jnp.square(x).sum(axis=1, keepdims=True) + TINY)


class Conv(nn.Module):
    """Without bias; zeros around the image."""

    features: int
    size: int = 3
    stride: int = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b y x o"]:
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.1), shape)
        return convolution(x, kernel, stride=self.stride, padding=self.size // 2)


class Affine(nn.Module):
    """Batch normalisation of a network that no longer learns: scale * x + bias."""

    @nn.compact
    def __call__(self, x: Float[Array, "b *hw c"]) -> Float[Array, "b *hw c"]:
        shape = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        return x * _as_wide(scale, x) + _as_wide(bias, x)


class PReLU(nn.Module):
    """One slope for every channel."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        slope = self.param("slope", nn.initializers.constant(0.25), x.shape[-1:])
        return jnp.where(x > 0, x, _as_wide(slope, x) * x)


def _as_wide(vector, x):
    """With as many axes as x: broadcasting is meant here."""
    return vector.reshape((1,) * (x.ndim - 1) + (-1,))


class Block(nn.Module):
    """Norm first; the way around is a convolution where the shape changes."""

    features: int
    stride: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b y x o"]:
        y = Conv(self.features, name="conv1")(Affine(name="bn1")(x))
        y = PReLU(name="prelu")(Affine(name="bn2")(y))
        y = Conv(self.features, stride=self.stride, name="conv2")(y)
        y = Affine(name="bn3")(y)
        if self.stride != 1 or x.shape[-1] != self.features:
            x = Conv(self.features, 1, self.stride, name="around_conv")(x)
            x = Affine(name="around_bn")(x)
        return x + y


class IResNet(nn.Module):
    """ArcFace's network as InsightFace builds it, for 112 x 112 faces in [-1, 1]."""

    blocks: tuple[int, ...] = BLOCKS[50]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    features: int = 512

    @nn.compact
    def __call__(self, x: Float[Array, "b h h 3"]) -> Float[Array, "b d"]:
        x = Conv(self.widths[0], name="conv1")(x)
        x = PReLU(name="prelu")(Affine(name="bn1")(x))
        stages = zip(self.blocks, self.widths, strict=True)
        for stage, (count, width) in enumerate(stages, start=1):
            for i in range(count):
                name = f"layer{stage}_{i}"
                x = Block(width, stride=1 if i else 2, name=name)(x)
        x = Affine(name="bn2")(x)
        x = nn.Dense(self.features, name="fc")(x.reshape(x.shape[0], -1))
        return Affine(name="features")(x)
