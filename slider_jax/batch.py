"""The one data type every system trains on, and the one place that fixes its ranges.

Colours are RGB in rows from the top: uint8 in files, float32 in [-1, 1] in networks.
Parameters are normalised to [-1, 1] and zero is the neutral face. A vector with speech
is the EXPRESSION components first, then the SPEECH components.
"""

from flax import struct
from jaxtyping import Array, Bool, Float, Shaped

EXPRESSION = 30
SPEECH = 10


@struct.dataclass
class Batch:
    """Faces, and the expressions we want them to wear.

    `target` holds the ground-truth edit where `paired` is true, and is ignored where it
    is false. A step takes [n_critic, b, ...]: one batch for each update of the critic.
    """

    image: Float[Array, "b h w 3"]
    expression: Float[Array, "b k"]
    target: Float[Array, "b h w 3"]
    target_expression: Float[Array, "b k"]
    paired: Bool[Array, "b"]


def to_float(image: Shaped[Array, "..."]) -> Float[Array, "..."]:
    """0..255 to [-1, 1]. Takes NumPy or JAX arrays, like `to_bytes`."""
    image = image.astype("float32")
    # In place where NumPy can: a page of fresh memory costs more than the arithmetic.
    image /= 127.5
    image -= 1
    return image


def to_bytes(image: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """[-1, 1] to the nearest of 0..255; what lies outside is clipped."""
    return ((image + 1) * 127.5).clip(0, 255).round().astype("uint8")
