"""Users' own face models, read into `FaceModel` without running what is in them.

| model | file | lengths | expressions |
|---|---|---|---|
| Basel 2009 | `.mat`: shapeMU, shapePC, shapeEV, tl | micrometres | a second file |
| Basel 2017 | `.h5`: shape/model, expression/model | millimetres | its own |
| FLAME | `.pkl`, `.npz`: v_template, shapedirs, f | metres | its own |
| LSFM, 4DFAB | `.mat`: mean, U, eigenvalues, trilist | from size | a second file |
| ICT-FaceKit | folder with generic_neutral_mesh.obj | centimetres | named units |
| morph targets | folder of OBJ files, one neutral | from size | named units |

"From size" is a guess: a face is about 200 mm, whatever power of ten it is in.
"""

import pathlib
from collections.abc import Callable

from slider_jax.face.formats.basel import basel_2017
from slider_jax.face.formats.flame import flame
from slider_jax.face.formats.matlab import is_hdf5
from slider_jax.face.formats.objects import NEUTRAL, ict_facekit, morph_targets
from slider_jax.face.formats.principal import matlab_model
from slider_jax.face.model import FaceModel

EXPECTED = (
    "a Basel 2009, LSFM or 4DFAB .mat, a Basel 2017 .h5, a FLAME .pkl or .npz, an "
    "ICT-FaceKit folder, or a folder of OBJ morph targets"
)


def load(
    path: str | pathlib.Path,
    *,
    expressions: str | pathlib.Path | None = None,
    components: int = 30,
) -> FaceModel:
    """The face model in a file or folder, its format told from what is inside.

    `expressions` is a second file for identity models (see `expression_file.read`).
    Of statistical expressions the first `components` are kept, of named units all.
    Parameter 1 is three standard deviations.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}; give {EXPECTED}.")
    reader = recognise(path)
    if reader is matlab_model:
        return reader(path, expressions=expressions, components=components)
    if expressions is not None:
        raise ValueError(
            f"{path} brings its own expressions; leave out {expressions}, which only "
            "Basel 2009, LSFM and 4DFAB models take."
        )
    if reader in (ict_facekit, morph_targets):
        return reader(path)
    return reader(path, components=components)


def recognise(path: pathlib.Path) -> Callable[..., FaceModel]:
    """The function that reads this file or folder."""
    if path.is_dir():
        inside = (path / NEUTRAL, path / "FaceXModel" / NEUTRAL)
        return ict_facekit if any(p.is_file() for p in inside) else morph_targets
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith((b"PK\x03\x04", b"\x80")) or path.suffix == ".pkl":
        return flame
    if path.suffix == ".mat" or start.startswith(b"MATLAB"):
        return matlab_model
    if is_hdf5(path):
        return basel_2017
    raise ValueError(f"{path} is no face model we know; give {EXPECTED}.")
