"""Linear models of facial motion: vertex offsets from a few numbers (paper, sec. 3.1).

Parameters are normalised: a component at 1 moves the mesh by `scale` millimetres
along its basis vector, and zero is the neutral face. Models add, because offsets do.
"""

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

RIDGE = 1e-5


@struct.dataclass
class Blendshapes:
    """`basis` is orthonormal under the metric `weight` when `orthonormal` is true.

    The metric lets a blink, which moves few vertices, count as much as a jaw.
    """

    basis: Float[Array, "k v 3"]
    scale: Float[Array, "k"]
    weight: Float[Array, "v"]
    names: tuple[str, ...] = struct.field(pytree_node=False)
    orthonormal: bool = struct.field(pytree_node=False, default=True)

    def offsets(self, parameters: Float[Array, "k"]) -> Float[Array, "v 3"]:
        """Millimetres to add to a neutral mesh. For many, `jax.vmap`."""
        return jnp.tensordot(parameters * self.scale, self.basis, axes=1)

    def project(self, offsets: Float[Array, "v 3"]) -> Float[Array, "k"]:
        """p = Uᵀ(S - s̄) for an orthonormal basis, ridge least squares otherwise.

        Not clipped: see `clip`.
        """
        weighted = offsets * self.weight[:, None]
        coefficients = jnp.tensordot(self.basis, weighted, axes=2)
        if not self.orthonormal:
            coefficients = jnp.linalg.solve(_gram(self), coefficients)
        return coefficients / self.scale


def _gram(shapes: Blendshapes) -> Float[Array, "k k"]:
    weighted = shapes.basis * shapes.weight[None, :, None]
    gram = jnp.tensordot(shapes.basis, weighted, axes=((1, 2), (1, 2)))
    return gram + RIDGE * jnp.eye(len(gram), dtype=gram.dtype)


def clip(parameters: np.ndarray) -> tuple[np.ndarray, float]:
    """Into [-1, 1], and the fraction of entries that had to be (dossier A9)."""
    clipped = np.clip(parameters, -1.0, 1.0)
    return clipped, float(np.mean(clipped != parameters))
