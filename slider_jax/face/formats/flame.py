"""FLAME, whose file is a pickle: read without letting it run anything.

A pickle is a little program. `_Numbers` lets it name only the few things a FLAME file
needs, and gives it inert stand-ins for those too: arrays are rebuilt here from their
bytes, so that not even NumPy's own reconstruction is at the file's mercy.
"""

import pathlib
import pickle
import zipfile

import numpy as np

from slider_jax.face.formats.assemble import assemble
from slider_jax.face.formats.matlab import reading
from slider_jax.face.model import FaceModel

KEYS = ("v_template", "shapedirs", "f")
IDENTITIES = 300  # the first of shapedirs; expressions follow
EXPECTED = "a FLAME model (a .pkl or .npz with v_template, shapedirs and f)"


def flame(path: str | pathlib.Path, *, components: int = 30) -> FaceModel:
    """generic_model.pkl and its kin, in metres. Jaw, neck and eye joints are left out.

    shapedirs are at one standard deviation as they are.
    """
    with reading(path, EXPECTED):
        read = read_npz if zipfile.is_zipfile(path) else read_pickle
        mean, directions, triangles = read(path)
        if mean.ndim != 2 or directions.shape[:2] != mean.shape or mean.shape[1] != 3:
            raise ValueError(
                f"shapedirs of {directions.shape} do not fit v_template of {mean.shape}"
            )
        offsets = np.moveaxis(directions, 2, 0).astype(np.float32)
        return assemble(
            mean.astype(np.float32),
            offsets[:IDENTITIES],
            offsets[IDENTITIES:][:components],
            triangles.astype(np.int64),
            millimetres=1000.0,
        )


def read_npz(path: str | pathlib.Path) -> list[np.ndarray]:
    """The arrays KEYS of an .npz, which cannot hold objects here."""
    with np.load(path, allow_pickle=False) as arrays:
        return [_numbers(arrays, key) for key in KEYS]


def read_pickle(path: str | pathlib.Path) -> list[np.ndarray]:
    """The arrays KEYS of a pickle, which cannot do anything here."""
    with open(path, "rb") as file:
        contents = _Numbers(file, encoding="latin1").load()
    if not isinstance(contents, dict):
        raise ValueError("it is a pickle of something else")
    return [_numbers(contents, key) for key in KEYS]


def _numbers(contents, key):
    if key not in contents:
        raise ValueError(f"it has no {key}")
    value = contents[key]
    if isinstance(value, _Inert):
        value = value.x
    if isinstance(value, _Array):
        value = value.numbers
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise ValueError(f"its {key} is not an array of numbers")
    return value


class _Inert:
    """Takes whatever it is given. For a chumpy Ch, `x` is the array inside."""

    x = None

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        if isinstance(state, dict):
            self.x = state.get("x")


class _Dtype:
    def __init__(self, code, *_):
        self.code = code
        self.order = "="

    def __setstate__(self, state):
        self.order = state[1]

    def decode(self, raw, shape, order):
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if self.code[0] not in "biuf":
            return None  # names and styles, which we do not read
        numbers = np.frombuffer(raw, np.dtype(self.order + self.code))
        return numbers.reshape(shape, order=order)


class _Array:
    """numpy.ndarray as its pickle describes it: version, shape, dtype, order, bytes."""

    numbers = None

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        _, shape, dtype, fortran, raw = state
        self.numbers = dtype.decode(raw, shape, "F" if fortran else "C")


def _from_buffer(raw, dtype, shape, order, *_):
    array = _Array()
    array.numbers = dtype.decode(raw, shape, order)
    return array


PYTHON_2 = {"copy_reg": "copyreg", "__builtin__": "builtins"}
# What a pickle may name, in the spelling of NumPy 1 and of NumPy 2.
STAND_INS = {
    "numpy.ndarray": _Inert,
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": _Inert,
    "numpy._core.multiarray.scalar": _Inert,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "scipy.sparse.csc.csc_matrix": _Inert,
    "scipy.sparse._csc.csc_matrix": _Inert,
    "chumpy.ch.Ch": _Inert,
    "copyreg._reconstructor": lambda stand_in, *_: stand_in(),
    "builtins.object": _Inert,
    "builtins.set": _Inert,
    "_codecs.encode": lambda text, *_: text.encode("latin1"),
}


class _Numbers(pickle.Unpickler):
    def find_class(self, module, name):
        wanted = f"{PYTHON_2.get(module, module)}.{name}"
        if wanted not in STAND_INS:
            raise ValueError(f"it asks for {wanted}, so it was not loaded")
        return STAND_INS[wanted]
