"""What a system is told of a face: its condition, from the row that open_faces has.

- "components": those of the expression, and with speech those of the speech behind;
- "action_units": the 17 of action_units.py, from the sliders;
- "classes": which of the seven EMOTIONS it wears, one-hot. A face of another kind (a
  blend of two, a single slider, a few) wears none of them and has no label.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from slider_jax.batch import EXPRESSION, SPEECH
from slider_jax.face.action_units import UNITS, intensities
from slider_jax.face.sliders import EMOTIONS

# What of a row is needed.
COLUMNS = {
    "components": ("expression", "speech"),
    "action_units": ("sliders",),
    "classes": ("kind",),
}


def width(labels: str, *, speech: bool = False) -> int:
    """Of a condition."""
    components = EXPRESSION + speech * SPEECH
    return dict(components=components, action_units=len(UNITS), classes=len(EMOTIONS))[
        labels
    ]


def labelled(labels: str, rows: Mapping[str, np.ndarray]) -> Bool[np.ndarray, "n"]:
    """Which rows have a label, by the columns that COLUMNS names."""
    if labels == "classes":
        return rows["kind"] < len(EMOTIONS)
    return np.ones(len(rows[COLUMNS[labels][0]]), bool)


def conditions(
    labels: str,
    rows: Mapping[str, np.ndarray],
    *,
    speech: bool = False,
    au_noise: float = 0.0,
) -> Float[np.ndarray, "n k"]:
    """The condition of every row; zeros where there is no label.

    Action units come with N(0, au_noise) on each, kept in [0, 1]: a detector's error.
    It belongs to the picture, which is read alike however often it is shown.
    """
    if labels == "components":
        both = rows["expression"], rows["speech"]
        return np.concatenate(both[: 1 + speech], axis=1)
    if labels == "classes":
        return np.float32(rows["kind"][:, None] == np.arange(len(EMOTIONS)))
    units = intensities(rows["sliders"])
    error = au_noise * np.random.default_rng(0).normal(size=units.shape)
    return np.clip(units + error, 0, 1).astype(np.float32)
