"""Training losses as equations: arrays in, one unweighted value per example out.

Equation numbers are those of SliderGAN (Ververas and Zafeiriou 2020), C is the critic's
map of scores. Where the paper can be read in two ways, the docstring says how we do.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

Image = Float[Array, "b h w c"]
Scores = Float[Array, "b h w"]
PerExample = Float[Array, "b"]
# Mean over batch, patches and devices, as a number (the training step makes it).
BatchMean = Callable[[Scores], Float[Array, ""]]

TINY = 1e-12  # under roots: √ has an infinite slope at zero
# Mean differences, summed over the channels: that an eye sees, and that none misses.
SEEN, WRONG = 0.45, 0.7


# The game. Each mode has a loss for the critic and one for the generator.


def ra_expectation_critic(
    real: Scores, fake: Scores, batch_mean: BatchMean
) -> PerExample:
    """-(σ(C(x) - E C(y)) - σ(C(y) - E C(x))), eqs. 5 and 6 with the sign of eq. 14.

    The text has the roles swapped; eqs. 13 and 14 decide. The penalty of eq. 6 is a
    loss of its own, `gradient_penalty`.
    """
    return -_ra_difference(real, fake, batch_mean)


def ra_expectation_generator(
    real: Scores, fake: Scores, batch_mean: BatchMean
) -> PerExample:
    """σ(C(x) - E C(y)) - σ(C(y) - E C(x)), eqs. 5 and 6 with the sign of eq. 13."""
    return _ra_difference(real, fake, batch_mean)


def _ra_difference(real, fake, batch_mean):
    real, fake = _relative(real, fake, batch_mean)
    return _patches(jax.nn.sigmoid(real) - jax.nn.sigmoid(fake))


def rasgan_critic(real: Scores, fake: Scores, batch_mean: BatchMean) -> PerExample:
    """Cross entropy of relative scores, halved (Jolicoeur-Martineau 2019)."""
    real, fake = _relative(real, fake, batch_mean)
    return _patches(jax.nn.softplus(-real) + jax.nn.softplus(fake)) / 2


def rasgan_generator(real: Scores, fake: Scores, batch_mean: BatchMean) -> PerExample:
    """`rasgan_critic` with real and fake swapped: does not saturate."""
    real, fake = _relative(real, fake, batch_mean)
    return _patches(jax.nn.softplus(real) + jax.nn.softplus(-fake)) / 2


def ralsgan_critic(real: Scores, fake: Scores, batch_mean: BatchMean) -> PerExample:
    """Least squares of relative scores, halved (Jolicoeur-Martineau 2019)."""
    real, fake = _relative(real, fake, batch_mean)
    return _patches(jnp.square(real - 1) + jnp.square(fake + 1)) / 2


def ralsgan_generator(real: Scores, fake: Scores, batch_mean: BatchMean) -> PerExample:
    """`ralsgan_critic` with real and fake swapped."""
    real, fake = _relative(real, fake, batch_mean)
    return _patches(jnp.square(real + 1) + jnp.square(fake - 1)) / 2


def wgan_critic(real: Scores, fake: Scores, batch_mean: BatchMean) -> PerExample:
    """C(y) - C(x) (Gulrajani 2017, eq. 3, without its penalty)."""
    return _patches(fake - real)


def wgan_generator(real: Scores, fake: Scores, batch_mean: BatchMean) -> PerExample:
    """-C(y)."""
    return -_patches(fake)


# name -> (critic's, generator's)
ADVERSARIAL = {
    "ra_expectation": (ra_expectation_critic, ra_expectation_generator),
    "rasgan": (rasgan_critic, rasgan_generator),
    "ralsgan": (ralsgan_critic, ralsgan_generator),
    "wgan_gp": (wgan_critic, wgan_generator),
}


def _relative(real, fake, batch_mean):
    """C(x) - E C(y) and C(y) - E C(x), E over batch, patches and devices (eq. 5).

    Gradients flow through the means, so both terms teach the generator.
    """
    return real - batch_mean(fake), fake - batch_mean(real)


def per_position(batch_mean: BatchMean) -> Callable[[Scores], Float[Array, "1 h w"]]:
    """E of every patch position by itself: another reading of eq. 5."""
    mean = jax.vmap(jax.vmap(batch_mean, in_axes=1), in_axes=1)
    return lambda scores: mean(scores)[None]


def _patches(scores):
    return scores.mean(axis=(1, 2))


# The penalty.


def gradient_penalty(critic: Callable[[Image], Scores], points: Image) -> PerExample:
    """(‖∇ Σ C‖₂ - 1)², the sum over patches, at `points` (Gulrajani 2017, eq. 3).

    Needs a critic that does not mix examples. Eq. 6 prints σ(C) at generated images;
    like the code that it builds on we take C itself, at `interpolates`.
    """
    slope = jax.grad(lambda x: critic(x).sum())(points)
    norm = jnp.sqrt(jnp.square(slope).sum(axis=(1, 2, 3)) + TINY)
    return jnp.square(norm - 1)


def interpolates(real: Image, fake: Image, keys: Key[Array, "b"]) -> Image:
    """t x + (1 - t) y with one t ~ U(0, 1) per example."""
    t = jax.vmap(jax.random.uniform)(keys)[:, None, None, None]
    return t * real + (1 - t) * fake


# What the edit must be.


def expression_error(
    predicted: Float[Array, "b k"], wanted: Float[Array, "b k"]
) -> PerExample:
    """Mean of squares over the k parameters, eqs. 7 and 8 (printed without square)."""
    return jnp.square(predicted - wanted).mean(axis=1)


def classification_error(
    logits: Float[Array, "b k"], wanted: Float[Array, "b k"]
) -> PerExample:
    """Cross entropy of k classes, `wanted` one-hot (StarGAN, eqs. 2 and 3)."""
    return -(wanted * jax.nn.log_softmax(logits)).sum(axis=1)


def pixel_distance(a: Image, b: Image) -> PerExample:
    """‖a - b‖₁ / (W H), eqs. 9 and 10: summed over the channels, not averaged."""
    return jnp.abs(a - b).sum(axis=3).mean(axis=(1, 2))


def squared_distance(a: Image, b: Image) -> PerExample:
    """‖a - b‖² / (W H), instead of eqs. 9 and 10.

    Absolute values ask for the median, and in most pixels the median edit is none: a
    generator that copies stays there for long.
    """
    return jnp.square(a - b).sum(axis=3).mean(axis=(1, 2))


DISTANCES = {"absolute": pixel_distance, "squared": squared_distance}


def paired_distance(
    fake: Image,
    target: Image,
    paired: Bool[Array, "b"],
    distance: Callable[[Image, Image], PerExample] = pixel_distance,
) -> PerExample:
    """Eq. 10 where there is a ground truth, zero elsewhere."""
    return paired * distance(fake, target)


def feature_distance(
    layers: Sequence[Sequence[Float[Array, "b _ _ _"]]],
    paired: Bool[Array, "b"],
) -> PerExample:
    """Σ|f - g| / Σ|g|, the mean over layers: pairs of what edit and truth become there.

    Where pixels leave a choice their median is a blur, and a network that reads
    expressions tells a blur from teeth. Zero where there is no ground truth.
    """
    total = lambda x: jnp.abs(x).sum(axis=(1, 2, 3))
    parts = [total(f - g) / (total(g) + TINY) for f, g in layers]
    return paired * sum(parts) / len(parts)


def edge_distance(a: Image, b: Image) -> PerExample:
    """Of the steps from pixel to pixel, down and right, summed over the channels.

    A pattern of dots is small to `pixel_distance` and to a critic that sees every
    second pixel, but large here.
    """
    steps = [jnp.abs(jnp.diff(a - b, axis=axis)) for axis in (1, 2)]
    return sum(step.sum(axis=3).mean(axis=(1, 2)) for step in steps)


def revealed(image: Image, moved: Image, target: Image) -> Bool[Array, "b h w 1"]:
    """Where the truth shows what the photo has not, moved or not, such as teeth.

    And three pixels around, for what is painted must also end. Glasses, which stay
    where they are while the face moves, are in the photo.
    """
    differs = jnp.minimum(*(_differing(x, target, 3) for x in (image, moved))) > SEEN
    box, step = (1, 7, 7, 1), (1, 1, 1, 1)
    return jax.lax.reduce_window(differs, False, jax.lax.bitwise_or, box, step, "SAME")


def cover_error(
    cover: Float[Array, "b h w 1"],
    moved: Image,
    target: Image,
    doubt: Bool[Array, "b h w 1"],
) -> PerExample:
    """Cross entropy of what hides the moved photo, and of where it is not the truth.

    Zero where that is in `doubt`. Without it the inside of a mouth is drawn by taking
    stretched lips away, with all their grain.
    """
    wrong = _differing(moved, target, 5) > WRONG
    c = cover.clip(1e-6, 1 - 1e-6)
    shut = jnp.where(doubt, 0.0, jnp.log(1 - c))
    return -jnp.where(wrong, jnp.log(c), shut).mean(axis=(1, 2, 3))


def _differing(a, b, side):
    """By the means of squares, which neither noise nor a thin edge fills."""
    box, step = (1, side, side, 1), (1, 1, 1, 1)
    total = jax.lax.reduce_window(a - b, 0.0, jax.lax.add, box, step, "SAME")
    return jnp.abs(total / side**2).sum(axis=3, keepdims=True)


def identity_distance(a: Float[Array, "b d"], b: Float[Array, "b d"]) -> PerExample:
    """1 - cos of two embeddings, eq. 11 (whose fraction is printed upside down)."""
    norms = jnp.square(a).sum(axis=1) * jnp.square(b).sum(axis=1)
    return 1 - (a * b).sum(axis=1) / jnp.sqrt(norms + TINY)


def attention(
    mask: Float[Array, "b h w 1"], back: Float[Array, "b h w 1"]
) -> PerExample:
    """Mean of the mask of the edit plus that of the way back, eq. 12; 0 to 2."""
    return mask.mean(axis=(1, 2, 3)) + back.mean(axis=(1, 2, 3))


def mask_norm(mask: Float[Array, "b h w 1"]) -> PerExample:
    """‖A‖₂ (GANimation, eq. 2)."""
    return jnp.sqrt(jnp.square(mask).sum(axis=(1, 2, 3)) + TINY)


def mask_roughness(mask: Float[Array, "b h w 1"], power: int) -> PerExample:
    """Σ |A(i+1, j) - A(i, j)|ᵖ + |A(i, j+1) - A(i, j)|ᵖ: total variation.

    GANimation's eq. 2 has p = 2, its code p = 1.
    """
    down, right = (jnp.abs(jnp.diff(mask, axis=axis)) ** power for axis in (1, 2))
    return down.sum(axis=(1, 2, 3)) + right.sum(axis=(1, 2, 3))


def mask_entropy(mask: Float[Array, "b h w 1"]) -> PerExample:
    """Mean entropy in bits: 1 where all is half-way, 0 where the mask decides."""
    m = mask.clip(1e-6, 1 - 1e-6)
    bits = -(m * jnp.log2(m) + (1 - m) * jnp.log2(1 - m))
    return bits.mean(axis=(1, 2, 3))


def score_gap(real: Scores, fake: Scores) -> PerExample:
    """C(x) - C(y). With `ra_expectation` and a mean above 4, σ has gone flat."""
    return _patches(real - fake)
