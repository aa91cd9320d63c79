"""Does a recogniser see the expression that was asked for? (SliderGAN, Table 2.)"""

import numpy as np
from jaxtyping import Float, Int, Real


def confusion(
    probabilities: Real[np.ndarray, "n c"], wanted: Int[np.ndarray, "n"]
) -> Int[np.ndarray, "c c"]:
    """Counts: a row for what was asked for, a column for the likeliest class.

    Those of batches add up to those of the set.
    """
    if probabilities.ndim != 2 or len(probabilities) != len(wanted) or not len(wanted):
        raise ValueError(
            "A recogniser gives probabilities [faces, classes] for as many faces as "
            f"were asked for, but these are {list(probabilities.shape)} and "
            f"{list(wanted.shape)}."
        )
    classes = probabilities.shape[1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (wanted, probabilities.argmax(axis=1)), 1)
    return counts


def class_accuracy(counts: Real[np.ndarray, "*n c c"]) -> Float[np.ndarray, "*n c"]:
    """Of each class, the part that was seen; NaN for one that was never asked for.

    The table's average is over the classes: `np.nanmean`.
    """
    asked = counts.sum(axis=-1)
    seen = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.divide(seen, asked, np.full(asked.shape, np.nan), where=asked > 0)
