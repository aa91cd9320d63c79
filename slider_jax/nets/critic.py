"""The critic of StarGAN, GANimation and SliderGAN (dossier 1.3)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from slider_jax import ops
from slider_jax.nets.layers import Convolution


class Critic(nn.Module):
    """How real each patch looks, and which parameters the face wears.

    Every layer halves the image (after `fold`, see nets/generator.py) and doubles the
    channels; the last feature map, `size / fold / 2**depth` wide, feeds both heads. No
    norm: the gradient penalty is a matter of one example. Scores are unbounded,
    parameters too unless `bounded`; both are float32 whatever `dtype`. Who asks for
    "intermediates" gets the features of every layer.
    """

    parameters: int = 30
    width: int = 64
    depth: int = 6
    size: int = 128
    fold: int = 1
    bounded: bool = False  # parameters, by tanh
    initial: str = "normal"
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, image: Float[Array, "b {self.size} {self.size} 3"]
    ) -> tuple[Float[Array, "b y x"], Float[Array, "b {self.parameters}"]]:
        kind = dict(initial=self.initial, dtype=self.dtype)
        x = ops.fold(image, self.fold)
        for i in range(self.depth):
            layer = Convolution(
                self.width << i, 4, 2, 1, use_bias=True, **kind, name=f"down_{i}"
            )
            x = nn.leaky_relu(layer(x))
            self.sow("intermediates", f"features_{i}", x)
        score = Convolution(1, 3, 1, 1, **kind, name="score")(x)
        whole = self.size // self.fold >> self.depth
        parameters = Convolution(self.parameters, whole, **kind, name="parameters")(x)
        parameters = parameters[:, 0, 0].astype(jnp.float32)
        if self.bounded:
            parameters = jnp.tanh(parameters)
        return score[..., 0].astype(jnp.float32), parameters
