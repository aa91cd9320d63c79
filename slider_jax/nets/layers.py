"""The layers that our networks share, on the operations of `ops`.

Kernels are stored in float32 and used in the `dtype` of the layer. Both kinds of
convolution keep theirs as [k, k, image side, feature side], so PyTorch's weights of
either come by the same transposition.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from slider_jax import ops

# N(0, 0.02) is GANimation's; `torch` is U(±1/√fan_in), as StarGAN leaves it; `he` keeps
# what passes through a narrow critic alive, where the others let it fade.
INITS = {
    "he": nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
    "normal": nn.initializers.normal(0.02),
    "torch": nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
}


def _bias_init(init, fan_in):
    if init != "torch":
        return nn.initializers.zeros
    limit = fan_in**-0.5
    return lambda key, shape: jax.random.uniform(
        key, shape, minval=-limit, maxval=limit
    )


def without(
    rings: int, kernel: Float[Array, "k k i o"] | Float[np.ndarray, "k k i o"]
) -> Float[Array, "n n i o"] | Float[np.ndarray, "n n i o"]:
    """The inner taps."""
    inner = slice(rings, kernel.shape[0] - rings)
    return kernel[inner, inner]


class Convolution(nn.Module):
    """Zeros around the image; never reflected (dossier 0.3, rule 8).

    The kernel has no taps that meet nothing but those zeros: a critic's last layer is
    wider than its image, and of all it has most weights.
    """

    features: int
    kernel: int
    stride: int = 1
    padding: int = 0
    use_bias: bool = False
    initial: str = "normal"
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b y x o"]:
        shape = (self.kernel, self.kernel, x.shape[3], self.features)
        how = dict(stride=self.stride, padding=self.padding)
        rings = ops.unseen(x.shape[1:3], kernel=self.kernel, **how)
        how["padding"] -= rings

        def init(key):
            return without(rings, INITS[self.initial](key, shape))

        kernel = self.param("kernel", init).astype(self.dtype)
        x = ops.convolution(x.astype(self.dtype), kernel, **how)
        if self.use_bias:
            fan_in = shape[0] * shape[1] * shape[2]
            bias = self.param("bias", _bias_init(self.initial, fan_in), shape[3:])
            x = x + bias.astype(self.dtype)[None, None, None]
        return x


class ConditionedConvolution(nn.Module):
    """`Convolution` of the image with the condition tiled behind its channels."""

    features: int
    kernel: int
    padding: int
    initial: str = "normal"
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w i"], condition: Float[Array, "b n"]
    ) -> Float[Array, "b y x o"]:
        channels = x.shape[3]
        shape = (self.kernel, self.kernel, channels + condition.shape[1], self.features)
        kernel = self.param("kernel", INITS[self.initial], shape).astype(self.dtype)
        x, condition = x.astype(self.dtype), condition.astype(self.dtype)
        return ops.convolution(
            x, kernel[:, :, :channels], stride=1, padding=self.padding
        ) + ops.condition_convolution(
            condition, kernel[:, :, channels:], size=x.shape[1:3], padding=self.padding
        )


class TransposedConvolution(nn.Module):
    """Twice the size: kernel 4, stride 2, padding 1."""

    features: int
    initial: str = "normal"
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b 2*h 2*w o"]:
        shape = (4, 4, self.features, x.shape[3])
        kernel = self.param("kernel", INITS[self.initial], shape).astype(self.dtype)
        x = x.astype(self.dtype)
        return ops.transposed_convolution(x, kernel, stride=2, padding=1)


class InstanceNorm(nn.Module):
    """With a learned scale and offset, and no running statistics."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        shape = x.shape[3:]
        scale = self.param("scale", nn.initializers.ones, shape, jnp.float32)
        offset = self.param("offset", nn.initializers.zeros, shape, jnp.float32)
        return ops.instance_norm(x, scale, offset)
