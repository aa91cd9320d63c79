"""From millimetres to pixels: one camera, perspective or scaled orthographic."""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float


@struct.dataclass
class Camera:
    """The face turns about the origin; the camera looks along -z at the origin.

    `rotation` is (yaw, pitch, roll) in radians: yaw > 0 turns the face to its left,
    pitch > 0 nods it down, roll > 0 tilts its top to the viewer's left. `nearness` is
    1 / distance in 1/mm: 0 is scaled orthographic (F3A-GAN, eq. 1). A millimetre at the
    origin is `scale` picture widths; the origin lands on `centre`, in picture widths
    from the top left.
    """

    rotation: Float[Array, "3"]
    nearness: Float[Array, ""]
    scale: Float[Array, ""]
    centre: Float[Array, "2"]


def rotation_matrix(rotation: Float[Array, "3"]) -> Float[Array, "3 3"]:
    """R = R_z(roll) R_x(pitch) R_y(yaw)."""
    (cy, cp, cr), (sy, sp, sr) = jnp.cos(rotation), jnp.sin(rotation)
    one, zero = jnp.ones_like(cy), jnp.zeros_like(cy)
    yaw = jnp.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    pitch = jnp.array([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
    roll = jnp.array([[cr, -sr, zero], [sr, cr, zero], [zero, zero, one]])
    return roll @ pitch @ yaw


def project(
    camera: Camera, vertices: Float[Array, "v 3"], size: int
) -> tuple[Float[Array, "v 3"], Float[Array, "v"]]:
    """Pixels (x, y, depth), y down, and the weight that undoes perspective.

    With z towards the camera, the magnification is m = 1 / (1 - z / distance). The
    depth -z m is affine on the screen for both kinds of camera, and less is nearer.
    """
    turned = vertices @ rotation_matrix(camera.rotation).T
    magnification = 1.0 / (1.0 - camera.nearness * turned[:, 2])
    flat = turned * magnification[:, None] * camera.scale * size
    x, y = flat[:, 0] + camera.centre[0] * size, camera.centre[1] * size - flat[:, 1]
    return jnp.stack([x, y, -flat[:, 2]], 1), magnification


def align(
    camera: Camera, landmarks: Float[Array, "n 3"], reference: Float[Array, "n 2"]
) -> Camera:
    """Rolls, scales and shifts the picture until landmarks lie on the reference.

    Least squares over similarities without reflection (dossier 1.8). The reference is
    in picture widths from the top left.
    """
    seen = project(camera, landmarks, 1)[0][:, :2]
    seen_mean, reference_mean = seen.mean(0), reference.mean(0)
    p, q = seen - seen_mean[None], reference - reference_mean[None]
    power = jnp.square(p).sum()
    cosine = (p * q).sum() / power
    sine = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / power
    turn = jnp.array([[cosine, -sine], [sine, cosine]])
    return Camera(
        # y is down on the screen: a positive turn there is a negative roll here.
        rotation=camera.rotation - jnp.array([0.0, 0.0, 1.0]) * jnp.atan2(sine, cosine),
        nearness=camera.nearness,
        scale=camera.scale * jnp.hypot(cosine, sine),
        centre=turn @ (camera.centre - seen_mean) + reference_mean,
    )
