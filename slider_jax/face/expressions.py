"""Samplers of plausible expressions, as vectors of the 52 named sliders.

All take a NumPy generator and are functions of its state alone.
"""

import numpy as np
from jaxtyping import Float

from slider_jax.face.sliders import (
    EMOTIONS,
    INCOMPATIBLE,
    INDEX,
    LIMITS,
    MIRROR,
    REGIONS,
    SLIDERS,
    VISEMES,
    Sliders,
    partner,
    vector,
)

KINDS = (*EMOTIONS, "unit", "blend", "mixed")
FREQUENCIES = (0.04, *(0.06,) * 6, 0.2, 0.12, 0.28)
SPEECH_SHARE = 1 / 8  # of `corpus`

UPPER = np.array(
    [INDEX[n] for r in ("brows", "eyes", "cheeks", "nose") for n in REGIONS[r]]
)
# One name for each pair of sides. Directions of the gaze are drawn apart.
UNITS = tuple(
    name
    for name in SLIDERS
    if INDEX[name] <= INDEX[partner(name)] and not name.startswith("eyeLook")
)
ONE_SIDED = ("jawLeft", "mouthLeft")
# How often people pull a slider, beside one they hardly know.
WANTED = {"jawOpen": 16, "eyeBlinkLeft": 12, "mouthSmileLeft": 8}
WANTED |= dict.fromkeys(
    ("browDownLeft", "browInnerUp", "browOuterUpLeft", "eyeWideLeft"), 4
)
WANTED |= dict.fromkeys(("mouthFrownLeft", "mouthFunnel", "mouthPucker"), 4)

# Whoever is photographed smiles, more often than not, and lips part.
SMILING = 0.7
PARTED = {"mouthUpperUpLeft": 0.8, "mouthLowerDownLeft": 0.8, "jawOpen": 0.3}


def plausible(sliders: Sliders) -> Sliders:
    """The nearest thing a face can do: the stronger of two rivals wins.

    Both eyes look the same way, a tongue opens the jaw, and lips close only over a jaw
    that is open. Doing it twice changes nothing.
    """
    sliders = np.clip(sliders, 0, LIMITS).astype(np.float32)
    _look(sliders, *_gaze(sliders))
    jaw, tongue, close = (INDEX[n] for n in ("jawOpen", "tongueOut", "mouthClose"))
    sliders[jaw] = max(sliders[jaw], min(sliders[tongue], 0.4))
    # The strongest are settled first, so nothing loses to what is itself to go.
    strength = lambda rule: -max(sliders[rule[0]], sliders[rule[1]])
    for a, b, room in sorted(INCOMPATIBLE, key=strength):
        strong, weak = (a, b) if sliders[a] >= sliders[b] else (b, a)
        sliders[weak] = min(sliders[weak], max(0.0, room - sliders[strong]))
    sliders[close] = min(sliders[close], sliders[jaw])
    if sliders[jaw] < 0.4:
        sliders[tongue] = min(sliders[tongue], sliders[jaw])
    return sliders


def _gaze(sliders: Sliders) -> tuple[float, float]:
    """Where the more strongly turned eye looks: to the face's left, and up."""
    value = lambda name: sliders[INDEX[name]]
    left = value("eyeLookOutLeft") - value("eyeLookInLeft")
    right = value("eyeLookInRight") - value("eyeLookOutRight")
    ups = [
        value(f"eyeLookUp{side}") - value(f"eyeLookDown{side}")
        for side in ("Left", "Right")
    ]
    return float(max(left, right, key=abs)), float(max(ups, key=abs))


def _look(sliders: Sliders, left: float, up: float) -> None:
    """Turns both eyes, in place."""
    for name, turn in (
        ("eyeLookOutLeft", left),
        ("eyeLookInLeft", -left),
        ("eyeLookInRight", left),
        ("eyeLookOutRight", -left),
        ("eyeLookUpLeft", up),
        ("eyeLookUpRight", up),
        ("eyeLookDownLeft", -up),
        ("eyeLookDownRight", -up),
    ):
        sliders[INDEX[name]] = np.clip(turn, 0.0, 1.0)


def sample_expression(rng: np.random.Generator) -> tuple[Sliders, str]:
    """One expression and its kind, drawn by FREQUENCIES.

    An emotion has an intensity in [0.3, 1.1]; a blend wears one emotion above the
    cheeks and another below; a unit is one slider, on one side or both; mixed is two
    to six of them. Gaze wanders in half of all faces, lids droop in some, and no face
    is quite symmetric.
    """
    kind = str(rng.choice(KINDS, p=FREQUENCIES))
    if kind == "unit":
        sliders = _units(rng, 1, both=0.6)
    elif kind == "mixed":
        sliders = _units(rng, int(rng.integers(2, 7)), both=0.75)
    elif kind == "blend":
        one, other = rng.choice(KINDS[1:7], 2, replace=False)
        upper, sliders = _emotion(rng, one), _emotion(rng, other)
        sliders[UPPER] = upper[UPPER]
    else:
        sliders = _emotion(rng, kind)
    return plausible(_eyes(rng, sliders)), kind


