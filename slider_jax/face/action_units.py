"""17 action units, those that OpenFace rates, read from the 52 named sliders.

An intensity is 0 at rest and 1 at the most that a face does, OpenFace's 5. It is a sum
of sliders, each as a part of its limit and as the mean of its sides, clipped to [0, 1].

Most are one slider: correspondences of ICT-FaceKit, which ACTION_UNITS has too. Four
are ours. To AU10, the raised upper lip, we add mouthUpperUp (its AU11, which OpenFace
does not rate). AU23, AU25 and AU26 it leaves out: lips are tight (23) where they press
and roll, and apart (25) as the jaw drops (26) or as they draw back.
"""

import numpy as np
from jaxtyping import Float

from slider_jax.face.sliders import INDEX, LIMITS, SLIDERS

READINGS = {
    "AU1": {"browInnerUp": 1.0},
    "AU2": {"browOuterUp": 1.0},
    "AU4": {"browDown": 1.0},
    "AU5": {"eyeWide": 1.0},
    "AU6": {"cheekSquint": 1.0},
    "AU7": {"eyeSquint": 1.0},
    "AU9": {"noseSneer": 1.0},
    "AU10": {"mouthUpperUp": 1.0, "mouthShrugUpper": 1.0},
    "AU12": {"mouthSmile": 1.0},
    "AU14": {"mouthDimple": 1.0},
    "AU15": {"mouthFrown": 1.0},
    "AU17": {"mouthShrugLower": 1.0},
    "AU20": {"mouthStretch": 1.0},
    "AU23": {"mouthPress": 1.0, "mouthRollLower": 0.5, "mouthRollUpper": 0.5},
    "AU25": {
        "jawOpen": 1.0,
        "mouthClose": -1.0,  # over an open jaw
        "mouthLowerDown": 1.0,
        "mouthUpperUp": 0.5,
    },
    "AU26": {"jawOpen": 1.0},
    "AU45": {"eyeBlink": 1.0},
}
UNITS = tuple(READINGS)


def _matrix():
    matrix = np.zeros((len(UNITS), len(SLIDERS)), np.float32)
    for row, reading in zip(matrix, READINGS.values(), strict=True):
        for name, weight in reading.items():
            sides = [name] if name in INDEX else [f"{name}Left", f"{name}Right"]
            places = [INDEX[side] for side in sides]
            row[places] = weight / len(sides) / LIMITS[places]
    return matrix


MATRIX = _matrix()


def intensities(sliders: Float[np.ndarray, "*n 52"]) -> Float[np.ndarray, "*n 17"]:
    """In the order of UNITS."""
    return np.clip(sliders @ MATRIX.T, 0, 1)
