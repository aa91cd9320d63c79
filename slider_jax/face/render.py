"""A head, a look, a camera and a light: a picture.

The head's triangles and shells of hair go through one rasteriser; every sample is then
shaded once. Light is computed in linear colour; pictures leave as sRGB, for which the
square root stands in: one operation instead of a power.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Shaped

from slider_jax.face import atlas as layout
from slider_jax.face import lighting, proxies, raster
from slider_jax.face.appearance import Look, crown_coordinates
from slider_jax.face.atlas import PARTS
from slider_jax.face.camera import Camera, project, rotation_matrix
from slider_jax.face.head import REGIONS, Head, area_normals, load_head

SHELLS = 5
OPEN = -1.0  # an alpha cut that lets everything through
# For each part: how far key light wraps, how strong and how tight its highlight is.
_MATERIAL = dict(
    skin=(0.3, 0.06, 12.0),
    mouth=(0.2, 0.05, 20.0),
    teeth=(0.3, 0.18, 30.0),
    tongue=(0.3, 0.1, 20.0),
    eye=(0.1, 0.9, 200.0),
    lash=(0.5, 0.0, 10.0),
)
_MATERIAL |= {"long hair": (0.4, 0.16, 9.0), "hair": (0.4, 0.14, 9.0)}
# From the throat to the incisors, in millimetres: the share of light that gets in.
_MOUTH_LIGHT = (70.0, 88.0, 103.0), (0.05, 0.3, 0.7)
# Of a vertex that nothing shadows: of the sky, and by direction.
OPEN_SKY = np.array([1.0, 1 / (2 * np.sqrt(np.pi)) * 4 * np.pi] + [0.0] * 8)
_SHOWN = ("skin", "mouth", "teeth", "tongue", "eye", "lash")


@struct.dataclass
class Puppet:
    """What is drawn of everybody: the head, then SHELLS copies of the scalp."""

    triangles: Int[Array, "f 3"]
    corner_uv: Float[Array, "f 3 2"]
    part: Int[Array, "f"]
    one_sided: Bool[Array, "f"]
    face: Float[Array, "f 3 1"]  # 1 inside the face, 0 on scalp, ears, neck and hair
    solid: Int[Array, "s 3"]  # the head's triangles that carry normals
    scalp: Int[Array, "n"]  # vertices that may grow hair
    long: Int[Array, "l"]  # vertices of the long hair
    visibility: Float[Array, "v 10"]
    above: Float[Array, "n"]  # decimetres of scalp above the hairline
    top: Float[Array, "n"]  # 0 at the sides, 1 on top
    size: Int[Array, ""]  # vertices of the head
    hair: proxies.Proxy | None = None  # in place of shells and long hair


def puppet(head: Head) -> Puppet:
    """Arrays are NumPy. The same for all people; make it once."""
    triangles, part = head.face.triangles, head.part
    skin = part == PARTS.index("skin")
    grows = skin & (head.scalp[triangles].max(1) > -0.15)
    scalp = np.unique(triangles[grows])
    local = np.zeros(len(head.scalp), np.int32)
    local[scalp] = np.arange(len(scalp))
    count = len(head.face.mean)
    shells = [
        local[triangles[grows]] + count + layer * len(scalp) for layer in range(SHELLS)
    ]
    place = np.asarray(head.face.mean)[triangles[grows]]
    hair_uv = _unwrap(np.array(jax.jit(crown_coordinates)(place)))
    hair_uv = layout.in_block("hair", hair_uv[..., 0], hair_uv[..., 1])
    of_face = _sample_map(head.regions[REGIONS.index("face")], head.corner_uv)
    of_face = np.where((part == PARTS.index("skin"))[:, None], of_face > 0.5, 1.0)
    of_face[np.isin(part, [PARTS.index("long hair")])] = 0.0
    new = grows.sum() * SHELLS
    see_through = np.isin(part, [PARTS.index(p) for p in ("lash", "long hair")])
    return Puppet(
        triangles=np.concatenate([triangles, *shells]).astype(np.int32),
        corner_uv=np.concatenate([head.corner_uv, *[hair_uv] * SHELLS]).astype("f4"),
        part=np.concatenate([part, np.full(new, PARTS.index("hair"))]),
        one_sided=np.concatenate([~see_through, np.ones(new, bool)]),
        face=np.concatenate([of_face, np.zeros((new, 3))])[..., None].astype("f4"),
        solid=triangles,
        scalp=scalp,
        long=np.unique(triangles[part == PARTS.index("long hair")]),
        visibility=_lit_mouth(head),
        above=head.scalp[scalp],
        top=np.clip((np.asarray(head.face.mean)[scalp, 1] - 30) / 60, 0, 1),
        size=np.int32(count),
    )


def _lit_mouth(head):
    """Teeth and tongue get more light than a head with nearly closed lips lets in.

    Most of it falls on what is in front, next to none on what is by the throat.
    """
    inside = np.isin(head.part, [PARTS.index("teeth"), PARTS.index("tongue")])
    vertices = np.unique(head.face.triangles[inside])
    visibility = head.visibility.copy()
    share = np.interp(np.asarray(head.face.mean)[vertices, 2], *_MOUTH_LIGHT)
    visibility[vertices] += share[:, None] * (OPEN_SKY - visibility[vertices])
    return visibility


def _unwrap(uv):
    """Triangles across the seam at the back lie beyond its end, not over all of it."""
    wraps = np.ptp(uv[..., 0], axis=1) > 0.5
    uv[..., 0] = np.where(wraps[:, None] & (uv[..., 0] < 0.5), 1.0, uv[..., 0])
    return uv


def _sample_map(texels, uv):
    side = len(texels)
    column, row = np.moveaxis(
        np.clip(uv * [side, layout.HEIGHT * side], 0, None), -1, 0
    )
    inside = np.minimum([column, row], side - 1).astype(int)
    return texels[inside[1], inside[0]]


@struct.dataclass
class Picture:
    """`image` is sRGB in [-1, 1]; `coverage` of anything, `face` of the face, [0, 1].

    `missing` is positive when the rasteriser's list was too short: a defect.
    """

    image: Float[Array, "h w 3"]
    coverage: Float[Array, "h w"]
    face: Float[Array, "h w"]
    missing: Int[Array, ""]


def render(
    puppet: Puppet,
    look: Look,
    atlas: Shaped[Array, "ah aw 4"],
    rest: Float[Array, "v 3"],
    mesh: Float[Array, "v 3"],
    camera: Camera,
    light: lighting.Light,
    background: Float[Array, "size size 3"],
    *,
    samples: int = 2,
    room: float = 1.0,
) -> Picture:
    """One person; `rest` is the neutral mesh of `mesh`. For many, `jax.vmap`.

    `background` is linear in [0, 1]. Every pixel is the mean of samples x samples.
    `room` stretches the rasteriser's list, for a picture with much hair in it.
    """
    size = background.shape[0]
    vertices, normals, sky, see, cuts = _dress(puppet, look, rest, mesh, camera, light)
    points, perspective = project(camera, vertices, size * samples)
    max_runs = round(room * _usual_runs(size * samples))
    hits = raster.rasterise(
        points,
        puppet.triangles,
        size * samples,
        max_runs=max_runs,
        one_sided=puppet.one_sided,
        keep=_alpha_test(puppet, atlas, cuts),
    )
    weights = raster.corner_weights(points, perspective, puppet.triangles, hits)
    of_vertex = jnp.concatenate([normals, sky[:, None], see[:, None]], 1)
    corners = [of_vertex[puppet.triangles], puppet.corner_uv, puppet.face]
    seen = raster.interpolate(jnp.concatenate(corners, -1), hits, weights)
    colour = layout.sample(atlas, seen[..., 5:7])[..., :3]
    part = jnp.asarray(puppet.part)[jnp.maximum(hits.triangle, 0)]
    colour = _shade(colour**2, seen[..., :3], seen[..., 3], seen[..., 4], part, light)
    covered = (hits.triangle >= 0).astype(jnp.float32)
    coverage = _pool(covered[..., None], samples)
    linear = _pool(colour * covered[..., None], samples) + (1 - coverage) * background
    return Picture(
        image=2 * jnp.sqrt(jnp.clip(linear, 1e-6, 1)) - 1,
        coverage=coverage[..., 0],
        face=_pool(seen[..., 7:] * covered[..., None], samples)[..., 0],
        missing=jnp.maximum(hits.runs - max_runs, 0),
    )


def _usual_runs(side):
    """Enough for nearly all faces: a part grows with edges, a part with area."""
    return 122 * side + 0.75 * side**2


def _pool(x, samples):
    """Mean of samples x samples blocks; slices, because XLA:CPU reduces slowly."""
    steps = range(samples)
    return sum(x[i::samples, j::samples] for i in steps for j in steps) / samples**2


def _dress(puppet, look, rest, mesh, camera, light):
    """Vertices with hair on, their normals towards the camera, light, alpha cuts."""
    normal = area_normals(mesh, puppet.solid)
    area = jnp.linalg.norm(normal, axis=-1)
    rest_area = jnp.linalg.norm(area_normals(rest, puppet.solid), axis=-1)
    normal = normal / (area[:, None] + 1e-6)
    # Where skin is pressed together it folds, and folds are dark.
    crease = jnp.clip(jnp.sqrt(area / (rest_area + 1e-6)), 0.85, 1.04)
    turn = rotation_matrix(camera.rotation)
    towards = jnp.concatenate([jnp.ones(1), lighting.basis(light.direction @ turn)])
    sky = jnp.clip(1.2 * puppet.visibility[:, 0], 0.06, 1) * crease
    see = puppet.visibility[:, 1:] @ towards[1:]
    see = jnp.clip(1.6 * see - 0.3, 0, 1) * jnp.minimum(crease, 1)

    out = normal[puppet.scalp]
    grown = jnp.clip((puppet.above - look.hairline) / 0.14, 0, 1)
    length = look.hair_side + (look.hair_top - look.hair_side) * puppet.top
    x, y, z = (mesh[puppet.scalp] * 0.05).T
    tousled = 1 + 0.15 * jnp.sin(x + look.hairline * 40) * jnp.cos(1.3 * z + y)
    # Shells meet the skin at the hairline, or one would look in between them.
    length = length * tousled * jnp.clip((puppet.above - look.hairline) / 0.4, 0, 1)
    heights = (jnp.arange(SHELLS) + 1.0) / SHELLS
    down, back = jnp.array([0.0, -1.0, -0.25]), jnp.array([0.0, 0.25, -1.0])
    comb = jnp.where(look.hair_fall > 0, down, back) * jnp.abs(look.hair_fall)
    reach = heights[:, None, None] * length[None, :, None]
    lie = out[None] + comb[None, None] * heights[:, None, None]
    shells = (mesh[puppet.scalp] + 0.6 * out)[None] + lie * reach
    shells = jnp.where(look.bald > 0.5, 0.0, shells)  # points draw nothing
    mesh = mesh.at[puppet.long].multiply(look.long)

    vertices = jnp.concatenate([mesh, shells.reshape(-1, 3)])
    normals = jnp.concatenate([normal, jnp.tile(out, (SHELLS, 1))]) @ turn.T
    inner = jnp.repeat(0.45 + 0.55 * heights, len(puppet.scalp))
    of_scalp = lambda values: jnp.tile(values[puppet.scalp], SHELLS) * inner
    thinning = 0.3 * heights**3
    cuts = thinning[:, None] + ((1 - grown) ** 2)[None]
    dressed = (
        vertices,
        normals,
        jnp.concatenate([sky, of_scalp(sky)]),
        jnp.concatenate([see, of_scalp(see)]),
        jnp.concatenate([jnp.full(len(mesh), OPEN), cuts.reshape(-1)]),
    )
    if puppet.hair is None:
        return dressed
    worn = _wear(puppet.hair, rest, turn, towards)
    return tuple(jnp.concatenate(pair) for pair in zip(dressed, worn, strict=True))


def _wear(hair, rest, turn, towards):
    """What `_dress` says of vertices, for hair that is a mesh."""
    place = proxies.put_on(hair, rest)
    sky = jnp.clip(1.2 * hair.visibility[:, 0], 0.06, 1)
    see = jnp.clip(1.6 * (hair.visibility[:, 1:] @ towards[1:]) - 0.3, 0, 1)
    return place, hair.normal @ turn.T, sky, see, jnp.full(len(place), proxies.CUT)


def _alpha_test(puppet, atlas, cuts):
    """Hair and lashes show where the atlas' alpha exceeds the cut."""
    part = jnp.asarray(puppet.part)[:, None]
    corner_cuts = cuts[puppet.triangles]
    corner_cuts = jnp.where(part == PARTS.index("lash"), 0.5, corner_cuts)
    corner_cuts = jnp.where(part == PARTS.index("long hair"), 0.04, corner_cuts)
    rows = jnp.concatenate(
        [puppet.corner_uv[..., 0], puppet.corner_uv[..., 1], corner_cuts], 1
    )

    def keep(triangle, weights):
        row = rows[triangle[:, 0]]
        mix = lambda first: sum(weights[i] * row[:, first + i, None] for i in range(3))
        return layout.nearest_alpha(atlas, mix(0), mix(3)) > mix(6)

    return keep


def _shade(albedo, normal, sky, see, part, light):
    """Linear colour of every sample: ambient, key light, highlight."""
    normal = normal * jax.lax.rsqrt(jnp.square(normal).sum(-1, keepdims=True) + 1e-9)
    material = np.array([_MATERIAL[name] for name in PARTS], np.float32)
    wrap, strength, gloss = jnp.moveaxis(jnp.asarray(material)[part], -1, 0)
    ambient = jnp.maximum(lighting.irradiance(light.ambient, normal), 0.02)
    # Blood scatters red light furthest, so shadows on skin are warm.
    scatter = jnp.array([[[1.0, 0.55, 0.45]]]) * wrap[..., None]
    cosine = lighting.dot(normal, light.direction)[..., None]
    diffuse = jnp.maximum((cosine + scatter) / (1 + scatter), 0)
    shine = strength * lighting.highlight(light, normal, gloss) * sky
    key = light.colour[None, None] * see[..., None]
    return albedo * (ambient * sky[..., None] + key * diffuse) + key * shine[..., None]


@functools.cache
def default_puppet() -> Puppet:
    """The puppet of the head that ships."""
    return puppet(load_head())
