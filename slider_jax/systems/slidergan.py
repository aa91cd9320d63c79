"""SliderGAN (Ververas & Zafeiriou, IJCV 2020): slide 3D blendshapes, edit a photo."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from slider_jax import losses
from slider_jax.nets.critic import Critic
from slider_jax.nets.generator import Generator, compose, finish
from slider_jax.nets.patchgan import PatchGan70
from slider_jax.nets.warp import moved

PENALTY_POINTS = ("interpolates", "fake", "real", "both")
PENALISED = ("scores", "sigma")
MEANS = {
    "all": lambda batch_mean: batch_mean,
    "position": losses.per_position,
    "device": lambda batch_mean: jnp.mean,
}
CRITICS = ("stargan", "patchgan70")


@dataclasses.dataclass(frozen=True)
class System:
    """SliderGAN-RaD; with `adversarial="wgan_gp"` it is SliderGAN-WGP.

    F, the frozen network that recognises people, is the entry "identity" of `params`;
    where there is none, there is no identity loss.
    """

    parameters: int = 30  # of an expression; 40 with speech
    size: int = 128  # of an image, pixels
    width: int = 64  # channels of the first layer, generator and critic
    blocks: int = 6
    depth: int = 6  # of the critic
    adversarial: str = "ra_expectation"  # of losses.ADVERSARIAL
    # All scores of the batch, those of one "position" of the map, or of one "device".
    relative_to: str = "all"
    penalty_at: str = "interpolates"  # of PENALTY_POINTS
    penalty_on: str = "scores"  # or "sigma" of them, as eq. 6 prints
    critic_kind: str = "stargan"  # or "patchgan70": neither depth nor fold
    bounded: bool = False  # the critic's expressions, by tanh
    mapped: bool = False  # see nets/generator.py; all four are for short runs
    added: bool = False
    warped: bool = False
    fold: int = 1
    tint: float = 1.0  # of colours, where nothing covers a warped photo
    distance: str = "absolute"  # between pictures, of losses.DISTANCES
    initial: str = "normal"  # GANimation's N(0, 0.02); "torch" suits narrow networks
    dtype: str = "float32"  # of the generator; the critic's penalty needs float32

    def __post_init__(self):
        _check("model.adversarial", self.adversarial, losses.ADVERSARIAL)
        _check("model.distance", self.distance, losses.DISTANCES)
        _check("model.relative_to", self.relative_to, MEANS)
        _check("model.penalty_at", self.penalty_at, PENALTY_POINTS)
        _check("model.penalty_on", self.penalty_on, PENALISED)
        _check("model.critic_kind", self.critic_kind, CRITICS)

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
        kind = dict(width=self.width, bounded=self.bounded, initial=self.initial)
        if self.critic_kind == "patchgan70":
            return PatchGan70(self.parameters, **kind)
        shape = dict(depth=self.depth, size=self.size, fold=self.fold)
        return Critic(self.parameters, **shape, **kind)

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
        """Eq. 14, term by term."""
        score = lambda image: self.critic.apply(params["critic"], image)[0]
        fake = self.edit(params["generator"], batch.image, batch.target_expression)
        # One pass over real and fake together: the critic mixes no examples.
        both = jnp.concatenate([batch.image, fake])
        scores, expressions = self.critic.apply(params["critic"], both)
        real_score, fake_score = jnp.split(scores, 2)
        adversarial, _ = losses.ADVERSARIAL[self.adversarial]
        mean = MEANS[self.relative_to](batch_mean)
        return {
            "adversarial": adversarial(real_score, fake_score, mean),
            "gradient_penalty": self._penalty(score, batch.image, fake, keys),
            "expression": losses.expression_error(
                jnp.split(expressions, 2)[0], batch.expression
            ),
            "score_gap": losses.score_gap(real_score, fake_score),
        }

    def reading_losses(self, params, batch, keys, batch_mean):
        """Of a critic that learns nothing but to read."""
        _, read = self.critic.apply(params["critic"], batch.image)
        return {"expression": losses.expression_error(read, batch.expression)}

    def generator_losses(self, params, batch, keys, batch_mean):
        """Eq. 13, term by term, and terms of our own: colour, moved, the mask's.

        Where the mask is shut, nothing teaches the colours below it, and bad colours
        keep it shut; `colour` asks them to be right everywhere (weight 0: the paper).
        `moved` asks the same of the photo that the flow moves, where no cover hides it.
        """
        return self._generator_losses(params, batch, batch_mean)[0]

    def painting_losses(self, params, batch, keys, batch_mean):
        """While the critic rests: `likeness` is what it sees in edit and truth.

        `cover` is whether the moved photo is hidden where it is wrong; `revealed`, how
        far the edit is from the truth where that shows what no photo has.
        """
        terms, fake, made, base = self._generator_losses(params, batch, batch_mean)
        faces = jnp.concatenate([fake, batch.target])
        _, seen = self.critic.apply(params["critic"], faces, mutable="intermediates")
        layers = [jnp.split(features, 2) for features in jax.tree.leaves(seen)]
        likeness = losses.feature_distance(layers, batch.paired)
        shown = losses.revealed(batch.image, base, batch.target)
        cover = losses.cover_error(made.cover, base, batch.target, shown)
        return terms | {
            "likeness": likeness,
            "cover": batch.paired * cover,
            "revealed": losses.paired_distance(
                jnp.where(shown, fake, batch.target), batch.target, batch.paired
            ),
            "edges": losses.paired_distance(
                fake, batch.target, batch.paired, losses.edge_distance
            ),
        }

    def _generator_losses(self, params, batch, batch_mean):
        """By name; the edits; of what they were made; and the photos, moved."""
        paint = functools.partial(self.generator.apply, params["generator"])
        critic = functools.partial(self.critic.apply, params["critic"])
        made = paint(batch.image, batch.target_expression)
        fake = compose(batch.image, made.colour, made.mask)  # eq. 4
        unmade = paint(fake, batch.expression)
        back = compose(fake, unmade.colour, unmade.mask)
        fake_score, expression = critic(fake)
        real_score, _ = critic(batch.image)
        _, adversarial = losses.ADVERSARIAL[self.adversarial]
        distance = losses.DISTANCES[self.distance]
        from_truth = lambda x: losses.paired_distance(
            x, batch.target, batch.paired, distance
        )
        base = moved(batch.image, made.flow) if self.warped else batch.image
        cover = jax.lax.stop_gradient(made.cover)
        mean = MEANS[self.relative_to](batch_mean)
        terms = {
            "adversarial": adversarial(real_score, fake_score, mean),
            "expression": losses.expression_error(expression, batch.target_expression),
            "reconstruction": distance(back, batch.image),
            "paired": from_truth(fake),
            "colour": from_truth(made.colour),
            "moved": from_truth(cover * batch.target + (1 - cover) * base),
            "attention": losses.attention(made.mask, unmade.mask),
            "mask": made.mask.mean(axis=(1, 2, 3)),
            "mask_entropy": losses.mask_entropy(made.mask),
        }
        if "identity" in params:
            a, b = jnp.split(
                params["identity"](jnp.concatenate([fake, batch.image])), 2
            )
            terms["identity"] = losses.identity_distance(a, b)
        return terms, fake, made, base

    def _penalty(self, scores, real, fake, keys):
        sigma = lambda image: jax.nn.sigmoid(scores(image))
        score = {"scores": scores, "sigma": sigma}[self.penalty_on]
        if self.penalty_at == "both":
            at_real, at_fake = (losses.gradient_penalty(score, x) for x in (real, fake))
            return (at_real + at_fake) / 2
        points = {
            "interpolates": lambda: losses.interpolates(real, fake, keys),
            "fake": lambda: fake,
            "real": lambda: real,
        }
        return losses.gradient_penalty(score, points[self.penalty_at]())


def _check(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; choose from {[*choices]}.")
