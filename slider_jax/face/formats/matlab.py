"""Named arrays of numbers out of MATLAB and HDF5 files, and where they stand in them.

Spellings differ between releases, so names are compared without case and underscores.
"""

import contextlib
import pathlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from slider_jax.face.formats.matlab5 import read_mat5

TRIANGLES = ("trilist", "tl", "tri", "faces", "triangles")
VARIANCES = ("eigenvalues", "eigenvalue", "d", "ev", "lambda")
IDENTITY_SPELLING = {
    "basis": ("shapepc", "components", "u", "pc", "w"),
    "deviations": ("shapeev", "sigma"),
    "variances": VARIANCES,
    "scaled": ("idbasis", "idbase"),
}
EXPRESSION_SPELLING = {
    "basis": ("exppc", "wexp"),
    "deviations": ("expev", "sigmaexp"),
    "variances": (),
    "scaled": ("expbasis", "exbase"),
}
EXPRESSION_FILE_SPELLING = {
    "basis": ("exppc", "wexp", "components", "u", "pc", "w"),
    "deviations": ("expev", "sigmaexp", "sigma"),
    "variances": VARIANCES,
    "scaled": ("expbasis", "exbase"),
}


@contextlib.contextmanager
def reading(path: str | pathlib.Path, expected: str) -> Iterator[None]:
    """Whatever a user's file does to its reader becomes one sentence that names it."""
    try:
        yield
    except FileNotFoundError:
        raise
    except ImportError as error:
        raise ValueError(
            f"Reading {path} needs {error.name}: pip install 'slider_jax[prepare]'."
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"{path} is not {expected}: {reason}.") from error


def is_hdf5(path: pathlib.Path) -> bool:
    """MATLAB 7.3 files are HDF5 behind 512 bytes of greeting."""
    with path.open("rb") as file:
        start = file.read(520)
    return b"\x89HDF\r\n\x1a\n" in (start[:8], start[512:])


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Every numeric array of a MATLAB file; a struct gives its fields."""
    found = {}
    if is_hdf5(path):
        import h5py

        def visit(name, item):
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf":
                found[plain(name.split("/")[-1])] = item[()].T  # columns come first

        with h5py.File(path, "r") as file:
            file.visititems(visit)
        return found
    return {plain(name): array for name, array in read_mat5(path).items()}


def plain(name: str) -> str:
    return name.lower().replace("_", "")


def first_of(
    arrays: dict[str, np.ndarray], names: tuple[str, ...]
) -> np.ndarray | None:
    """The first of these spellings that is there, or None."""
    return next((arrays[name] for name in names if name in arrays), None)


def need(arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    value = first_of(arrays, names)
    if value is None:
        raise ValueError(f"it has no {' or '.join(names)}")
    return value


def points(flat: np.ndarray) -> Float[np.ndarray, "v 3"]:
    """x1 y1 z1 x2 ... as vertices."""
    return np.ravel(flat).reshape(-1, 3).astype(np.float32)


def modes(matrix: np.ndarray, vertices: int) -> Float[np.ndarray, "k v 3"]:
    """The columns of a [3v, k] matrix, or of its transpose, as offsets."""
    matrix = matrix.reshape(len(matrix), -1)
    rows = matrix if len(matrix) != 3 * vertices else matrix.T
    if rows.shape[1] != 3 * vertices:
        raise ValueError(
            f"a basis of {matrix.shape} does not fit a mesh of {vertices} vertices"
        )
    return rows.reshape(-1, vertices, 3).astype(np.float32)


def scaled_modes(
    arrays: dict[str, np.ndarray], spelling: dict[str, tuple[str, ...]], vertices: int
) -> Float[np.ndarray, "k v 3"]:
    """Modes times their standard deviation, the square root of the eigenvalue."""
    scaled = first_of(arrays, spelling["scaled"])
    if scaled is not None:
        return modes(scaled, vertices)
    basis = modes(need(arrays, spelling["basis"]), vertices)
    deviation = first_of(arrays, spelling["deviations"])
    if deviation is None:
        deviation = need(arrays, spelling["variances"] or spelling["deviations"])
        if deviation.ndim == 2 and deviation.shape[0] == deviation.shape[1]:
            deviation = np.diag(deviation)
        deviation = np.sqrt(np.maximum(deviation, 0))
    deviation = np.ravel(deviation)
    if len(deviation) < len(basis):
        raise ValueError(f"it has {len(deviation)} eigenvalues for {len(basis)} modes")
    return basis * deviation[: len(basis), None, None].astype(np.float32)


def read_triangles(
    arrays: dict[str, np.ndarray], vertices: int
) -> Int[np.ndarray, "f 3"]:
    """Counted from zero; MATLAB counts from one, LSFM's `trilist` does not."""
    triangles = np.asarray(need(arrays, TRIANGLES)).astype(np.int64)
    triangles = triangles.reshape(len(triangles), -1)
    triangles = triangles if triangles.shape[1] == 3 else triangles.T
    if triangles.shape[1] != 3 or not len(triangles):
        raise ValueError("its triangles do not have three corners")
    python = "trilist" in arrays and triangles.max() < vertices
    return triangles - (triangles.min() >= 1 and not python)
