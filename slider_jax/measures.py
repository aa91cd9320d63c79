"""How good is it? Evaluation measures, as equations."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def area_under_curve(
    same: Float[Array, "n"], different: Float[Array, "m"]
) -> Float[Array, ""]:
    """P(s > d) + P(s = d) / 2 for a score s of a same pair and d of a different one.

    The area under the ROC curve (Hanley and McNeil 1982): 1/2 is chance, 1 is perfect.
    """
    different = jnp.sort(different)
    below = jnp.searchsorted(different, same, side="left")
    not_above = jnp.searchsorted(different, same, side="right")
    return (below + not_above).mean() / (2 * different.size)
