"""StarGAN (Choi et al., CVPR 2018): one generator for every class of face."""

import dataclasses

import jax
import jax.numpy as jnp

from slider_jax import losses
from slider_jax.nets.critic import Critic
from slider_jax.nets.generator import Generator


@dataclasses.dataclass(frozen=True)
class System:
    """Conditions are one-hot. Paints all of the picture, and looks at no ground truth.

    A target is the class of a random face; in the authors' code it is that of another
    face of the batch.
    """

    parameters: int = 7  # classes
    size: int = 128  # of an image, pixels
    width: int = 64  # channels of the first layer, generator and critic
    blocks: int = 6
    depth: int = 6  # of the critic
    distance: str = "absolute"  # between pictures, of losses.DISTANCES
    mapped: bool = False  # see nets/generator.py; all four are for short runs
    added: bool = False
    warped: bool = False
    fold: int = 1
    tint: float = 1.0  # of colours, where nothing covers a warped photo
    initial: str = "torch"  # as PyTorch leaves it
    dtype: str = "float32"  # of the generator; the critic's penalty needs float32

    def __post_init__(self):
        if self.distance not in losses.DISTANCES:
            choices = [*losses.DISTANCES]
            raise ValueError(
                f"model.distance is {self.distance!r}; choose from {choices}."
            )

    @property
    def generator(self):
        return Generator(
            self.parameters,
            width=self.width,
            blocks=self.blocks,
            masked=False,
            mapped=self.mapped,
            added=self.added,
            warped=self.warped,
            fold=self.fold,
            tint=self.tint,
            initial=self.initial,
            dtype=self.dtype,
        )

    @property
    def critic(self):
        kind = dict(width=self.width, depth=self.depth, initial=self.initial)
        return Critic(self.parameters, size=self.size, fold=self.fold, **kind)

    def init(self, key, batch):
        generator_key, critic_key = jax.random.split(key)
        return {
            "generator": self.generator.init(
                generator_key, batch.image, batch.expression
            ),
            "critic": self.critic.init(critic_key, batch.image),
        }

    def edit(self, generator, image, expression):
        return self.paint(generator, image, expression)[0]

    def paint(self, generator, image, expression):
        """All is new: the mask is 1."""
        colour, mask, flow, _ = self.generator.apply(generator, image, expression)
        return colour, mask, flow

    def critic_losses(self, params, batch, keys, batch_mean):
        """Eq. 5, with the penalty of eq. 8 apart."""
        score = lambda image: self.critic.apply(params["critic"], image)[0]
        fake = self.edit(params["generator"], batch.image, batch.target_expression)
        # One pass over real and fake together: the critic mixes no examples.
        both = jnp.concatenate([batch.image, fake])
        scores, logits = self.critic.apply(params["critic"], both)
        real_score, fake_score = jnp.split(scores, 2)
        between = losses.interpolates(batch.image, fake, keys)
        return {
            "adversarial": losses.wgan_critic(real_score, fake_score, batch_mean),
            "gradient_penalty": losses.gradient_penalty(score, between),
            "classification": losses.classification_error(
                jnp.split(logits, 2)[0], batch.expression
            ),
        }

    def reading_losses(self, params, batch, keys, batch_mean):
        """Of a critic that learns nothing but to read."""
        _, read = self.critic.apply(params["critic"], batch.image)
        return {"classification": losses.classification_error(read, batch.expression)}

    def generator_losses(self, params, batch, keys, batch_mean):
        """Eq. 6."""
        fake = self.edit(params["generator"], batch.image, batch.target_expression)
        back = self.edit(params["generator"], fake, batch.expression)
        score, logits = self.critic.apply(params["critic"], fake)
        wanted = batch.target_expression
        return {
            "adversarial": losses.wgan_generator(score, score, batch_mean),
            "classification": losses.classification_error(logits, wanted),
            "reconstruction": losses.DISTANCES[self.distance](back, batch.image),
        }
