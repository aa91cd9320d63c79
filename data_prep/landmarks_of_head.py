"""Finds MediaPipe's 468 points on the head, by asking its landmarker about renders.

Each point found in a picture is carried back to the place on the mean face that was
drawn there; the median over many people, made symmetric, names a vertex.
"""

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from slider_jax import landmarker
from slider_jax.face import lighting, raster
from slider_jax.face.appearance import bake
from slider_jax.face.atlas import PARTS
from slider_jax.face.camera import Camera, project
from slider_jax.face.head import Head
from slider_jax.face.landmarks import IBUG_OF_DENSE
from slider_jax.face.people import sample_identity, sample_look
from slider_jax.face.render import puppet, render

_PEOPLE, _SIZE = 96, 256
_IN_THE_OPEN = (
    0.3  # share of the sky; lids and lips have it, the insides of sockets not
)
_LOWER = ((46, 53, 52, 65, 55), (276, 283, 282, 295, 285))  # brows, temple to nose
_UPPER = ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336))
_MIDDLE = (10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 11, 12, 13, 14)
_MIDDLE += (15, 16, 17, 18, 200, 199, 175, 152)


def find(head: Head) -> dict[str, np.ndarray]:
    """Vertices under the 68 and the 468 points, and the map of the brows."""
    skin = np.unique(head.face.triangles[head.part == PARTS.index("skin")])
    skin = skin[head.visibility[skin, 0] > _IN_THE_OPEN]
    places, partner = _symmetric(_places_on_mean(head))
    dense = skin[_nearest(np.asarray(head.face.mean)[skin], places)]
    left = (partner > np.arange(468)) & (partner[partner] == np.arange(468))
    dense[partner[left]] = head.face.mirror[dense[left]]
    return dict(
        dense_landmarks=dense.astype(np.int16),
        landmarks=dense[list(IBUG_OF_DENSE)].astype(np.int16),
        brow=_brow_map(head, places).astype(np.float16),
    )


def _nearest(points, queries):
    from scipy.spatial import cKDTree

    return cKDTree(points).query(queries)[1]


def _places_on_mean(head):
    """Median place [468 3] on the mean face, millimetres."""
    actor = puppet(head)
    # Eyeballs too: a point a pixel off its lid must not fall through to the socket.
    visible = np.isin(head.part, [PARTS.index(p) for p in ("skin", "mouth", "eye")])
    triangles = jnp.asarray(head.face.triangles[visible])
    mean = jnp.asarray(head.face.mean)
    ambient = jnp.zeros((9, 3)).at[0].set(0.5).at[2].set(0.08)
    front = jnp.array([0.3, 0.4, 0.866])
    light = lighting.Light(ambient, front, jnp.full(3, 0.6))

    @jax.jit
    def draw(identity, look, yaw):
        rest = head.face.neutral(identity)
        camera = Camera(
            jnp.array([yaw, 0.0, 0.0]), 1 / 1200, 0.0041, jnp.array([0.5, 0.42])
        )
        atlas = bake(head, look, 512)
        grey = jnp.full((_SIZE, _SIZE, 3), 0.3)
        picture = render(actor, look, atlas, rest, rest, camera, light, grey)
        points, perspective = project(camera, rest, _SIZE)
        hits = raster.rasterise(points, triangles, _SIZE, max_runs=120_000)
        weights = raster.corner_weights(points, perspective, triangles, hits)
        place = raster.interpolate(mean[triangles], hits, weights)
        return picture.image, jnp.where(hits.triangle[..., None] < 0, jnp.nan, place)

    found = []
    rng = np.random.default_rng(3)
    for _ in tqdm(range(_PEOPLE), desc="landmarks"):
        identity, traits = sample_identity(head, rng)
        look = sample_look(traits, rng).replace(long=np.float32(0))
        image, place = draw(identity, look, np.float32(rng.uniform(-0.15, 0.15)))
        image = np.asarray(127.5 * (image + 1)).astype(np.uint8)
        points = landmarker.mesh(image)[0][:468, :2].clip(0, _SIZE - 1).astype(int)
        found.append(np.asarray(place)[points[:, 1], points[:, 0]])
    return np.nanmedian(found, axis=0)


def _symmetric(places):
    """Opposite points mirrored, the middle line in the middle; and partners."""
    from scipy.optimize import linear_sum_assignment

    apart = np.linalg.norm(places[:, None] - places[None] * [-1, 1, 1], axis=-1)
    partner = linear_sum_assignment(apart + apart.T)[1]
    partner[list(_MIDDLE)] = _MIDDLE
    agreed = partner[partner] == np.arange(468)
    reflected = places[partner] * [-1, 1, 1]
    print(f"{agreed.mean():.0%} of the dense landmarks pair up")
    return np.where(agreed[:, None], (places + reflected) / 2, places), partner


def _brow_map(head, places):
    """For each texel: how far along a brow (0 nose, 1 temple) and across it."""
    texels = head.place.reshape(-1, 3)
    brow = np.full((len(texels), 2), -9.0)
    for lower, upper in zip(_LOWER, _UPPER, strict=True):
        low, high = places[list(lower)][::-1], places[list(upper)][::-1]
        middle, half = (low + high) / 2, (high - low) / 2
        fine = np.linspace(0, 4, 81)
        bend = lambda rows: np.stack(  # noqa: B023
            [np.interp(fine, range(5), column) for column in rows.T],  # noqa: B023
            1,
        )
        middle, half = bend(middle), bend(half)
        start, end = middle[0] - (middle[4] - middle[0]), middle[-1] * 2 - middle[-5]
        middle = np.concatenate([[start], middle, [end]])
        half = np.concatenate([half[:1], half, half[-1:]])
        along = np.concatenate([[-0.05], fine / 4, [1.05]])
        nearest = _nearest(middle, texels)
        offset = ((texels - middle[nearest]) * half[nearest]).sum(1)
        across = offset / np.square(half[nearest]).sum(1)
        close = np.linalg.norm(texels - middle[nearest], axis=1) < 14
        brow[close] = np.stack([along[nearest], across], 1)[close]
    return np.clip(brow, -9, 9).reshape(*head.place.shape[:2], 2)
