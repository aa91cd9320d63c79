"""Hair as a mesh that sits on the head: read, bound to our vertices, and put on.

The files are three.js models (version 3) that MakeHuman wears: every vertex hangs on
three vertices of the body by weights, plus an offset in decimetres.
"""

import json
import pathlib
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int
from scipy.spatial import cKDTree

from slider_jax.face import lighting
from slider_jax.face.atlas import PARTS
from slider_jax.face.head import Head

CUT = 0.5  # of the atlas' alpha
_QUAD = 11  # three.js for: a quadrangle with a material and texture coordinates
_CELL = 5.0  # mm: what is thinner casts no shadow
_DIRECTIONS = 64
_THROUGH = 0.25  # of light that passes hair
_STRANDS = 0.7  # of light that strands leave each other
_DEEP = 8.0  # mm: what lies deeper in the hair is never seen


@struct.dataclass
class Proxy:
    """A mesh that hangs on the head at rest, so that it keeps still when faces move.

    `offset` is in millimetres on the mean head, `span` the size of its crown.
    """

    reference: Int[Array, "h 3"]
    weight: Float[Array, "h 3"]
    offset: Float[Array, "h 3"]
    normal: Float[Array, "h 3"]
    visibility: Float[Array, "h 10"]
    crown: Int[Array, "n"]
    span: Float[Array, "3"]


def put_on(proxy: Proxy, rest: Float[Array, "v 3"]) -> Float[Array, "h 3"]:
    """Vertices of the mesh on a person; what stands off grows with the head."""
    crown = rest[proxy.crown]
    scale = (crown.max(0) - crown.min(0)) / proxy.span
    hung = (rest[proxy.reference] * proxy.weight[..., None]).sum(1)
    return hung + proxy.offset * scale[None]


class Mesh(NamedTuple):
    """A proxy as its file has it; `uv` with v up, `place` in decimetres."""

    reference: np.ndarray  # [h 3], MakeHuman's vertex ids
    weight: np.ndarray  # [h 3]
    offset: np.ndarray  # [h 3]
    place: np.ndarray  # [h 3], on MakeHuman's base mesh
    triangles: np.ndarray  # [f 3]
    uv: np.ndarray  # [f 3 2]
    picture: pathlib.Path


def read(path: pathlib.Path) -> Mesh:
    """Quadrangles become triangles; those that are lines are left out."""
    model = json.loads(path.read_text())
    faces = np.array(model["faces"]).reshape(-1, 10)
    if not (faces[:, 0] == _QUAD).all():
        raise ValueError(f"{path} has faces that are not textured quadrangles.")
    halves = lambda quads: np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    triangles, corners = halves(faces[:, 1:5]), halves(faces[:, 6:10])
    a, b, c = triangles.T
    real = (a != b) & (b != c) & (c != a)
    return Mesh(
        reference=np.array(model["ref_vIdxs"]),
        weight=np.array(model["weights"], float),
        offset=np.array(model["offsets"], float),
        place=np.array(model["vertices"], float).reshape(-1, 3),
        triangles=triangles[real],
        uv=np.array(model["uvs"][0]).reshape(-1, 2)[corners[real]],
        picture=path.parent / model["materials"][0]["mapDiffuse"],
    )


def bind(mesh: Mesh, head: Head) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """References to our vertices, weights, and offsets in millimetres: [h 3] each.

    Some hair hangs on vertices that our head lacks. Its place on the mean head is found
    from its place on the base mesh, by the affine map that fits the rest of the hair,
    and it hangs on whatever of the head's outside is nearest there.
    """
    new = np.full(1 + max(mesh.reference.max(), head.source_vertex.max()), -1)
    new[head.source_vertex] = np.arange(len(head.source_vertex))
    reference, weight, offset = new[mesh.reference], mesh.weight, 100 * mesh.offset
    known = (reference >= 0).all(1)
    mean = np.asarray(head.face.mean, float)
    hung = (mean[reference] * weight[..., None]).sum(1) + offset
    if not known.all():
        base = np.concatenate([mesh.place, np.ones((len(known), 1))], 1)
        fit, *_ = np.linalg.lstsq(base[known], hung[known], rcond=None)
        outside = np.isin(head.part, [PARTS.index(p) for p in ("skin", "long hair")])
        outside = np.unique(head.face.triangles[outside])
        place = base[~known] @ fit
        away, nearest = cKDTree(mean[outside]).query(place, k=3)
        close = 1 / (away + 1)
        close = close / close.sum(1, keepdims=True)
        hold = outside[nearest]
        reference[~known] = hold
        weight = np.where(known[:, None], weight, 0.0)
        weight[~known] = close
        offset = np.where(known[:, None], offset, 0.0)
        offset[~known] = place - (mean[hold] * close[..., None]).sum(1)
    return reference, weight, offset


