"""Between named sliders and components, as plain matrices: what an edit is made of."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from slider_jax.batch import EXPRESSION, SPEECH
from slider_jax.face.head import load_head
from slider_jax.face.sliders import LIMITS, MIRROR, SLIDERS, Sliders

SUM_PRICE, PRICE = 0.05, 0.05
DIGITS = 6  # decimals that a vector is kept to, so that mirrored ones agree bit by bit
Vector = Float[np.ndarray, "k"]


@dataclasses.dataclass(frozen=True)
class Maps:
    """Vectors have k = 30 components, or 40 with speech behind them."""

    components_of: Float[np.ndarray, "30 52"]  # sliders drawn by expressions alone
    sliders_of: Float[np.ndarray, "52 k"]
    speech_of: Float[np.ndarray, "s 52"]  # sliders drawn by speech alone, s = k - 30
    mirror: Float[np.ndarray, "k k"]

    @property
    def parameters(self) -> int:
        return len(self.mirror)

    def sliders(self, vector: Vector) -> Sliders:
        """Values in the range of each slider that explain the vector, and few of them.

        Thirty components cannot tell 52 sliders apart. Exact values are many small
        ones of both signs; these are found by non-negative least squares with a small
        price on their sum and on their squares. A slider alone is read back as itself.
        """
        drawn = self.components_of @ (self.sliders_of @ vector)
        price = [SUM_PRICE * np.ones((1, len(SLIDERS))), PRICE * np.eye(len(SLIDERS))]
        rows = np.concatenate([self.components_of, *price])
        values, _ = nnls(rows, np.append(drawn, np.zeros(len(SLIDERS) + 1)))
        return np.minimum(values, LIMITS).round(DIGITS)

    def reflect(self, vector: Vector) -> Vector:
        """The same face in a looking-glass."""
        return tidy(self.mirror @ vector)


def tidy(vector: Vector) -> Vector:
    """Into [-1, 1], what networks are trained on. Doing it twice changes nothing."""
    # Adding zero turns -0 into 0.
    return np.clip(vector, -1, 1).astype(np.float64).round(DIGITS) + 0.0


@functools.cache
def load_maps(parameters: int) -> Maps:
    """Those of the open head."""
    if parameters not in (EXPRESSION, EXPRESSION + SPEECH):
        raise ValueError(
            f"A model of {parameters} parameters has no named sliders: they need "
            f"{EXPRESSION}, or {EXPRESSION + SPEECH} with speech. Name another model, "
            "or compare this one with `slider evaluate`."
        )
    speaks = parameters > EXPRESSION
    # Which last digits come out depends on how many cores add up: drop them.
    wide = lambda x: x.astype(np.float64) if x.dtype == np.float32 else x
    face = jax.tree.map(wide, load_head().face)
    with jax.enable_x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
        matrices = jax.device_get(_matrices(face))
    of, to, speech, mirror = (x.round(9) for x in matrices)
    k = parameters
    # What rounding left of the symmetry is put right, so that left is as good as right.
    mirror = mirror.round(3)[:k, :k]
    of = (of + mirror[:EXPRESSION, :EXPRESSION] @ of[:, MIRROR]) / 2
    to = (to[:, :k] + to[MIRROR, :k] @ mirror) / 2
    other = mirror[EXPRESSION:, EXPRESSION:]
    speech = (speech + other @ speech[:, MIRROR]) / 2 if speaks else speech[:0]
    return Maps(of, to, speech, mirror)


@jax.jit
def _matrices(face):
    units = jnp.eye(len(SLIDERS))
    drawn = lambda sliders: jnp.tensordot(sliders, face.units, axes=1)
    columns = lambda f, unit: jax.vmap(f, out_axes=1)(unit)
    mirrors = [face.mirror_matrix(shapes) for shapes in (face.expression, face.speech)]
    return (
        columns(face.to_expression, units),
        columns(
            lambda both: face.to_sliders(both[:EXPRESSION], both[EXPRESSION:]),
            jnp.eye(EXPRESSION + SPEECH),
        ),
        columns(lambda sliders: face.speech.project(drawn(sliders)), units),
        jax.scipy.linalg.block_diag(*mirrors),
    )
