"""A game that compiles in a second: a System of plain arrays, and batches of noise.

The critic is nonlinear and has patches, and the generator's edit depends on the image,
so nothing that a real system computes is missing: relative scores, a penalty of second
order, keys per example.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax

from slider_jax import losses, step
from slider_jax.batch import Batch

PARAMETERS, SIZE = 5, 4
WEIGHTS = {
    "critic": {
        "adversarial": 30.0,
        "gradient_penalty": 10.0,
        "expression": 1.0,
        "score_gap": 0.0,
    },
    "generator": {"adversarial": 30.0, "expression": 1.0, "paired": 1.0},
}


@dataclasses.dataclass(frozen=True)
class SmallSystem:
    parameters: int = PARAMETERS

    def init(self, key, batch):
        draw = lambda i, *shape: (
            0.5 * jax.random.normal(jax.random.fold_in(key, i), shape)
        )
        return {
            "generator": {"paint": draw(0, self.parameters, 3), "mix": draw(1, 3, 3)},
            "critic": {"score": draw(2, 3), "expression": draw(3, 3, self.parameters)},
        }

    def edit(self, generator, image, expression):
        paint = (expression @ generator["paint"])[:, None, None]
        return jnp.tanh(image @ generator["mix"] + paint)

    def paint(self, generator, image, expression):
        edited = self.edit(generator, image, expression)
        all_new, still = jnp.ones_like(edited[..., :1]), jnp.zeros_like(edited[..., :2])
        return edited, all_new, still

    def score(self, critic, image):
        """Of 4 x 4 patches, whatever the size."""
        b, h, w, c = image.shape
        patches = image.reshape(b, SIZE, h // SIZE, SIZE, w // SIZE, c).mean((2, 4))
        return jnp.tanh(patches @ critic["score"])

    def critic_losses(self, params, batch, keys, batch_mean):
        score = lambda x: self.score(params["critic"], x)
        guess = batch.image.mean(axis=(1, 2)) @ params["critic"]["expression"]
        fake = self.edit(params["generator"], batch.image, batch.target_expression)
        between = losses.interpolates(batch.image, fake, keys)
        return {
            "adversarial": losses.ra_expectation_critic(
                score(batch.image), score(fake), batch_mean
            ),
            "gradient_penalty": losses.gradient_penalty(score, between),
            "expression": losses.expression_error(guess, batch.expression),
            "score_gap": losses.score_gap(score(batch.image), score(fake)),
        }

    def reading_losses(self, params, batch, keys, batch_mean):
        guess = batch.image.mean(axis=(1, 2)) @ params["critic"]["expression"]
        return {"expression": losses.expression_error(guess, batch.expression)}

    def generator_losses(self, params, batch, keys, batch_mean):
        score = lambda x: self.score(params["critic"], x)
        fake = self.edit(params["generator"], batch.image, batch.target_expression)
        guess = fake.mean(axis=(1, 2)) @ params["critic"]["expression"]
        return {
            "adversarial": losses.ra_expectation_generator(
                score(batch.image), score(fake), batch_mean
            ),
            "expression": losses.expression_error(guess, batch.target_expression),
            "paired": losses.paired_distance(fake, batch.target, batch.paired),
        }


def batches(n_critic=2, batch=8, seed=0, size=SIZE, parameters=PARAMETERS):
    r = np.random.default_rng(seed)

    def noise(*shape):
        return r.uniform(-1, 1, (n_critic, batch, *shape)).astype(np.float32)

    return Batch(
        image=noise(size, size, 3),
        expression=noise(parameters),
        target=noise(size, size, 3),
        target_expression=noise(parameters),
        paired=r.uniform(size=(n_critic, batch)) < 0.5,
    )


def one(stacked):
    """The first critic's batch."""
    return jax.tree.map(lambda x: x[0], stacked)


def sgd(rate=1e-2):
    """Not Adam, which hides a gradient scaled by mistake. It counts, as Adam does."""
    return {player: optax.sgd(lambda count: rate) for player in step.PLAYERS}


def first_state(optimizers=None, seed=0):
    optimizers = sgd() if optimizers is None else optimizers
    return step.init_state(SmallSystem(), optimizers, one(batches(1, 2)), seed=seed)


def assert_equal(a, b):
    """Two trees, bit by bit."""
    jax.tree.map(np.testing.assert_array_equal, a, b)


def assert_close(a, b, rtol=1e-5, atol=1e-6):
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), a, b
    )
