"""The open head: a face model, and what it takes to draw one."""

import functools
import pathlib
import zipfile
import zlib
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from slider_jax.batch import EXPRESSION
from slider_jax.face.atlas import PARTS as PARTS  # part ids are indices into it
from slider_jax.face.blendshapes import Blendshapes
from slider_jax.face.model import FaceModel
from slider_jax.face.sliders import (
    EMOTIONS,
    LIMITS,
    SLIDERS,
    VISEMES,
    partner,
    vector,
)

HEAD = pathlib.Path(__file__).parent.parent / "assets/head.npz"
REGIONS = ("lips", "eyelids", "ears", "face")
BASES = ("pca", "sparse")
# Parameter 1 is this many standard deviations (dossier A9, alternative): at one, a
# fifth of all entries would be clipped and every big smile with them. The open head has
# more where one of REQUESTS takes more, so that no slider stands still before its end:
# a jaw wide open takes 4, a wink 14.
PARAM_SCALE = 3.0
SPOKEN = np.stack([vector(viseme) for viseme in VISEMES.values()])
REQUESTS = np.stack(
    [LIMITS * np.isin(SLIDERS, n) for n in SLIDERS]
    + [LIMITS * np.isin(SLIDERS, (n, partner(n))) for n in SLIDERS]
    + [vector(emotion) for emotion in EMOTIONS.values()]
    + [*SPOKEN]
)


@struct.dataclass
class Head:
    """Arrays are NumPy, so that loading touches no device.

    Maps cover the skin block of the atlas: `place` in millimetres on the mean face,
    `scalp_map` in decimetres above the hairline, `regions` as bytes, `brow` as
    (0..1 from nose to temple, -1..1 from lower to upper edge), far away elsewhere,
    `source_uv` in MakeHuman's own atlas, v up. `source_vertex` are MakeHuman's ids.
    `people` are identity coefficients of plausible adults, `traits` say who they are:
    male, old (both 0..1), and African, Asian and Caucasian shares.
    """

    face: FaceModel
    corner_uv: Float[Array, "f 3 2"]
    part: Int[Array, "f"]
    scalp: Float[Array, "v"]
    visibility: Float[Array, "v 10"]
    landmarks: Int[Array, "68"]
    dense_landmarks: Int[Array, "468"]
    place: Float[Array, "m m 3"]
    scalp_map: Float[Array, "m m"]
    regions: Float[Array, "4 m m"]
    brow: Float[Array, "m m 2"]
    source_uv: Float[Array, "m m 2"]
    source_vertex: Int[Array, "v"]
    people: Float[Array, "n i"]
    traits: Float[Array, "n 5"]


