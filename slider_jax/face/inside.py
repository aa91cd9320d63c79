"""The inside of a mouth alone: teeth, tongue and throat of the 3D head."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

from slider_jax.batch import EXPRESSION
from slider_jax.face.appearance import Look, bake_mouth
from slider_jax.face.atlas import PARTS
from slider_jax.face.blendshapes import Blendshapes
from slider_jax.face.camera import Camera
from slider_jax.face.head import load_head
from slider_jax.face.lighting import Light
from slider_jax.face.people import sample_look
from slider_jax.face.render import OPEN_SKY, Puppet, render

SHOWN = ("teeth", "tongue")
THROAT = (0.006, 0.001, 0.0008)  # in linear colour, behind them
TEXELS = 1024  # of an atlas, of which the teeth are an eighth
# From the throat to the incisors, in millimetres: the share of light that gets in.
DEPTH, LIT = (66.0, 94.0, 109.0), (0.05, 0.3, 0.7)
FORWARD = 6.0  # millimetres: the head's teeth lie deep, and show it where it is turned
ROOM = 0.5  # of the rasteriser's list


@struct.dataclass
class Inside:
    """What `draw` draws; its vertices are those of the head that lie inside."""

    puppet: Puppet
    look: Look  # whose hair nobody sees
    atlas: Array
    rest: Float[Array, "v 3"]
    expression: Blendshapes
    speech: Blendshapes
    light: Light


@functools.cache
def load_inside() -> Inside:
    """On the device, of the mean person, with white teeth in a soft light."""
    head = load_head()
    shown = np.isin(head.part, [PARTS.index(name) for name in SHOWN])
    kept, local = np.unique(head.face.triangles[shown], return_inverse=True)
    triangles = local.reshape(-1, 3).astype(np.int32)
    rest = np.asarray(head.face.mean)[kept] + np.float32([0, 0, FORWARD])
    lit = np.interp(rest[:, 2], DEPTH, LIT)  # tips of teeth, too, which lips shadow
    nobody, nothing = np.zeros(0, np.int32), np.zeros(0, np.float32)
    puppet = Puppet(
        triangles=triangles,
        corner_uv=head.corner_uv[shown],
        part=head.part[shown],
        one_sided=np.ones(len(triangles), bool),
        face=np.ones((len(triangles), 3, 1), np.float32),
        solid=triangles,
        scalp=nobody,
        long=nobody,
        visibility=(lit[:, None] * OPEN_SKY).astype(np.float32),
        above=nothing,
        top=nothing,
        size=np.int32(len(kept)),
    )
    some = lambda shapes: shapes.replace(
        basis=shapes.basis[:, kept], weight=shapes.weight[kept]
    )
    return jax.device_put(
        Inside(
            puppet=puppet,
            look=sample_look(head.traits[0], np.random.default_rng(0)),
            atlas=jax.jit(bake_mouth, static_argnums=0)(TEXELS),
            rest=rest,
            expression=some(head.face.expression),
            speech=some(head.face.speech),
            light=_soft_light(),
        )
    )


def _soft_light():
    ambient = np.zeros((9, 3), np.float32)
    ambient[:3] = np.array([[0.45], [-0.04], [0.04]])
    direction = np.array([0.2, 0.4, 0.9], np.float32)
    direction /= np.linalg.norm(direction)
    return Light(ambient, direction, np.full(3, 0.7, np.float32))


@functools.partial(jax.jit, static_argnames="size")
def draw(
    inside: Inside, vector: Float[Array, "n"], camera: Camera, *, size: int
) -> Float[Array, "size size 3"]:
    """As a camera sees it that looks through the face; n is 30, or 40 with speech."""
    mesh = inside.rest + inside.expression.offsets(vector[:EXPRESSION])
    if len(vector) > EXPRESSION:
        mesh += inside.speech.offsets(vector[EXPRESSION:])
    return render(
        *(inside.puppet, inside.look, inside.atlas, inside.rest, mesh, camera),
        *(inside.light, jnp.broadcast_to(jnp.array(THROAT), (size, size, 3))),
        room=ROOM,
    ).image
