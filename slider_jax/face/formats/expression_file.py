"""Expressions for models of identity only, from a file of their own."""

import pathlib

import numpy as np
from jaxtyping import Float, Int

from slider_jax.face.formats.matlab import (
    EXPRESSION_FILE_SPELLING,
    first_of,
    read_arrays,
    reading,
    scaled_modes,
)

EXPECTED = (
    "an expression basis (a .mat with w_exp and sigma_exp, as Model_Expression.mat, or "
    "with U and d, as 4DFAB's, or Exp_Pca.bin beside std_exp.txt)"
)
NEIGHBOURS = ("model_info.mat", "Model_info.mat", "BFM_exp_idx.mat")


def read(
    path: str | pathlib.Path, vertices: int
) -> tuple[Float[np.ndarray, "k n 3"], Int[np.ndarray, "n"] | None]:
    """Offsets at one deviation, in the model's own unit; and which vertices they move.

    FaceWarehouse's expressions cover 53,215 of Basel 2009's 53,490 vertices: those that
    `trimIndex` names, in this file or in one of its NEIGHBOURS. Without one (None) the
    expressions must have all the vertices of the model. The mean expression that some
    files have is left out: zero is the neutral face.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; give {EXPECTED}.")
    with reading(path, EXPECTED):
        arrays = _read_binary(path) if path.suffix == ".bin" else read_arrays(path)
        keep = None
        if _count(arrays) != vertices:
            keep = _trim_index(path, arrays)
            vertices = vertices if keep is None else len(keep)
        return scaled_modes(arrays, EXPRESSION_FILE_SPELLING, vertices), keep


def _count(arrays):
    names = EXPRESSION_FILE_SPELLING["scaled"] + EXPRESSION_FILE_SPELLING["basis"]
    basis = first_of(arrays, names)
    return 0 if basis is None else max(basis.shape) // 3


def _trim_index(path, arrays):
    others = (path.parent / name for name in NEIGHBOURS)
    for file in (arrays, *(read_arrays(p) for p in others if p.is_file())):
        if "trimindex" in file:
            return np.ravel(file["trimindex"]).astype(np.int64) - 1
    return None


def _read_binary(path):
    """Guo's Exp_Pca.bin: a count, the mean, one mode after the other."""
    raw = path.read_bytes()
    count = int(np.frombuffer(raw, "<i4", 1)[0])
    deviations = path.with_name("std_exp.txt")
    if not deviations.is_file():
        raise ValueError(f"its standard deviations, {deviations}, are missing")
    rows = np.frombuffer(raw, "<f4", offset=4).reshape(count + 1, -1)
    return {"exppc": rows[1:].T, "expev": np.loadtxt(deviations, ndmin=1)}
