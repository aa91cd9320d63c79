"""A linear 3D face: a mean, identities, and what a face can do."""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from slider_jax.face.blendshapes import RIDGE, Blendshapes


@struct.dataclass
class FaceModel:
    """Vertices are in millimetres: x to the face's left, y up, z out of the face.

    `identities` are scaled so that people have N(0, 1) coefficients. `units` are the
    named shapes behind the sliders, at slider value 1 (none: an empty first axis).
    `mirror[i]` is the vertex opposite vertex i.
    """

    mean: Float[Array, "v 3"]
    identities: Float[Array, "i v 3"]
    expression: Blendshapes
    speech: Blendshapes
    units: Float[Array, "u v 3"]
    triangles: Int[Array, "f 3"]
    mirror: Int[Array, "v"]
    slider_names: tuple[str, ...] = struct.field(pytree_node=False)

    def neutral(self, identity: Float[Array, "i"]) -> Float[Array, "v 3"]:
        """The resting mesh of one person."""
        return self.mean + jnp.tensordot(identity, self.identities, axes=1)

    def vertices(
        self,
        identity: Float[Array, "i"],
        expression: Float[Array, "k"],
        speech: Float[Array, "s"] | None = None,
    ) -> Float[Array, "v 3"]:
        """The mesh of one face. For many, `jax.vmap(face.vertices)`."""
        mesh = self.neutral(identity) + self.expression.offsets(expression)
        return mesh if speech is None else mesh + self.speech.offsets(speech)

    def with_sliders(
        self, identity: Float[Array, "i"], sliders: Float[Array, "u"]
    ) -> Float[Array, "v 3"]:
        """The mesh of one face wearing named sliders, in [0, 1]."""
        return self.neutral(identity) + jnp.tensordot(sliders, self.units, axes=1)

    def to_expression(self, sliders: Float[Array, "u"]) -> Float[Array, "k"]:
        """Named sliders as components: the projection of the mesh they draw."""
        return self.expression.project(jnp.tensordot(sliders, self.units, axes=1))

    def to_sliders(
        self, expression: Float[Array, "k"], speech: Float[Array, "s"] | None = None
    ) -> Float[Array, "u"]:
        """The slider values whose mesh comes nearest to these components' mesh.

        Components built from the units lie in their span, so there the mesh is the
        same; a value may then be a little below 0 or above 1.
        """
        offsets = self.expression.offsets(expression)
        if speech is not None:
            offsets = offsets + self.speech.offsets(speech)
        gram = jnp.tensordot(self.units, self.units, axes=((1, 2), (1, 2)))
        moments = jnp.tensordot(self.units, offsets, axes=2)
        ridge = RIDGE * jnp.eye(len(gram), dtype=gram.dtype)
        return jnp.linalg.solve(gram + ridge, moments)

    def reflect(self, mesh: Float[Array, "v 3"]) -> Float[Array, "v 3"]:
        """The mesh in a looking-glass, its vertices back in their own order."""
        return mesh[self.mirror] * jnp.array([[-1.0, 1.0, 1.0]])

    def mirror_matrix(self, shapes: Blendshapes) -> Float[Array, "k k"]:
        """F = U⁺ M U: parameters of the flipped face are F @ parameters."""
        one = lambda unit: shapes.project(self.reflect(shapes.offsets(unit)))
        return jax.vmap(one, out_axes=1)(jnp.eye(len(shapes.scale)))