def normals(place: np.ndarray, triangles: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Outward unit normals [h 3]: half the mesh's own, half away from the centre.

    Cards of hair lie at all angles and must not be lit like sheets of paper.
    """
    a, b, c = (place[triangles[:, i]] for i in range(3))
    own = np.zeros_like(place)
    away = _unit(place - centre)
    across = _unit(np.cross(b - a, c - a))
    across *= np.sign((across * away[triangles[:, 0]]).sum(1, keepdims=True))
    for i in range(3):
        np.add.at(own, triangles[:, i], across)
    return _unit(_unit(own) + away)


def shade(
    head: Head,
    seen: Float[np.ndarray, "v 10"],
    place: Float[np.ndarray, "h 3"],
    normal: Float[np.ndarray, "h 3"],
    solid: Float[np.ndarray, "p 3"],
) -> tuple[Float[np.ndarray, "v 10"], Float[np.ndarray, "h 10"]]:
    """What the head, and the hair, see of the sky when the hair is worn.

    `seen` is `Head.visibility` without hair, `solid` are points all over the hair. For
    every direction, the points nearest to the light hide what lies behind them.
    """
    mean = np.asarray(head.face.mean, float)
    skin = head.face.triangles[head.part == PARTS.index("skin")]
    skin, *_ = spread(mean, skin, 40_000)
    head_normal = _unit(head_normals(mean, head.face.triangles))
    turns = _sphere(_DIRECTIONS)
    harmonics = np.asarray(lighting.basis(jnp.asarray(turns, jnp.float32)))
    on_head, on_hair = [], []
    for direction in turns:
        front = _front(direction, solid)
        passes = _THROUGH + (1 - _THROUGH) * front(mean, 8.0)
        on_head.append(passes)
        blocked = _front(direction, skin)(place, 8.0)
        on_hair.append((_THROUGH + (1 - _THROUGH) * front(place, 8.0)) * blocked)
    on_head, on_hair = np.stack(on_head, 1), np.stack(on_hair, 1)
    # Hair is many strands, and a strand that hides its neighbour makes no edge.
    on_hair = on_hair[cKDTree(place).query(place, k=min(24, len(place)))[1]].mean(1)
    before = np.clip(seen[:, 1:] @ harmonics.T, 0.02, 1)
    after = before * on_head
    lobe = np.maximum(head_normal @ turns.T, 0) * before + 1e-6
    sky = seen[:, 0] * (lobe * on_head).sum(1) / lobe.sum(1)
    lobe = np.maximum(normal @ turns.T, 0) + 1e-6
    hair_sky = (lobe * on_hair).sum(1) / lobe.sum(1)
    # Strands shade each other even where nothing else does.
    on_hair, hair_sky = _STRANDS * on_hair, _STRANDS * hair_sky
    project = lambda values: values @ harmonics * (4 * np.pi / _DIRECTIONS)
    # Only what the hair takes away, so that nothing changes where there is none.
    return (
        np.concatenate([sky[:, None], seen[:, 1:] + project(after - before)], 1),
        np.concatenate([hair_sky[:, None], project(on_hair)], 1),
    )


def shows(
    head: Head,
    corners: Float[np.ndarray, "f 3 3"],
    solid: Float[np.ndarray, "p 3"],
) -> np.ndarray:
    """Triangles [f] that some camera may see: those deep in the hair only cost time."""
    skin = head.face.triangles[head.part == PARTS.index("skin")]
    skin, *_ = spread(np.asarray(head.face.mean, float), skin, 40_000)
    places = np.concatenate([corners, corners.mean(1, keepdims=True)], 1)
    seen = np.zeros(len(corners), bool)
    for yaw in np.radians([-55, -35, -15, 0, 15, 35, 55]):
        for pitch in np.radians([-25, 0, 25]):
            level = np.cos(pitch)
            towards = [level * np.sin(yaw), np.sin(pitch), level * np.cos(yaw)]
            free = _front(towards, solid)(places.reshape(-1, 3), _DEEP)
            free *= _front(towards, skin)(places.reshape(-1, 3), 2 * _DEEP)
            seen |= free.reshape(-1, 4).any(1)
    return seen


def head_normals(place: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Area-weighted normals, not of unit length."""
    a, b, c = (place[triangles[:, i]] for i in range(3))
    out = np.zeros_like(place)
    for i in range(3):
        np.add.at(out, triangles[:, i], np.cross(b - a, c - a))
    return out


def spread(
    place: np.ndarray, triangles: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`count` points [p 3] all over a mesh, their triangles [p] and weights [p 3]."""
    rng = np.random.default_rng(0)
    corners = place[triangles]
    a, b, c = np.moveaxis(corners, 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    owner = rng.choice(len(triangles), count, p=area / area.sum())
    weights = rng.dirichlet(np.ones(3), count)
    return (corners[owner] * weights[..., None]).sum(1), owner, weights


def _front(direction, solid):
    """A function of points: 1 where no solid point is nearer to the light, else 0."""
    right = _unit(np.cross([0.1, 1.0, 0.2], direction))
    flat = np.stack([right, np.cross(direction, right)], 1)
    cells = lambda points: np.clip(points @ flat / _CELL + 64, 0, 127).astype(int)
    nearest = np.full((128, 128), -np.inf)
    column, row = cells(solid).T
    np.maximum.at(nearest, (row, column), solid @ direction)

    def free(points, slack):
        column, row = cells(points).T
        return (points @ direction > nearest[row, column] - slack).astype(float)

    return free


def _sphere(count):
    """Directions spread evenly."""
    i = np.arange(count) + 0.5
    up, turn = 1 - 2 * i / count, np.pi * (1 + np.sqrt(5)) * i
    flat = np.sqrt(1 - up**2)
    return np.stack([flat * np.cos(turn), up, flat * np.sin(turn)], 1)


def _unit(x):
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-9)
