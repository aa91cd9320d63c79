"""The image Euclidean distance: small shifts count for little (Wang 2005).

    IED(a, b) = Σᵢⱼ gᵢⱼ eᵢ eⱼ,    gᵢⱼ = exp(-|Pᵢ - Pⱼ|² / 2) / 2π

over all pairs of pixels at places P. SliderGAN's eq. 15 prints the exponent with a
plus, with which the sum overflows, and the norms |aᵢ - bᵢ| over RGB for e.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from slider_jax.measures.pixels import Image, PerExample, separable, unit_range

ERRORS = {
    "unsigned": lambda d: jnp.sqrt(jnp.square(d).sum(axis=3, keepdims=True)),  # eq. 15
    "signed": lambda d: d,  # Wang's, summed over the channels
}
NORMALISERS = {"mn": lambda h, w: h * w, "none": lambda h, w: 1}


def ied(
    a: Image,
    b: Image,
    *,
    signs: str = "unsigned",
    normalise: str = "mn",
    sqrt: bool = False,
) -> PerExample:
    """Of pictures in [0, 1], over the count of pixels; Wang's is signed, none, sqrt.

    The defaults are the only reading under which the paper's numbers are possible: an
    error of 0.047 everywhere gives 6.6e-3. Unsigned, noise does not cancel.
    """
    a, b = unit_range(a, b)
    error = _choose("signs", signs, ERRORS)(a - b)
    h, w = error.shape[1:3]
    near = separable(gaussian(h), gaussian(w), error)
    total = (error * near).sum(axis=(1, 2, 3))
    total = total / _choose("normalise", normalise, NORMALISERS)(h, w)
    # Signed sums are never negative, but rounding may make them so.
    return jnp.sqrt(jnp.maximum(total, 0)) if sqrt else total


def gaussian(n: int) -> Float[np.ndarray, "n n"]:
    """g is a product of two of these, so the double sum is two small products."""
    place = np.arange(n)
    return np.exp(-((place[:, None] - place[None]) ** 2) / 2) / np.sqrt(2 * np.pi)


def _choose(option, name, choices):
    if name not in choices:
        raise ValueError(f"Unknown {option} {name!r}; choose from {tuple(choices)}.")
    return choices[name]
