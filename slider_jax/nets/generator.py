"""The generator of StarGAN, GANimation and SliderGAN (dossier 1.2)."""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from slider_jax import ops
from slider_jax.nets.layers import (
    INITS,
    ConditionedConvolution,
    Convolution,
    InstanceNorm,
    TransposedConvolution,
)
from slider_jax.nets.warp import moved

# Where the mask is 1, SliderGAN (eq. 4) shows the drawn colour, GANimation the photo.
MASK_SHOWS_COLOUR = True

FARTHEST = 1 / 4  # of the picture: how far the photo moves; a jaw wide open takes .15
SHUT = 4  # a cover's distance from half open, at first


def compose(
    image: Float[Array, "b h w 3"],
    colour: Float[Array, "b h w 3"],
    mask: Float[Array, "b h w 1"],
) -> Float[Array, "b h w 3"]:
    """mask · colour + (1 - mask) · image (eq. 4)."""
    m = drawn(mask)
    return m * colour + (1 - m) * image


def drawn(mask: Float[Array, "b h w 1"]) -> Float[Array, "b h w 1"]:
    """How much of each pixel is new, whichever way the mask is."""
    return mask if MASK_SHOWS_COLOUR else 1 - mask


class Painting(NamedTuple):
    """What a generator makes of a photo; without `warped`, flow and cover are zero."""

    colour: Float[Array, "b h w 3"]
    mask: Float[Array, "b h w 1"]
    flow: Float[Array, "b h w 2"]
    cover: Float[Array, "b h w 1"]  # in [0, 1]: hides the moved photo


def touched(
    image: Float[Array, "b h w 3"],
    edited: Float[Array, "b h w 3"],
    flow: Float[Array, "b h w 2"],
) -> Float[Array, "b h w 1"]:
    """How much differs: 1 from a quarter of [-1, 1], or two pixels of flow, on.

    A mask says nothing where the colours are the photo's, and there it stays half open.
    """
    largest = lambda x: jnp.abs(x).max(axis=3, keepdims=True)
    change, way = largest(edited - image), largest(flow)
    return jnp.maximum(4 * change, image.shape[2] / 2 * way).clip(0, 1)


def finish(
    image: Float[Array, "b h w 3"], painting: Painting, *, warped: bool
) -> tuple[Float[Array, "b h w 3"], Float[Array, "b h w 1"], Float[Array, "b h w 2"]]:
    """What `System.paint` returns: the edit, how much of it is new, and the flow."""
    edited = compose(image, painting.colour, painting.mask)
    new = drawn(painting.mask)
    flow = new * painting.flow
    return edited, new * touched(image, edited, flow) if warped else new, flow


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions; nothing after the sum."""

    initial: str = "normal"
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        layer = dict(
            features=x.shape[3],
            kernel=3,
            padding=1,
            initial=self.initial,
            dtype=self.dtype,
        )
        y = Convolution(**layer, name="first")(x)
        y = nn.relu(InstanceNorm(name="first_norm")(y))
        y = Convolution(**layer, name="second")(y)
        return x + InstanceNorm(name="second_norm")(y)


class Heads(nn.Module):
    """Colour, mask and flow, without bias, as one convolution; float32 from here on.

    With `fold`, each feature gives a square of `fold` x `fold` pixels.

    What is `added` to a photo starts at almost nothing. So do the flow and the cover,
    which hides the moved photo where something else comes to light: the inside of a
    mouth is no tint of stretched lips. Where nothing is covered, `tint` of a colour is
    added to a moved photo: with all of it, teeth are lips plus cyan: blue on pale ones.
    """

    masked: bool = True
    added: bool = False
    warped: bool = False
    fold: int = 1
    tint: float = 1.0
    initial: str = "normal"
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b y x c"], image: Float[Array, "b h w 3"]
    ) -> Painting:
        names = {"colour": 3}
        names |= {"mask": 1} if self.masked else {}
        names |= {"flow": 2, "cover": 1} if self.warped else {}
        init = dict.fromkeys(names, INITS[self.initial])
        init |= dict.fromkeys(("flow", "cover"), nn.initializers.normal(0.002))
        if self.added or self.warped:
            init["colour"] = nn.initializers.normal(0.002)
        places = self.fold**2
        kernels = [
            self.param(name, init[name], (7, 7, x.shape[3], places * features))
            for name, features in names.items()
        ]
        kernel = joined(kernels, places).astype(self.dtype)
        x = ops.convolution(x, kernel, stride=1, padding=3).astype(jnp.float32)
        x = ops.unfold(x, self.fold)
        colour = jnp.tanh(x[..., :3])
        mask = nn.sigmoid(x[..., 3:4]) if self.masked else jnp.ones_like(x[..., :1])
        flow, cover = jnp.zeros_like(x[..., :2]), jnp.zeros_like(x[..., :1])
        if self.warped:
            flow = FARTHEST * jnp.tanh(x[..., -3:-1])
            cover = nn.sigmoid(x[..., -1:] - SHUT)
            colour = colour * (self.tint + (1 - self.tint) * cover)
            colour = (colour + (1 - cover) * moved(image, flow)).clip(-1, 1)
        elif self.added:
            colour = (colour + image).clip(-1, 1)
        return Painting(colour, mask, flow, cover)


def joined(
    kernels: list[Float[Array, "7 7 c _"]], places: int
) -> Float[Array, "7 7 c k"]:
    """As one, in which a place's outputs, of all kernels, stand together."""
    split = [k.reshape(*k.shape[:3], places, -1) for k in kernels]
    return jnp.concatenate(split, axis=4).reshape(*kernels[0].shape[:3], -1)


