"""What a person's surface looks like: a few traits, baked into one atlas.

Everything is procedural, made from noise and masks: no picture of anyone is in it.
"""

import itertools

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, UInt8

from slider_jax.face import atlas as layout
from slider_jax.face.head import REGIONS, Head
from slider_jax.face.landmarks import LIDS


@struct.dataclass
class Look:
    """One person's colours and hair. Colours are sRGB in [0, 1]; lengths are mm.

    Strengths lie in [0, 1], where 0 does nothing. `hairline` raises the hair's edge in
    decimetres; `curl` is 0 for straight hair and 1 for tight curls; `long` is 0 or 1;
    `bald` is 0 or 1. `seed` makes the noise.
    """

    seed: Array
    tone: Float[Array, "3"]
    lips: Float[Array, "3"]
    lip_strength: Float[Array, ""]
    blush: Float[Array, ""]
    bags: Float[Array, ""]
    eye_shadow: Float[Array, ""]
    freckles: Float[Array, ""]
    stubble: Float[Array, ""]
    roughness: Float[Array, ""]
    brow_density: Float[Array, ""]
    brow_width: Float[Array, ""]
    iris: Float[Array, "3"]
    pupil: Float[Array, ""]
    teeth: Float[Array, ""]
    hair: Float[Array, "3"]
    hair_top: Float[Array, ""]
    hair_side: Float[Array, ""]
    hair_fall: Float[Array, ""]
    hairline: Float[Array, ""]
    curl: Float[Array, ""]
    long: Float[Array, ""]
    bald: Float[Array, ""]


