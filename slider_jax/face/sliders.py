"""The 52 named sliders of a face: tables of what is made from them.

A slider vector has one entry per name in SLIDERS, 0 at rest and 1 at the full shape;
shapes that read weakly on the open head may go to 1.5 (see LIMITS). In the tables a
name without its side stands for both sides.
"""

import numpy as np
from jaxtyping import Float

SLIDERS = tuple(
    """
    browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
    cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft
    eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight
    eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight
    jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight
    mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft
    mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft
    mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft
    mouthUpperUpRight noseSneerLeft noseSneerRight tongueOut
    """.split()
)
INDEX = {name: i for i, name in enumerate(SLIDERS)}

PREFIXES = {
    "brows": ("brow",),
    "eyes": ("eye",),
    "cheeks": ("cheek",),
    "nose": ("nose",),
    "mouth": ("mouth", "tongue"),
    "jaw": ("jaw",),
}
REGIONS = {
    region: tuple(name for name in SLIDERS if name.startswith(prefixes))
    for region, prefixes in PREFIXES.items()
}


def partner(name: str) -> str:
    """The same slider on the other side of the face."""
    swap = {"Left": "Right", "Right": "Left"}
    side = next((side for side in swap if name.endswith(side)), None)
    return name.removesuffix(side) + swap[side] if side else name


MIRROR = np.array([INDEX[partner(name)] for name in SLIDERS])
LIMITS = np.array(
    [
        1.5 if n.startswith(("brow", "noseSneer", "mouthFrown", "mouthStretch")) else 1
        for n in SLIDERS
    ],
    np.float32,
)


def _sides(**weights: float) -> dict[str, float]:
    """Names without their side, given to both."""
    return {
        name: weight
        for base, weight in weights.items()
        for name in ((base,) if base in INDEX else (base + "Left", base + "Right"))
    }


EMOTIONS = {
    "neutral": {},
    "anger": _sides(
        **dict(browDown=1.4, eyeSquint=0.3, noseSneer=0.7, eyeWide=0.1),
        **dict(mouthPress=0.7, mouthFrown=0.6, mouthShrugLower=0.3, jawForward=0.3),
    ),
    "disgust": _sides(
        **dict(browDown=0.6, eyeSquint=0.3, noseSneer=1.5, cheekSquint=0.8),
        **dict(mouthUpperUp=1.0, mouthFrown=0.4, mouthShrugLower=0.4),
    ),
    "fear": _sides(
        **dict(browInnerUp=1.4, browOuterUp=0.6, browDown=0.3, eyeWide=1.0),
        **dict(mouthStretch=1.4, mouthLowerDown=0.5, jawOpen=0.3),
    ),
    "happiness": _sides(
        **dict(cheekSquint=0.9, eyeSquint=0.35, mouthSmile=1.0, mouthDimple=0.2),
        **dict(mouthUpperUp=0.35, jawOpen=0.12),
    ),
    "sadness": _sides(
        **dict(browInnerUp=1.5, browDown=0.3, eyeLookDown=0.4, eyeBlink=0.2),
        **dict(mouthFrown=1.4, mouthShrugLower=0.6, mouthPress=0.2),
    ),
    "surprise": _sides(
        **dict(browInnerUp=1.4, browOuterUp=1.3, eyeWide=1.0),
        **dict(jawOpen=0.65, mouthFunnel=0.2),
    ),
}

# The 15 mouth shapes of speech. Lips that meet (PP, FF) are rolled further in than the
# usual tables say: less does not read on the open head.
VISEMES = {
    "sil": {},
    "PP": _sides(mouthPress=0.5, mouthRollLower=0.8, mouthRollUpper=0.8),
    "FF": _sides(
        **dict(mouthRollLower=0.7, mouthShrugLower=0.4),
        **dict(mouthUpperUp=0.5, jawOpen=0.07),
    ),
    "TH": _sides(tongueOut=0.9, jawOpen=0.4, mouthUpperUp=0.15, mouthLowerDown=0.15),
    "DD": _sides(jawOpen=0.28, tongueOut=0.28, mouthUpperUp=0.12),
    "kk": _sides(jawOpen=0.32, mouthLowerDown=0.12),
    "CH": _sides(mouthFunnel=0.6, mouthPucker=0.4, jawOpen=0.16),
    "SS": _sides(
        jawOpen=0.09, mouthStretch=0.3, mouthUpperUp=0.28, mouthLowerDown=0.28
    ),
    "nn": _sides(jawOpen=0.22, tongueOut=0.22, mouthLowerDown=0.1),
    "RR": _sides(mouthPucker=0.45, mouthFunnel=0.3, jawOpen=0.18),
    "aa": _sides(jawOpen=0.6, mouthLowerDown=0.1),
    "E": _sides(jawOpen=0.42, mouthStretch=0.32, mouthDimple=0.22),
    "I": _sides(jawOpen=0.16, mouthStretch=0.5, mouthSmile=0.32, mouthUpperUp=0.2),
    "O": _sides(mouthFunnel=0.7, mouthPucker=0.42, jawOpen=0.42),
    "U": _sides(mouthPucker=0.85, mouthFunnel=0.5, jawOpen=0.12),
}