@functools.cache
def load_head(
    path: str | pathlib.Path = HEAD,
    *,
    basis: str = "pca",
    param_scale: float | None = None,
) -> Head:
    """The head, with expressions as principal or as sparse components.

    Parameter 1 is `param_scale` deviations; if None, PARAM_SCALE or what REQUESTS need.
    """
    if basis not in BASES:
        raise ValueError(f"Unknown basis {basis!r}; choose from {BASES}.")
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(
            f"No head at {path}: reinstall slider_jax, or build it with "
            "`python data_prep/build_head.py`."
        )
    try:
        with open(path, "rb") as file, np.load(file) as arrays:
            a = {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): reinstall slider_jax, or build it with "
            "`python data_prep/build_head.py`."
        ) from error
    # In float64 until what is summed up is: float32's last digits depend on the cores.
    units = a["units"].astype(np.float64)
    weight = a["weight"]
    drawn = units.reshape(len(units), -1)
    names = lambda kind, n: tuple(f"{kind}_{i + 1:02d}" for i in range(n))

    def shapes(kind, basis, orthonormal=True):
        deviation = a[f"{kind}_scale"]
        scale = (param_scale or PARAM_SCALE) * deviation
        if param_scale is None:
            requests = SPOKEN if kind == "speech" else REQUESTS
            scale = np.maximum(scale, _reach(basis, weight, requests @ drawn))
        labels = names(kind, len(scale))
        basis = basis.astype(np.float32)
        return Blendshapes(basis, scale, weight, labels, orthonormal)

    def pca(kind):
        return shapes(kind, np.tensordot(a[f"{kind}_of_units"], units, axes=1))

    def sparse():
        return shapes("sparse", a["sparse_basis"].astype(np.float64), False)

    face = FaceModel(
        mean=a["mean"] + a["mean_person"],
        identities=a["identities"].astype(np.float32),
        expression=pca("expression") if basis == "pca" else sparse(),
        speech=pca("speech"),
        units=units.astype(np.float32),
        triangles=a["triangles"].astype(np.int32),
        mirror=a["mirror"].astype(np.int32),
        slider_names=SLIDERS,
    )
    return Head(
        face=face,
        corner_uv=a["corner_uv"],
        part=a["part"].astype(np.int32),
        scalp=a["scalp"].astype(np.float32),
        visibility=a["visibility"].astype(np.float32),
        landmarks=a["landmarks"].astype(np.int32),
        dense_landmarks=a["dense_landmarks"].astype(np.int32),
        place=a["place"].astype(np.float32),
        scalp_map=a["scalp_map"].astype(np.float32),
        regions=a["regions"].astype(np.float32) / 255,
        brow=a["brow"].astype(np.float32),
        source_uv=a["source_uv"].astype(np.float32) / 65535,
        source_vertex=a["source_vertex"].astype(np.int32),
        people=a["people"].astype(np.float32),
        traits=a["traits"].astype(np.float32),
    )


def dense_points(
    vector: Float[np.ndarray, "k"], which: Sequence[int]
) -> Float[np.ndarray, "n 3"]:
    """Of the 468, on a mean face that wears the vector, with speech or without."""
    return _places(vector, load_head().dense_landmarks[list(which)])


def irises(vector: Float[np.ndarray, "k"]) -> Float[np.ndarray, "2 3"]:
    """Their middles, the right eye's first, on such a face."""
    return _places(vector, _fronts_of_eyes()).reshape(2, -1, 3).mean(1)


@functools.cache
def _fronts_of_eyes():
    """Vertices, as many of either eye."""
    head = load_head()
    eyes = np.unique(head.face.triangles[head.part == PARTS.index("eye")])
    x, _, z = np.asarray(head.face.mean)[eyes].T
    sides = [eyes[side][np.argsort(-z[side])[:8]] for side in (x < 0, x > 0)]
    return np.concatenate(sides)


def _places(vector, at):
    head, vector = load_head(), np.asarray(vector, np.float64)
    place = np.asarray(head.face.mean, np.float64)[at]
    worn = {"expression": vector[:EXPRESSION], "speech": vector[EXPRESSION:]}
    for name, values in worn.items():
        shapes = getattr(head.face, name)
        moves = np.asarray(shapes.basis)[: len(values), at]
        place = place + np.tensordot(values * shapes.scale[: len(values)], moves, 1)
    return place


def _reach(basis, weight, drawn):
    """The largest coefficient that any of the drawn shapes has, of every component."""
    flat = basis.reshape(len(basis), -1)
    heavy = (basis * weight[:, None]).reshape(len(basis), -1)
    coefficients = np.linalg.solve(heavy @ flat.T, heavy @ drawn.T)
    return np.abs(coefficients).max(1).astype(np.float32)


def vertex_normals(
    vertices: Float[Array, "v 3"], triangles: Int[Array, "f 3"]
) -> Float[Array, "v 3"]:
    """Unit normals, triangles weighted by area."""
    normal = area_normals(vertices, triangles)
    return normal / (jnp.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9)


def area_normals(
    vertices: Float[Array, "v 3"], triangles: Int[Array, "f 3"]
) -> Float[Array, "v 3"]:
    """Normals as long as twice the area of the triangles round each vertex."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    normal = jnp.cross(b - a, c - a)
    return jnp.zeros_like(vertices).at[triangles.T].add(normal[None])