def sample_wish(rng: np.random.Generator) -> tuple[Sliders, str]:
    """What people ask of a face, and its kind: one to three sliders, pulled far.

    Faces at their ease (`sample_expression`) hardly show a wide-open mouth and nothing
    else, which is what somebody who pulls one slider wants to see.
    """
    count = int(rng.choice(3, p=(0.6, 0.25, 0.15))) + 1
    share = np.array([WANTED.get(name, 1) for name in UNITS], float)
    sliders = _units(rng, count, both=0.8, share=share / share.sum(), least=0.5)
    return plausible(_eyes(rng, sliders)), "unit" if count == 1 else "mixed"


def sample_worn(rng: np.random.Generator) -> tuple[Sliders, str]:
    """What a face wears already when its photo is taken, and its kind."""
    kind = "happiness" if rng.random() < SMILING else str(rng.choice(KINDS[1:7]))
    sliders = _emotion(rng, kind)
    if kind == "happiness":
        for name, most in PARTED.items():
            sides = [INDEX[name], INDEX[partner(name)]]
            sliders[sides] = np.maximum(sliders[sides], rng.uniform(0, most))
    return plausible(_eyes(rng, sliders)), kind


def pulled(worn: Sliders, wish: Sliders) -> Sliders:
    """As an edit does it: what no slider was pulled for stays."""
    return plausible(np.where(wish > 0, wish, worn))


def sample_speech(rng: np.random.Generator) -> Sliders:
    """A mouth between two visemes, mostly close to one of them (co-articulation)."""
    one, other = (vector(VISEMES[v]) for v in rng.choice(list(VISEMES), 2, False))
    share = rng.beta(0.5, 0.5)
    sliders = rng.uniform(0.4, 1.1) * (share * one + (1 - share) * other)
    return plausible(_uneven(rng, sliders))


def corpus(rng: np.random.Generator, count: int) -> Float[np.ndarray, "n 52"]:
    """What a face does in a life: expressions, and speech one time in eight.

    The second half is the first in a looking-glass, so that what is learnt from it
    has no better side.
    """
    draws = [
        sample_speech(rng) if rng.random() < SPEECH_SHARE else sample_expression(rng)[0]
        for _ in range((count + 1) // 2)
    ]
    faces = np.stack(draws)
    return np.concatenate([faces, faces[:, MIRROR]])[:count]


def _emotion(rng: np.random.Generator, name: str) -> Sliders:
    sliders = rng.uniform(0.3, 1.1) * vector(EMOTIONS[name])
    if rng.random() < 0.1:  # half-hearted on one side, as a smirk is
        side = str(rng.choice(("Left", "Right")))
        weak = [INDEX[name] for name in SLIDERS if name.endswith(side)]
        sliders[weak] *= rng.uniform(0.2, 0.8)
    return _uneven(rng, sliders)


def _uneven(rng: np.random.Generator, sliders: Sliders) -> Sliders:
    """Jitter by 15 %, most of it the same on both sides."""
    noise = rng.normal(0.0, 0.15, len(SLIDERS))
    shared = (noise + noise[MIRROR]) / 2
    return (sliders * (1 + shared + 0.4 * (noise - shared))).astype(np.float32)


def _units(
    rng: np.random.Generator,
    count: int,
    both: float,
    share: Float[np.ndarray, "units"] | None = None,
    least: float = 0.0,
) -> Sliders:
    """`count` sliders at random, on both sides with probability `both`."""
    sliders = np.zeros(len(SLIDERS), np.float32)
    for name in rng.choice(UNITS, count, replace=False, p=share):
        value = LIMITS[INDEX[name]] * (least + (1 - least) * rng.beta(1.6, 1.1))
        sides = [INDEX[name], INDEX[partner(name)]]
        if name in ONE_SIDED or rng.random() > both:
            sides = [sides[rng.integers(2)]]
        sliders[sides] = value
        if name == "mouthClose":
            sliders[INDEX["jawOpen"]] = max(sliders[INDEX["jawOpen"]], value)
    return sliders


def _eyes(rng: np.random.Generator, sliders: Sliders) -> Sliders:
    """A wandering gaze, lids that follow it, and now and then a blink."""
    sliders = sliders.copy()
    if rng.random() < 0.5:
        left, up = _gaze(sliders)
        _look(sliders, left + rng.normal(0, 0.4), up + rng.normal(0, 0.25))
    lids = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
    wide = [INDEX["eyeWideLeft"], INDEX["eyeWideRight"]]
    blink, droop = rng.uniform(0.6, 1.0), rng.uniform(0.05, 0.3)
    chance = rng.random()
    if chance < 0.05:
        sliders[wide] = 0.0  # or the wider of two eyes would stay open: a wink
        sliders[lids] = np.maximum(sliders[lids], blink)
    elif not sliders[wide].any():
        down = 0.2 * sliders[INDEX["eyeLookDownLeft"]]
        droop = droop if chance < 0.22 else 0.0
        sliders[lids] = np.maximum(sliders[lids], down + droop)
    return sliders
