"""LSFM, 4DFAB, and other principal components in a MATLAB file."""

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
MEANS = ("mean", "shapemu", "mu", "meanshape", "mushape")


def lsfm(
    path: str | pathlib.Path,
    *,
    expressions: str | pathlib.Path | None = None,
    components: int = 30,
) -> FaceModel:
    """Identities of LSFM, with 4DFAB's or other `expressions` of the same mesh.

    Files that hold both, side by side (id_basis and exp_basis) or in one basis
    (n_trunc_ids), keep theirs unless `expressions` is given.
    """
    return matlab_model(path, EXPECTED, None, expressions, components)


def matlab_model(
    path: str | pathlib.Path,
    expected: str,
    millimetres: float | None,
    expressions: str | pathlib.Path | None,
    components: int,
) -> FaceModel:
    """Any model of a mean, modes and eigenvalues, whatever they are called."""
    with reading(path, expected):
        arrays = read_arrays(pathlib.Path(path))
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
            mean, identities, own[:components], triangles, millimetres=millimetres
        )


def _among(triangles, keep):
    """The triangles whose corners are all kept, in the new numbering."""
    number = np.full(max(triangles.max(), keep.max()) + 1, -1)
    number[keep] = np.arange(len(keep))
    triangles = number[triangles]
    return triangles[(triangles >= 0).all(axis=1)]
