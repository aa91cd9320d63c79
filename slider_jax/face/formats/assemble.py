"""From the numbers in a file to a `FaceModel` in millimetres."""

import numpy as np
from jaxtyping import Float, Int

from slider_jax.face.blendshapes import Blendshapes
from slider_jax.face.head import PARAM_SCALE
from slider_jax.face.model import FaceModel

FACE_SIZE = 200.0  # the longest side of a face or head, give or take a factor of three
MIRROR_TOLERANCE = 5.0
NORMAL_REACH = 10.0  # millimetres that a turned-round normal counts for


def assemble(
    mean: Float[np.ndarray, "v 3"],
    identities: Float[np.ndarray, "i v 3"],
    expressions: Float[np.ndarray, "k v 3"],
    triangles: Int[np.ndarray, "f 3"],
    *,
    millimetres: float | None = None,
    unit_names: tuple[str, ...] | None = None,
) -> FaceModel:
    """Identities and expressions are offsets, at one standard deviation.

    `millimetres` is the length of the file's unit, guessed from the size of the mean
    without. With `unit_names` the expressions are named shapes at slider value 1.
    """
    for what, offsets in (
        ("mean", mean),
        ("modes", identities),
        ("modes", expressions),
    ):
        if not np.isfinite(offsets).all():
            raise ValueError(f"its {what} are not all finite")
    if not len(triangles) or triangles.min() < 0 or triangles.max() >= len(mean):
        raise ValueError(f"its triangles do not fit its {len(mean)} vertices")
    length = millimetres or guess_millimetres(mean)
    mean, identities, expressions = (
        (length * a).astype(np.float32) for a in (mean, identities, expressions)
    )
    triangles = outward(mean, triangles).astype(np.int32)
    named = unit_names is not None
    return FaceModel(
        mean=mean,
        identities=identities,
        expression=named_shapes(expressions, unit_names)
        if named
        else principal_shapes(expressions),
        speech=principal_shapes(expressions[:0]),
        units=expressions if named else expressions[:0],
        triangles=triangles,
        mirror=mirror_map(mean, triangles),
        slider_names=unit_names if named else (),
    )


def principal_shapes(offsets: Float[np.ndarray, "k v 3"]) -> Blendshapes:
    """Components from their offsets at one standard deviation.

    Parameter 1 is PARAM_SCALE deviations.
    """
    basis, norm = _normalised(offsets)
    flat = basis.reshape(len(basis), 3 * basis.shape[1])
    orthonormal = np.allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-3)
    names = tuple(f"expression_{i + 1:02d}" for i in range(len(basis)))
    weight = np.ones(offsets.shape[1], np.float32)
    return Blendshapes(basis, PARAM_SCALE * norm, weight, names, orthonormal)


def named_shapes(
    units: Float[np.ndarray, "u v 3"], names: tuple[str, ...]
) -> Blendshapes:
    """One component a unit: parameters are slider values."""
    basis, norm = _normalised(units)
    weight = np.ones(units.shape[1], np.float32)
    return Blendshapes(basis, norm, weight, names, False)


def _normalised(offsets):
    norm = np.sqrt(np.square(offsets).sum(axis=(1, 2)))
    norm[norm == 0] = 1  # a shape that moves nothing has parameter zero, not NaN
    return offsets / norm[:, None, None], norm


def guess_millimetres(mean: Float[np.ndarray, "v 3"]) -> float:
    """The power of ten that makes a face of the mean."""
    size = float(np.ptp(mean, axis=0).max())
    if size == 0:
        raise ValueError("all its vertices are in one place")
    return 10.0 ** np.round(np.log10(FACE_SIZE / size))


def outward(
    mean: Float[np.ndarray, "v 3"], triangles: Int[np.ndarray, "f 3"]
) -> Int[np.ndarray, "f 3"]:
    """Counter-clockwise from outside; Basel 2009, for one, has them the other way."""
    corners = mean[triangles]
    away = corners.mean(axis=1) - mean.mean(axis=0)
    return (
        triangles if (_area_normals(corners) * away).sum() >= 0 else triangles[:, ::-1]
    )


def _area_normals(corners):
    a, b, c = corners.swapaxes(0, 1)
    return np.cross(b - a, c - a)


def mirror_map(
    mean: Float[np.ndarray, "v 3"], triangles: Int[np.ndarray, "f 3"]
) -> Int[np.ndarray, "v"]:
    """The vertex nearest to each one's reflection, among those that face its way.

    The way matters where lips meet. A scanned mean is symmetric to a millimetre or two
    only, so the map need not be one to one. Where some vertex has nothing within
    MIRROR_TOLERANCE the mesh counts as asymmetric, and every vertex as its own mirror
    image: such a model must not be flipped.
    """
    from scipy.spatial import cKDTree

    normals = np.zeros_like(mean)
    np.add.at(normals, triangles, _area_normals(mean[triangles])[:, None])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    middle = (mean.min(axis=0) + mean.max(axis=0)) / 2 * [1, 0, 0]
    centred = mean - middle
    features = np.hstack([centred, NORMAL_REACH * normals])
    _, nearest = cKDTree(features).query(features * [-1, 1, 1, -1, 1, 1])
    distance = np.linalg.norm(centred[nearest] - centred * [-1, 1, 1], axis=1)
    if distance.max() > MIRROR_TOLERANCE:
        nearest = np.arange(len(mean))
    return nearest.astype(np.int32)