# Facial Action Coding System: correspondences of ICT-FaceKit; 23, 25 and 26, which it
# leaves out, are ours.
ACTION_UNITS = {
    "AU1": _sides(browInnerUp=1.0),
    "AU2": _sides(browOuterUp=1.0),
    "AU4": _sides(browDown=1.0),
    "AU5": _sides(eyeWide=1.0),
    "AU6": _sides(cheekSquint=1.0),
    "AU7": _sides(eyeSquint=1.0),
    "AU9": _sides(noseSneer=1.0),
    "AU10": _sides(mouthShrugUpper=1.0),
    "AU11": _sides(mouthUpperUp=1.0),
    "AU12": _sides(mouthSmile=1.0),
    "AU14": _sides(mouthDimple=1.0),
    "AU15": _sides(mouthFrown=1.0),
    "AU16": _sides(mouthLowerDown=1.0),
    "AU17": _sides(mouthShrugLower=1.0),
    "AU18": _sides(mouthPucker=1.0),
    "AU20": _sides(mouthStretch=1.0),
    "AU22": _sides(mouthFunnel=1.0),
    "AU23": _sides(mouthPress=0.6, mouthRollLower=0.3, mouthRollUpper=0.3),
    "AU24": _sides(mouthPress=1.0),
    "AU25": _sides(mouthLowerDown=0.4, mouthUpperUp=0.2, jawOpen=0.05),
    "AU26": _sides(jawOpen=0.3),
    "AU27": _sides(jawOpen=1.0),
    "AU28": _sides(mouthRollLower=1.0, mouthRollUpper=1.0),
    "AU45": _sides(eyeBlink=1.0),
}

# (one, other, room): together they may reach `room`; where there is none, the weaker
# of the two must be still. A bare name stands for each side with its own side.
RULES = (
    ("eyeBlink", "eyeWide", 0.0),
    ("eyeBlink", "eyeLookUp", 0.8),
    ("eyeBlinkLeft", "eyeLookUpRight", 0.8),  # a wink leaves both eyes level
    ("eyeBlinkRight", "eyeLookUpLeft", 0.8),
    ("eyeWide", "eyeSquint", 0.8),
    ("eyeLookIn", "eyeLookOut", 0.0),
    ("eyeLookUp", "eyeLookDown", 0.0),
    ("browDown", "browOuterUp", 1.0),
    ("browDown", "browInnerUp", 1.9),
    ("mouthSmile", "mouthFrown", 0.0),
    ("mouthSmile", "mouthPucker", 0.6),
    ("mouthSmile", "mouthFunnel", 0.6),
    ("mouthStretch", "mouthPucker", 0.6),
    ("mouthStretch", "mouthFunnel", 0.6),
    ("mouthDimple", "mouthPucker", 0.8),
    ("mouthPress", "jawOpen", 0.9),
    ("mouthPress", "mouthFunnel", 0.8),
    ("mouthPress", "mouthUpperUp", 0.8),
    ("mouthPress", "mouthLowerDown", 0.8),
    ("mouthRollLower", "mouthLowerDown", 0.8),
    ("mouthRollLower", "mouthFunnel", 0.8),
    ("mouthRollUpper", "mouthUpperUp", 0.8),
    ("mouthRollUpper", "mouthFunnel", 0.8),
    ("mouthShrugLower", "mouthLowerDown", 0.8),
    ("mouthClose", "mouthLowerDown", 0.5),
    ("mouthClose", "mouthUpperUp", 0.5),
    ("cheekPuff", "jawOpen", 0.8),
    ("cheekPuff", "tongueOut", 0.0),
    ("tongueOut", "mouthClose", 0.0),
    ("tongueOut", "mouthPress", 0.5),
    ("tongueOut", "mouthRollLower", 0.5),
    ("jawLeft", "jawRight", 0.0),
    ("mouthLeft", "mouthRight", 0.0),
    ("jawLeft", "mouthRight", 0.5),
    ("jawRight", "mouthLeft", 0.5),
)
INCOMPATIBLE = tuple(
    dict.fromkeys(
        (INDEX[one], INDEX[other], room)
        for a, b, room in RULES
        for side in ("Left", "Right")
        for one in (a if a in INDEX else a + side,)
        for other in (b if b in INDEX else b + side,)
    )
)

Sliders = Float[np.ndarray, "52"]


def vector(weights: dict[str, float]) -> Sliders:
    """Named weights as a slider vector; what is not named is at rest."""
    sliders = np.zeros(len(SLIDERS), np.float32)
    for name, weight in weights.items():
        sliders[INDEX[name]] = weight
    return sliders