def bake(
    head: Head,
    look: Look,
    width: int,
    *,
    skin: Float[Array, "m m 3"] | None = None,
) -> UInt8[Array, "h w 4"]:
    """The atlas of one person, `width` texels across: colour, and alpha for hair.

    Four texels to a pixel of the picture are enough: 512 for 128 px. `skin` is a
    picture to paint on, in place of one tone.
    """
    split = jax.random.split(jax.random.key(look.seed), len(layout.BLOCKS))
    colours = ("tone", "lips", "iris", "hair")
    look = look.replace(**{name: _rgb(*getattr(look, name)) for name in colours})
    keys = dict(zip(layout.BLOCKS, split, strict=True))
    strands = _strands(keys["hair"], look, width // 2)
    bare = look.tone if skin is None else skin
    skin = _skin(keys["skin"], head, look, bare, strands, width)
    painted = {
        "skin": skin,
        "hair": _hair(look, strands),
        "eye": _eye(keys["eye"], look, width // 4),
        "lash": _lash(keys["lash"], look, width),
    }
    return _sheet(painted | _mouth(look.teeth, width // 8), width)


def bake_mouth(width: int) -> UInt8[Array, "h w 4"]:
    """An atlas with nothing but the inside of a mouth, its teeth white."""
    return _sheet(_mouth(1.0, width // 8), width)


def _mouth(teeth, side):
    return {
        "teeth": _teeth(teeth, side),
        "tongue": _flat((0.62, 0.32, 0.3), side),
        "mouth": _flat((0.42, 0.14, 0.13), side),
    }


def _sheet(painted, width):
    sheet = jnp.zeros((round(layout.HEIGHT * width), width, 4))
    for name, block in painted.items():
        rows, columns = layout.block_slices(name, width)
        sheet = sheet.at[rows, columns, : block.shape[-1]].set(block)
    return jnp.round(255 * jnp.clip(sheet, 0, 1)).astype(jnp.uint8)


def _rgb(*colour):
    """A colour as a picture of one pixel: ranks that meet are equal."""
    return jnp.array(colour)[None, None]


def _noise(key, shape, cells):
    """Smooth noise of unit variance with about `cells` bumps along each axis."""
    rough = jax.random.normal(key, cells)
    smooth = rough if cells == shape else jax.image.resize(rough, shape, "cubic")
    return smooth / (smooth.std() + 1e-6)


def _bump(x, y, centre, spread):
    """A Gaussian on both halves of the face, centred at (±x, y) millimetres."""
    across = (jnp.abs(x) - centre[0]) / spread[0]
    return jnp.exp(-jnp.square(across) - jnp.square((y - centre[1]) / spread[1]))


def _ramp(t, start, end):
    """0 before `start`, 1 after `end` (which may be smaller), smooth between."""
    t = jnp.clip((t - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _mix(colour, other, share):
    return colour + (other - colour) * share[..., None]


def _skin(key, head, look, bare, strands, width):
    """The unrolled skin: pigment, blood, make-up, beard, brows, and roots of hair."""
    shape = (width, width)
    grow = lambda m: jax.image.resize(jnp.asarray(m), (*shape, *m.shape[2:]), "linear")
    bare = grow(bare) if bare.ndim == 3 else bare[None, None]
    place, scalp, brow = grow(head.place), grow(head.scalp_map), grow(head.brow)
    region = {name: grow(head.regions[i]) for i, name in enumerate(REGIONS)}
    x, y, z = jnp.moveaxis(place, -1, 0)
    k = jax.random.split(key, 10)

    pores = _noise(k[0], shape, shape)
    grain = _noise(k[1], shape, (width // 3, width // 3))
    mottle = _noise(k[2], shape, (width // 14, width // 14))
    patch = _noise(k[3], shape, (12, 12))
    light = 0.016 * pores + 0.02 * grain + 0.014 * mottle + 0.02 * patch
    colour = bare * (1 + (0.4 + look.roughness) * light[..., None])
    blotches = 0.5 * mottle + 0.5 * _noise(k[4], shape, (24, 24))
    colour *= 1 + (0.5 + look.roughness) * blotches[..., None] * _rgb(
        0.006, -0.016, -0.02
    )

    blood = 0.8 * _bump(x, y, (44, -34), (20, 17)) + 0.7 * _bump(
        x, y, (0, -36), (14, 12)
    )
    blood += 0.35 * _bump(x, y, (0, -84), (20, 10)) + 0.6 * region["ears"]
    colour *= 1 - (look.blush * blood)[..., None] * _rgb(0.03, 0.17, 0.16)
    socket = 0.6 * _bump(x, y, (31, -16), (15, 7)) + 0.4 * region["eyelids"]
    colour *= 1 - (look.bags * socket)[..., None] * _rgb(0.14, 0.18, 0.14)
    tint = _rgb(0.42, 0.5, 0.4)
    colour *= 1 - (look.eye_shadow * region["eyelids"])[..., None] * tint

    spots = _ramp(_noise(k[5], shape, (width // 5, width // 5)), 1.3, 2.2)
    sunny = _bump(x, y, (30, -28), (32, 20)) + _bump(x, y, (0, -22), (20, 20))
    spots = jnp.clip(look.freckles * spots * sunny, 0, 0.6)
    colour *= 1 - spots[..., None] * _rgb(0.35, 0.6, 0.75)

    bristle = jnp.clip(0.75 + 0.5 * grain + 0.4 * pores, 0, 1.6)
    jaw = _ramp(y, -50, -64) * _ramp(y, -140, -118) * _ramp(jnp.abs(x), 76, 56)
    lip_top = _bump(x, y, (0, -52), (27, 6))
    beard = jnp.clip(jaw * _ramp(z, 20, 45) + lip_top, 0, 1) * (1 - region["lips"])
    beard = jnp.clip(look.stubble * beard * bristle, 0, 0.85)
    colour = _mix(colour, colour * 0.25 + 0.5 * look.hair, beard)

    ridges = _noise(k[6], shape, (width // 2, width // 10))
    lips = look.lips * (1 + 0.05 * ridges + 0.02 * pores)[..., None]
    colour = _mix(colour, lips, _ramp(region["lips"], 0.2, 0.8) * look.lip_strength)

    colour = _mix(colour, look.hair * 0.3, _lash_line(k[9], head, place))
    # On the way to what is far away from a brow lie no hairs.
    near = grow(head.brow[..., 0] > -9) == 1
    colour = _mix(colour, look.hair * 0.75, near * _brow(k[7], look, brow))
    return _roots(k[8], look, colour, place, scalp, strands)


def _brow(key, look, brow):
    """Cover of the brows: short hairs that lean outwards, sparser at the ends."""
    along, across = brow[..., 0], brow[..., 1]
    streaks = _noise(key, (256, 256), (256, 24))
    u = jnp.clip(along * 0.8 + 0.12 * across + 0.1, 0, 1)
    hairs = layout.sample(streaks.T[..., None], jnp.stack([u, 0.5 + across / 6], -1))
    width = look.brow_width * (1 - 0.55 * _ramp(along, 0.45, 1.05))
    body = _ramp(jnp.abs(across) / jnp.maximum(width, 1e-3), 1.15, 0.35)
    ends = _ramp(along, -0.06, 0.1) * _ramp(along, 1.05, 0.85)
    cover = body * ends * jnp.clip(0.75 + 0.35 * hairs[..., 0], 0, 1.2)
    return jnp.clip(cover * look.brow_density, 0, 0.93)


def crown_coordinates(place: Float[Array, "... 3"]) -> Float[Array, "... 2"]:
    """Round the crown and away from it, both in [0, 1]: how hair lies on a scalp."""
    centre = jnp.expand_dims(jnp.array(layout.CENTRE), range(place.ndim - 1))
    direction = place - centre
    direction = direction / (jnp.linalg.norm(direction, axis=-1, keepdims=True) + 1e-6)
    up, back = jnp.array([0.0, 0.94, -0.342]), jnp.array([0.0, 0.342, 0.94])
    turn = jnp.atan2(direction[..., 0], direction @ back)
    away = jnp.sqrt(jnp.clip((1 - direction @ up) / 2, 0, 1))
    return jnp.stack([turn / (2 * jnp.pi) + 0.5, away], -1)


def _strands(key, look, side):
    """Height of hair [side side] in [0, 1]: streaks from the crown, or curls."""
    k = jax.random.split(key, 4)
    shape = (side, side)
    straight = _noise(k[0], shape, (side // 32, side)) + 0.25 * _noise(
        k[1], shape, (5, side // 8)
    )
    curls = _noise(k[2], shape, (side // 3, side // 3)) + 0.5 * _noise(
        k[3], shape, (side // 8, side // 8)
    )
    mixed = straight * (1 - look.curl) + curls * look.curl
    return jax.scipy.stats.norm.cdf(mixed / (mixed.std() + 1e-6))


def _lash_line(key, head, place):
    """Roots of lashes darken the rims, mostly the upper one: how closed lids are seen.

    Lashes themselves are thinner than a pixel.
    """
    x, y, z = jnp.moveaxis(place, -1, 0)
    corners = lambda rim: [head.face.mean[head.dense_landmarks[i]] for i in rim]
    near = lambda rim: _ramp(_distance(-jnp.abs(x), y, corners(rim)), 2.0, 0.6)
    upper, lower = LIDS[0]
    upper, lower = near(upper[:-1]), near(lower[:6])
    strength = jax.random.uniform(key, minval=0.5) * (z > 0)  # not behind the head
    return strength * jnp.maximum(upper, 0.35 * lower)


def _distance(x, y, corners):
    """From each place to a line of many corners, millimetres."""
    nearest = jnp.inf
    for (x0, y0, _), (x1, y1, _) in itertools.pairwise(corners):
        dx, dy = x1 - x0, y1 - y0
        t = jnp.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        away = jnp.hypot(x - x0 - t * dx, y - y0 - t * dy)
        nearest = jnp.minimum(nearest, away)
    return nearest


def _hair(look, strands):
    """Strand colours, and the height as alpha."""
    streak = jnp.roll(strands, 37, 1)
    shade = 0.65 + 0.6 * strands + 0.3 * (streak - 0.5)
    colour = look.hair * shade[..., None]
    return jnp.concatenate([colour, strands[..., None]], -1)


def _roots(key, look, colour, place, scalp, strands):
    """Skin under hair takes its colour, thinning out at an uneven hairline."""
    uneven = _noise(key, scalp.shape, (40, 40))
    strand = layout.sample(strands[..., None], crown_coordinates(place))[..., 0]
    loose = 0.22 - 0.16 * look.curl
    edge = scalp - look.hairline + 0.035 * uneven + loose * (strand - 0.5)
    cover = _ramp(edge, -0.05, 0.12) * (1 - look.bald)
    shadow = _ramp(edge, -0.35, 0.1) * (1 - look.bald)
    shaven = _ramp(scalp - look.hairline, -0.05, 0.2) * look.bald * look.stubble
    colour = _mix(colour, colour * 0.75, 0.7 * shadow)
    colour = _mix(colour, colour * 0.7 + 0.1 * look.hair, 0.6 * shaven)
    return _mix(colour, look.hair * (0.45 + 0.5 * strand[..., None]), cover)


def _grid(rows, columns):
    """Texel centres in [-1, 1], right and down."""
    x = (jnp.arange(columns) + 0.5) / columns * 2 - 1
    y = (jnp.arange(rows) + 0.5) / rows * 2 - 1
    return jnp.meshgrid(x, y)


IRIS = 0.5  # of the eyeball's radius


def _eye(key, look, side):
    x, y = _grid(side, side)
    radius, turn = jnp.hypot(x, y) / (1 - 2 * 0.04), jnp.atan2(y, x)
    fibre = _noise(key, (16, 256), (5, 90))
    uv = jnp.stack([turn / (2 * jnp.pi) + 0.5, radius / IRIS], -1)
    fibre = layout.sample(fibre[..., None], uv)[..., 0]
    white = _rgb(0.80, 0.77, 0.75) * (1 - 0.15 * _ramp(radius, 0.55, 1.0))[..., None]
    white *= 1 - 0.25 * _ramp(jnp.abs(x), 0.4, 0.9)[..., None] * _rgb(0.6, 1, 1)
    depth = 1.15 - 0.4 * radius / IRIS + 0.16 * fibre
    iris = (
        look.iris * (depth * (0.3 + 0.7 * _ramp(radius, IRIS, IRIS * 0.82)))[..., None]
    )
    colour = _mix(white, iris, _ramp(radius, IRIS + 0.03, IRIS - 0.03))
    pupil = IRIS * look.pupil
    colour = _mix(
        colour, _rgb(0.02, 0.02, 0.02), _ramp(radius, pupil + 0.04, pupil - 0.02)
    )
    return colour * (1 - 0.25 * _ramp(y, -0.2, -0.75))[..., None]  # the lid's shade


def _lash(key, look, width):
    """Dense at the roots, single hairs at the tips."""
    rows, columns = width // 8, width // 4
    hairs = _noise(key, (rows, columns), (2, columns // 2))
    _, y = _grid(rows, columns)
    alpha = jnp.clip(0.62 + 0.15 * hairs - 0.3 * (y + 1), 0, 1)
    colour = jnp.broadcast_to(look.hair * 0.25, (rows, columns, 3))
    return jnp.concatenate([colour, alpha[..., None]], -1)


def _teeth(bright, side):
    """Ivory with gaps between, and gums above and below."""
    x, y = _grid(side, side)
    gap = _ramp(jnp.abs(jnp.sin(6.5 * jnp.pi * x)), 0.3, 0.05)
    ivory = _rgb(0.93, 0.88, 0.78) * bright
    colour = ivory * (1 - 0.22 * gap)[..., None]
    return _mix(colour, _rgb(0.66, 0.38, 0.36), _ramp(jnp.abs(y), 0.72, 0.86))


def _flat(colour, side):
    return jnp.broadcast_to(_rgb(*colour), (side, side, 3))
