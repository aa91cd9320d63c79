"""Light as nine spherical harmonics and a key light (dossier 2.3)."""

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

_CONSTANTS = (
    1 / np.sqrt(4 * np.pi),
    np.sqrt(3) / np.sqrt(4 * np.pi),
    3 * np.sqrt(5) / np.sqrt(12 * np.pi),
)
_LOBES = (np.pi, 2 * np.pi / np.sqrt(3), 2 * np.pi / np.sqrt(8))
_BAND = (0, 1, 1, 1, 2, 2, 2, 2, 2)


@struct.dataclass
class Light:
    """`ambient` are harmonic coefficients; the key light shines from `direction`."""

    ambient: Float[Array, "9 3"]
    direction: Float[Array, "3"]
    colour: Float[Array, "3"]


def basis(direction: Float[Array, "... 3"]) -> Float[Array, "... 9"]:
    """Orthonormal real harmonics of a unit vector, in Deep3DFaceRecon's order."""
    x, y, z = direction[..., 0], direction[..., 1], direction[..., 2]
    zero, one, two = _CONSTANTS
    return jnp.stack(
        [
            jnp.full_like(x, zero),
            -one * y,
            one * z,
            -one * x,
            two * x * y,
            -two * y * z,
            two * (3 * z * z - 1) / (2 * np.sqrt(3.0)),
            -two * x * z,
            two * (x * x - y * y) / 2,
        ],
        -1,
    )


def irradiance(
    ambient: Float[Array, "9 3"], normal: Float[Array, "... 3"]
) -> Float[Array, "... 3"]:
    """Light arriving on a surface that looks along `normal`: Σ a_l c_l Y_lm L_lm."""
    values = basis(normal)
    ambient = ambient.reshape(9, *[1] * (normal.ndim - 1), 3)
    # Nine multiplications a pixel fuse with what is round them; a matrix product stops.
    terms = (
        _LOBES[band] * values[..., i, None] * ambient[i] for i, band in enumerate(_BAND)
    )
    return sum(terms)


def dot(normal: Float[Array, "... 3"], axis: Float[Array, "3"]) -> Float[Array, "..."]:
    """Cosine between unit vectors, for many pixels."""
    return sum(normal[..., i] * axis[i] for i in range(3))


def highlight(
    light: Light, normal: Float[Array, "... 3"], gloss: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Blinn's highlight (n·h)^gloss, for a viewer far away on the z axis.

    As the Gaussian exp(gloss (n·h - 1)), which is close to it and cheaper.
    """
    half = light.direction + jnp.array([0.0, 0.0, 1.0])
    half = half / jnp.linalg.norm(half)
    return jnp.exp(gloss * (dot(normal, half) - 1.0))
