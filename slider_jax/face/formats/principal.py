"""Principal components in a MATLAB file: Basel 2009, LSFM, 4DFAB and others."""

import pathlib

import numpy as np

from slider_jax.face.formats import expression_file
from slider_jax.face.formats.assemble import assemble
from slider_jax.face.formats.matlab import (
    EXPRESSION_SPELLING,
    IDENTITY_SPELLING,
    first_of,
    need,
    points,
    read_arrays,
    read_triangles,
    reading,
    scaled_modes,
)
from slider_jax.face.model import FaceModel

EXPECTED = (
    "an LSFM or 4DFAB model (a .mat with mean, components or U, eigenvalues or d, and "
    "trilist or tri)"
)
EXPECTED_BASEL = "a Basel 2009 model (a .mat with shapeMU, shapePC, shapeEV and tl)"
MEANS = ("mean", "shapemu", "mu", "meanshape", "mushape")


def matlab_model(
    path: str | pathlib.Path,
    *,
    expressions: str | pathlib.Path | None = None,
    components: int = 30,
) -> FaceModel:
    """Any model of a mean, modes and eigenvalues, whatever they are called.

    Basel 2009 (01_MorphableModel.mat) is known by its shapeMU: it is in micrometres,
    and its shapeEV are deviations. Elsewhere the unit is guessed. `expressions` are of
    the same mesh and unit, see `expression_file`. Files that hold both, side by side
    (id_basis and exp_basis) or in one basis (n_trunc_ids), keep theirs without.
    """
    with reading(path, "a whole MATLAB file"):
        arrays = read_arrays(pathlib.Path(path))
    basel = "shapemu" in arrays
    expected = EXPECTED_BASEL if basel else EXPECTED
    with reading(path, expected):
        mean = points(need(arrays, MEANS))
        identities = scaled_modes(arrays, IDENTITY_SPELLING, len(mean))
        triangles = read_triangles(arrays, len(mean))
        own = identities[:0]
        if "ntruncids" in arrays:
            first = int(arrays["ntruncids"].item())
            identities, own = identities[:first], identities[first:]
        names = EXPRESSION_SPELLING["scaled"] + EXPRESSION_SPELLING["basis"]
        if first_of(arrays, names) is not None:
            own = scaled_modes(arrays, EXPRESSION_SPELLING, len(mean))
    if expressions is not None:
        own, keep = expression_file.read(expressions, len(mean))
        if keep is not None:
            with reading(expressions, f"made for {path}"):
                mean, identities = mean[keep], identities[:, keep]
                triangles = _among(triangles, keep)
    with reading(path, expected):
        return assemble(
            mean,
            identities,
            own[:components],
            triangles,
            millimetres=1e-3 if basel else None,
        )


def _among(triangles, keep):
    """The triangles whose corners are all kept, in the new numbering."""
    number = np.full(max(triangles.max(), keep.max()) + 1, -1)
    number[keep] = np.arange(len(keep))
    triangles = number[triangles]
    return triangles[(triangles >= 0).all(axis=1)]
