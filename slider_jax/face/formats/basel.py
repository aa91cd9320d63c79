"""The Basel Face Model of 2017. That of 2009 is in `principal.py`."""

import pathlib

from slider_jax.face.formats.assemble import assemble
from slider_jax.face.formats.matlab import (
    need,
    plain,
    points,
    read_triangles,
    reading,
    scaled_modes,
)
from slider_jax.face.model import FaceModel

EXPECTED = (
    "a Basel 2017 model (an .h5 with shape/model/mean, pcaBasis and pcaVariance, "
    "expression/model and shape/representer/cells)"
)
SPELLING = {
    "basis": ("pcabasis",),
    "deviations": (),
    "variances": ("pcavariance",),
    "scaled": (),
}


def basel_2017(path: str | pathlib.Path, *, components: int = 30) -> FaceModel:
    """model2017-1_*.h5, in millimetres. Its mean expression is left out.

    Basel adds it to every face; here zero is the neutral one.
    """
    with reading(path, EXPECTED):
        import h5py

        with h5py.File(path, "r") as file:
            shape = _group(file, "shape/model")
            mean = points(need(shape, ("mean",)))
            identities = scaled_modes(shape, SPELLING, len(mean))
            expressions = identities[:0]
            if "expression/model" in file:
                model = _group(file, "expression/model")
                expressions = scaled_modes(model, SPELLING, len(mean))
            cells = {"trilist": file["shape/representer/cells"][()]}
        triangles = read_triangles(cells, len(mean))
        return assemble(
            mean, identities, expressions[:components], triangles, millimetres=1.0
        )


def _group(file, name):
    return {plain(key): value[()] for key, value in file[name].items()}
