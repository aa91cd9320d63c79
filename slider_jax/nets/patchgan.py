"""The critic of pix2pix, with a head that reads expressions (dossier 1.3)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from slider_jax.nets.layers import Convolution

STRIDES = (2, 2, 2, 1)


class PatchGan70(nn.Module):
    """Scores of overlapping patches of 70 x 70 pixels: 14 x 14 of them at 128 px.

    Without its norms, since the gradient penalty is a matter of one example. Expression
    parameters come from the mean of the last features over the picture.
    """

    parameters: int = 30
    width: int = 64
    bounded: bool = False  # parameters, by tanh
    initial: str = "normal"
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"]
    ) -> tuple[Float[Array, "b y x"], Float[Array, "b {self.parameters}"]]:
        kind = dict(use_bias=True, initial=self.initial, dtype=self.dtype)
        x = image
        for i, stride in enumerate(STRIDES):
            layer = Convolution(
                self.width << i, 4, stride, 1, **kind, name=f"layer_{i}"
            )
            x = nn.leaky_relu(layer(x), 0.2)
            self.sow("intermediates", f"features_{i}", x)
        score = Convolution(1, 4, 1, 1, **kind, name="score")(x)
        mean = x.mean(axis=(1, 2), keepdims=True)
        parameters = Convolution(self.parameters, 1, **kind, name="parameters")(mean)
        parameters = parameters[:, 0, 0].astype(jnp.float32)
        if self.bounded:
            parameters = jnp.tanh(parameters)
        return score[..., 0].astype(jnp.float32), parameters
