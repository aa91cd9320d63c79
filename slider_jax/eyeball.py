"""An eye as it goes on behind its lids, and turned: what the photo shows of it stays.

Lids that open move the skin about an eye, not the eye. So what was seen of it is kept;
the rest of the iris is as it is at the same distance from its middle, and the white as
it is where it is brightest. Pixels are those of a window (window.py), colours are in
levels of 255.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from slider_jax.patch import ramp
from slider_jax.window import SIZE

# Of how far lids are apart (at most DEEP pixels from one): their shade ends, and what
# is seen counts.
EDGE, DEEP = (0.2, 0.6), 10
RADII, ROUND = np.linspace(0.8, 1.8, 21), 0.15  # of the net's iris: tried, and beside
RIM = 1.12, 0.92  # radii: here the iris ends, and here it covers the white
WHITE = 1.25  # radii: from here on nothing of the iris is left
RINGS = 10
BRIGHT = 2 / 3  # of the white is darker: corners, and shade
PALE = 0.8  # of the skin's brightness, at least, is the white's
ENOUGH = 5  # pixels, to know a colour
SHADE, SHADED = 0.35, 12  # how much lids darken what lay behind them, and how far
INSET = 1.5, 6  # pixels from lids that are DEEP: the eye begins to show, and does
STILL = 2, 0  # pixels that it turns: nothing is as it was, and all that was seen is

Picture = Float[np.ndarray, "128 128 3"]
Share = Float[np.ndarray, "128 128 1"]
Area = Float[np.ndarray, "128 128"]  # how much of each pixel lies between lids


@dataclasses.dataclass(frozen=True, eq=False)
class Eyeball:
    pixels: Picture
    seen: Share  # how much of them is eye
    iris: Picture
    covers: Share  # how much of the white
    white: Picture

    def between(
        self, opened: Area, turned: Float[np.ndarray, "2"]
    ) -> tuple[Picture, Share]:
        """The eye between lids, its iris so many pixels away, and where it shows: not
        at its edges, where lashes and their shade were painted."""
        moved = dict(shift=(*turned[::-1], 0), order=1, mode="nearest")
        iris, covers = (ndimage.shift(x, **moved) for x in (self.iris, self.covers))
        depth = ndimage.distance_transform_edt(opened > 0.5)[..., None]
        shade = 1 - (1 - self.seen) * SHADE * (1 - ramp(depth, (0, SHADED)))
        eye = shade * (self.white + covers * (iris - self.white))
        still = self.seen * ramp(np.hypot(*turned), STILL)
        eye = eye + still * (self.pixels - eye)
        inset = depth / min(1, max(depth.max(), 1) / DEEP)
        return eye, opened[..., None] * ramp(inset, INSET)


def find(
    pixels: Picture, opened: Area, iris: Float[np.ndarray, "5 2"]
) -> Eyeball | None:
    """With the middle and four points of the rim of the iris, as the landmark net sees
    them; None where too little of the eye is to be seen."""
    depth = ndimage.distance_transform_edt(opened > 0.5)
    seen = ramp(depth / max(1, min(DEEP, depth.max())), EDGE)
    x, y = np.meshgrid(*[np.arange(SIZE) + 0.5 - c for c in iris[0]])
    far = np.hypot(x, y) / max(1, np.hypot(*(iris[1:] - iris[0]).T).mean())
    far = far / _rim(pixels.mean(2), far, seen > 0.5)
    rings = {
        f: _colour(pixels, (seen > 0.5) & (np.abs(far - f) < 0.5 / RINGS))
        for f in (np.arange(RINGS) + 0.5) / RINGS
    }
    known = {f: colour for f, colour in rings.items() if colour is not None}
    white = _white(pixels, (seen > 0) & (far > WHITE), opened == 0)
    if not known or white is None:
        return None
    colours = np.stack([*known.values()], 1)
    whole = np.stack([np.interp(far, [*known], c) for c in colours], 2)
    seen, clear = seen[..., None], ramp(far, (1.0, WHITE))[..., None]
    return Eyeball(
        pixels=pixels,
        seen=seen,
        iris=whole + seen * (pixels - whole),
        covers=ramp(far, RIM)[..., None],
        white=white + seen * clear * (pixels - white),
    )


def _rim(light, far, seen):
    """Where it grows brighter, outwards: irises of renders are larger than people's."""
    ring = lambda a, b: light[seen & (far > a) & (far < b)]
    steps = []
    for radius in RADII:
        inside, outside = ring(radius - ROUND, radius), ring(radius, radius + ROUND)
        enough = min(len(inside), len(outside)) > ENOUGH
        steps.append(outside.mean() - inside.mean() if enough else 0.0)
    return RADII[np.argmax(steps)] if max(steps) > 0 else 1.0


def _white(pixels, white, skin):
    """In the shade of narrow eyes it is paler than it seems."""
    light = pixels.mean(2)
    bright = np.quantile(light[white], BRIGHT) if white.any() else 0
    colour = _colour(pixels, white & (light >= bright))
    if colour is None:
        return None
    cast = (1 + colour / max(colour.mean(), 1)) / 2
    return cast * max(colour.mean(), PALE * np.median(light[skin]))


def _colour(pixels, where):
    return np.median(pixels[where], 0) if where.sum() > ENOUGH else None