class ConditionMap(nn.Module):
    """A picture of features for every condition, added to `x` as the condition says.

    What the tiled condition tells the middle of a face comes in from the border, since
    the instance norm takes out the rest (dossier 0.3, rule 8), and that takes long to
    learn. Where faces are aligned, this says at once which parameter moves what.
    """

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], condition: Float[Array, "b n"]
    ) -> Float[Array, "b h w c"]:
        init = nn.initializers.normal(0.05)
        kernel = self.param("kernel", init, (condition.shape[1], *x.shape[1:]))
        # Adam's steps are of one size for all weights, and features are large.
        return x + 4 * jnp.einsum("bn,nhwc->bhwc", condition, kernel).astype(x.dtype)


class Generator(nn.Module):
    """Image in [-1, 1] and condition to colour in [-1, 1], mask in [0, 1], and flow.

    `width` is that of the first layer and doubles `down` times. The image's sides are
    multiples of fold · 2**down. Without `masked`, the mask is 1 everywhere (StarGAN).

    With `fold`, squares of `fold` x `fold` pixels go in and come out as one of more
    channels: a picture of twice the size at nearly the price of the small one.

    Three more departures learn in minutes instead of days, from few faces: `mapped`
    adds a ConditionMap to the coarsest features, `added` colours are added to the photo
    instead of drawn, and `warped` ones (`added` or not) to the photo moved by the flow:
    what a face keeps when it moves, from freckles to stubble, need not be drawn anew.
    """

    conditions: int = 30
    width: int = 64
    blocks: int = 6
    down: int = 2
    masked: bool = True
    mapped: bool = False
    added: bool = False
    warped: bool = False
    fold: int = 1
    tint: float = 1.0
    initial: str = "normal"
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self,
        image: Float[Array, "b h w 3"],
        condition: Float[Array, "b {self.conditions}"],
    ) -> Painting:
        kind = dict(initial=self.initial, dtype=self.dtype)
        enter = ConditionedConvolution(self.width, 7, 3, **kind, name="enter")
        x = enter(ops.fold(image, self.fold), condition)
        x = nn.relu(InstanceNorm(name="enter_norm")(x))
        for i in range(self.down):
            features = self.width << (i + 1)
            x = Convolution(features, 4, 2, 1, **kind, name=f"down_{i}")(x)
            x = nn.relu(InstanceNorm(name=f"down_{i}_norm")(x))
        if self.mapped:
            x = ConditionMap(name="map")(x, condition)
        for i in range(self.blocks):
            x = ResidualBlock(**kind, name=f"block_{i}")(x)
        for i in range(self.down):
            features = self.width << (self.down - i - 1)
            x = TransposedConvolution(features, **kind, name=f"up_{i}")(x)
            x = nn.relu(InstanceNorm(name=f"up_{i}_norm")(x))
        looks = (self.masked, self.added, self.warped, self.fold, self.tint)
        return Heads(*looks, **kind, name="heads")(x, image)
