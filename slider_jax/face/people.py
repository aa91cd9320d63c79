"""Draws people: a face that could be someone's, and the looks that go with it."""

import numpy as np
from jaxtyping import Float

from slider_jax.face.appearance import Look
from slider_jax.face.head import Head

# sRGB of skin lit by white light, from dark to light, for each ancestry.
_TONES = {
    "african": ((0.29, 0.19, 0.14), (0.60, 0.43, 0.33)),
    "asian": ((0.66, 0.48, 0.36), (0.90, 0.74, 0.62)),
    "caucasian": ((0.70, 0.50, 0.40), (0.93, 0.77, 0.69)),
}
_HAIR = np.array(
    [
        (0.10, 0.085, 0.08),
        (0.16, 0.115, 0.085),
        (0.22, 0.15, 0.10),
        (0.36, 0.25, 0.16),
        (0.58, 0.45, 0.28),
        (0.42, 0.20, 0.10),
        (0.55, 0.54, 0.52),
        (0.80, 0.79, 0.77),
    ]
)
_DARK_HAIR = np.array([0.55, 0.32, 0.08, 0.02, 0.01, 0.0, 0.015, 0.005])
_ANY_HAIR = np.array([0.10, 0.22, 0.26, 0.20, 0.11, 0.07, 0.025, 0.015])
_GREY_HAIR = np.array([0.03, 0.06, 0.06, 0.05, 0.02, 0.01, 0.42, 0.35])
_IRIS = np.array(
    [
        (0.20, 0.12, 0.07),
        (0.32, 0.19, 0.09),
        (0.42, 0.29, 0.13),
        (0.33, 0.42, 0.28),
        (0.33, 0.45, 0.56),
        (0.45, 0.50, 0.53),
    ]
)
# How hair is worn: length on top and at the sides in mm, and how much it lies down
# (combed down if positive, back if negative).
_STYLES = {
    "crop": (5.0, 3.5, 0.0),
    "short": (14.0, 5.0, 0.35),
    "full": (20.0, 10.0, 0.55),
    "afro": (19.0, 14.0, 0.0),
    "long": (12.0, 9.0, 0.4),
    "bald": (0.0, 0.0, 0.0),
}
_OF_MEN = (0.24, 0.36, 0.18, 0.04, 0.06, 0.12)
_OF_WOMEN = (0.03, 0.12, 0.20, 0.05, 0.59, 0.01)
_AT_MOST = 2.6  # of any whitened identity coefficient: nobody is a caricature


def sample_identity(
    head: Head, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "i"], Float[np.ndarray, "5"]]:
    """Coefficients and traits: between two plausible people who are alike.

    Blending flattens, so a little noise brings the variance back.
    """
    one = rng.integers(len(head.people))
    unlike = np.abs(head.traits - head.traits[one]).sum(1)
    other = np.argsort(unlike)[rng.integers(1, 40)]
    share = rng.uniform(0.0, 0.5)
    mix = lambda table: (1 - share) * table[one] + share * table[other]
    noise = 0.35 * rng.normal(size=head.people.shape[1])
    identity = np.clip(mix(head.people) + noise, -_AT_MOST, _AT_MOST)
    return identity.astype(np.float32), mix(head.traits)


def sample_look(traits: Float[np.ndarray, "5"], rng: np.random.Generator) -> Look:
    """Skin, eyes and hair of somebody with these traits."""
    male, old, *ancestry = traits
    is_male = rng.random() < _steep(male)
    light = np.clip(rng.beta(2, 2) * 0.8 + 0.1 + rng.normal(0, 0.05), 0, 1)
    tones = np.array([_TONES[name] for name in ("african", "asian", "caucasian")])
    tone = np.einsum("a,ac->c", _sharpen(ancestry), tones[:, 0] * (1 - light))
    tone += np.einsum("a,ac->c", _sharpen(ancestry), tones[:, 1] * light)
    tone *= 1 + rng.normal(0, 0.02, 3)
    shares = _sharpen(ancestry)
    colours = (1 - shares[2]) * _DARK_HAIR + shares[2] * _ANY_HAIR
    grey = np.clip((old - 0.35) * 2.2, 0, 1)
    colours = (1 - grey) * colours + grey * _GREY_HAIR
    hair = _HAIR[rng.choice(8, p=colours / colours.sum())] * rng.uniform(0.85, 1.15)
    eyes = shares[2] * np.array([0.1, 0.2, 0.2, 0.15, 0.2, 0.15])
    eyes += (1 - shares[2]) * np.array([0.7, 0.26, 0.04, 0, 0, 0])
    iris = _IRIS[rng.choice(6, p=eyes / eyes.sum())] * rng.uniform(0.85, 1.15)
    style = str(rng.choice(list(_STYLES), p=_OF_MEN if is_male else _OF_WOMEN))
    curly = style == "afro" or rng.random() < 0.15 + 0.6 * shares[0]
    if style in ("short", "full") and shares[0] > 0.6:
        style = str(rng.choice(["crop", "afro"]))
    top, side, fall = _STYLES[style]
    longer = rng.uniform(0.75, 1.3)
    blood = np.array([0.90, 0.62, 0.60]) * rng.uniform(0.93, 1.05)
    made_up = 0.0 if is_male else float(rng.random() < 0.4) * rng.uniform(0.3, 1.0)
    lips = tone * blood * (1 - made_up * np.array([0.05, 0.25, 0.2]))
    beard = float(is_male) * max(0.0, rng.normal(0.2, 0.35))
    values = dict(
        seed=rng.integers(2**31),
        tone=tone,
        lips=lips,
        lip_strength=rng.uniform(0.55, 0.95),
        blush=rng.uniform(0.3, 1.2) * (0.4 + 0.6 * light),
        bags=rng.uniform(0.1, 0.6) + 0.5 * old,
        eye_shadow=0.7 * made_up + rng.uniform(0, 0.15),
        freckles=max(0.0, rng.normal(-0.1, 0.5)) * shares[2],
        stubble=min(beard, 0.95),
        roughness=rng.uniform(0.0, 0.5) + 0.6 * old,
        brow_density=rng.uniform(0.6, 0.95) * (1.0 if is_male else 0.9),
        brow_width=rng.uniform(0.85, 1.3) if is_male else rng.uniform(0.6, 0.95),
        iris=iris,
        pupil=rng.uniform(0.32, 0.55),
        teeth=rng.uniform(0.88, 1.05),
        hair=np.clip(hair, 0, 1),
        hair_top=top * longer,
        hair_side=side * longer,
        hair_fall=fall * rng.choice([-1.4, 1.0]),
        hairline=rng.normal(0, 0.06) + (0.12 * old if is_male else 0.0),
        curl=rng.uniform(0.7, 1.0) if curly else rng.uniform(0.0, 0.2),
        long=float(style == "long"),
        bald=float(style == "bald"),
    )
    return Look(
        **{
            name: np.asarray(value, np.uint32 if name == "seed" else np.float32)
            for name, value in values.items()
        }
    )


def _steep(share):
    """Most people are one or the other."""
    return 1 / (1 + np.exp(-12 * (share - 0.5)))


def _sharpen(shares):
    """Colours follow the largest share more than shapes do."""
    powers = np.asarray(shares, np.float64) ** 2
    return powers / powers.sum()
