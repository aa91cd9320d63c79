"""Folders of OBJ files with the same vertices: ICT-FaceKit, and any morph targets."""

import pathlib

import numpy as np
from jaxtyping import Float, Int

from slider_jax.face.formats.assemble import assemble
from slider_jax.face.formats.matlab import reading
from slider_jax.face.model import FaceModel

NEUTRAL = "generic_neutral_mesh.obj"
EXPECTED = "a Wavefront OBJ mesh"
SIDES = {"_L": "Left", "_R": "Right"}


def ict_facekit(path: str | pathlib.Path) -> FaceModel:
    """ICT-FaceKit, or its folder FaceXModel, in centimetres.

    Identity files are one standard deviation from the neutral mesh; every other file
    is a unit, named in ARKit's way: eyeBlink_L is eyeBlinkLeft.
    """
    folder = pathlib.Path(path)
    if not (folder / NEUTRAL).is_file():
        folder = folder / "FaceXModel"
    neutral = folder / NEUTRAL
    if not neutral.is_file():
        raise FileNotFoundError(f"{path} has no {NEUTRAL}; give ICT-FaceKit's folder.")
    others = [p for p in _obj_files(folder) if p != neutral]
    people = [p for p in others if p.stem.startswith("identity")]
    units = [p for p in others if p not in people]
    names = tuple(_arkit_name(p.stem) for p in units)
    return _from_files(neutral, people, units, names, 10.0)


def morph_targets(path: str | pathlib.Path) -> FaceModel:
    """A neutral mesh, and a unit for every other OBJ file, named by its stem.

    The neutral is neutral.obj, or the first with `neutral` in its name, or the first.
    """
    files = _obj_files(pathlib.Path(path))
    if len(files) < 2:
        raise FileNotFoundError(
            f"{path} holds {len(files)} .obj files; give a folder with a neutral mesh "
            "and one morph target or more."
        )
    rank = lambda p: (p.stem.lower() != "neutral", "neutral" not in p.stem.lower())
    neutral = min(files, key=rank)
    units = [p for p in files if p != neutral]
    return _from_files(neutral, [], units, tuple(p.stem for p in units), None)


def _obj_files(folder):
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".obj")


def _from_files(neutral, people, units, names, millimetres):
    with reading(neutral, EXPECTED):
        mean, triangles = read_obj(neutral)
    identities, shapes = _offsets(people, mean), _offsets(units, mean)
    with reading(neutral.parent, "a folder of OBJ morph targets"):
        return assemble(
            mean,
            identities,
            shapes,
            triangles,
            millimetres=millimetres,
            unit_names=names,
        )


def _arkit_name(stem):
    return stem[:-2] + SIDES[stem[-2:]] if stem[-2:] in SIDES else stem


def _offsets(files, mean):
    offsets = np.zeros((len(files), *mean.shape), np.float32)
    for i, path in enumerate(files):
        with reading(path, EXPECTED):
            vertices = _vertices(path.read_bytes().splitlines())
        if len(vertices) != len(mean):
            raise ValueError(
                f"{path} has {len(vertices)} vertices where the neutral mesh has "
                f"{len(mean)}."
            )
        offsets[i] = vertices - mean
    return offsets


def read_obj(
    path: pathlib.Path,
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Vertices and faces, polygons cut into fans; texture and normals are left out."""
    lines = path.read_bytes().splitlines()
    triangles, count = [], 0
    for line in lines:
        words = line.split()
        if words[:1] == [b"v"]:
            count += 1
        elif words[:1] == [b"f"]:
            corners = [int(word.split(b"/")[0]) for word in words[1:]]
            # Negative numbers count back from the latest vertex.
            corners = [c - 1 if c > 0 else count + c for c in corners]
            fan = zip(corners[1:], corners[2:], strict=False)
            triangles += [(corners[0], *edge) for edge in fan]
    if not triangles:
        raise ValueError("it has no faces")
    return _vertices(lines), np.array(triangles)


def _vertices(lines):
    rows = [line.split(None, 4)[1:4] for line in lines if line[:2] in (b"v ", b"v\t")]
    if not rows:
        raise ValueError("it has no vertices")
    return np.array(rows).astype(np.float32)
