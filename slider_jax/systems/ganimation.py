"""GANimation (Pumarola et al., ECCV 2018): action units, and a mask that keeps."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from slider_jax import losses
from slider_jax.nets.critic import Critic
from slider_jax.nets.generator import Generator, compose, drawn, finish

# The size of a mask, and the power of the steps in it: eq. 2, and what the code has.
MASKS = {
    "code": (lambda mask: mask.mean(axis=(1, 2, 3)), 1),
    "paper": (losses.mask_norm, 2),
}


@dataclasses.dataclass(frozen=True)
class System:
    """Knows nothing of ground truth: `target` and `paired` are not looked at.

    The mask A of the paper is 1 where the photo *stays*, so a small A is much paint:
    `kept` pulls at the generator the other way than SliderGAN's `attention` does.

    Two things differ from the authors' code. There the critic takes two steps of Adam,
    for its losses and then for the penalty; here one, for their sum. And there is no
    option that sharpens the mask, which is off there too.
    """

    parameters: int = 17  # of a condition; 30 for components
    size: int = 128  # of an image, pixels
    width: int = 64  # channels of the first layer, generator and critic
    blocks: int = 6
    depth: int = 6  # of the critic
    mask: str = "code"  # of MASKS
    distance: str = "absolute"  # between pictures, of losses.DISTANCES
    mapped: bool = False  # see nets/generator.py; all four are for short runs
    added: bool = False
    warped: bool = False
    fold: int = 1
    tint: float = 1.0  # of colours, where nothing covers a warped photo
    initial: str = "normal"  # N(0, 0.02)
    dtype: str = "float32"  # of the generator; the critic's penalty needs float32

    def __post_init__(self):
        for name, choices in (("mask", MASKS), ("distance", losses.DISTANCES)):
            if (value := getattr(self, name)) not in choices:
                raise ValueError(
                    f"model.{name} is {value!r}; choose from {[*choices]}."
                )

    @property
    def generator(self):
        return Generator(
            self.parameters,
            width=self.width,
            blocks=self.blocks,
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
        painting = self.generator.apply(generator, image, expression)
        return finish(image, painting, warped=self.warped)

    def critic_losses(self, params, batch, keys, batch_mean):
        """Eqs. 1 and 3: who is real, and which condition it wears."""
        score = lambda image: self.critic.apply(params["critic"], image)[0]
        fake = self.edit(params["generator"], batch.image, batch.target_expression)
        # One pass over real and fake together: the critic mixes no examples.
        both = jnp.concatenate([batch.image, fake])
        scores, expressions = self.critic.apply(params["critic"], both)
        real_score, fake_score = jnp.split(scores, 2)
        between = losses.interpolates(batch.image, fake, keys)
        return {
            "adversarial": losses.wgan_critic(real_score, fake_score, batch_mean),
            "gradient_penalty": losses.gradient_penalty(score, between),
            "expression": losses.expression_error(
                jnp.split(expressions, 2)[0], batch.expression
            ),
        }

    def reading_losses(self, params, batch, keys, batch_mean):
        """Of a critic that learns nothing but to read."""
        _, read = self.critic.apply(params["critic"], batch.image)
        return {"expression": losses.expression_error(read, batch.expression)}

    def generator_losses(self, params, batch, keys, batch_mean):
        """Eqs. 1 to 4; the mask counts in both passes, there and back."""
        paint = functools.partial(self.generator.apply, params["generator"])
        made = paint(batch.image, batch.target_expression)
        fake = compose(batch.image, made.colour, made.mask)
        unmade = paint(fake, batch.expression)
        back = compose(fake, unmade.colour, unmade.mask)
        new, back_new = drawn(made.mask), drawn(unmade.mask)
        score, expression = self.critic.apply(params["critic"], fake)
        extent, power = MASKS[self.mask]
        rough = lambda mask: losses.mask_roughness(mask, power)
        return {
            "adversarial": losses.wgan_generator(score, score, batch_mean),
            "expression": losses.expression_error(expression, batch.target_expression),
            "reconstruction": losses.DISTANCES[self.distance](back, batch.image),
            "kept": extent(1 - new) + extent(1 - back_new),
            "roughness": rough(new) + rough(back_new),
        }
