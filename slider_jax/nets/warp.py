"""Pictures that are looked at elsewhere: bilinear, and held at the border."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def moved(
    image: Float[Array, "b h w c"], flow: Float[Array, "b h w 2"]
) -> Float[Array, "b h w c"]:
    """At every pixel what `image` has `flow` (x, y) away, in sides of the picture."""
    b, h, w, c = image.shape
    side = jnp.array([w, h], flow.dtype)
    grid = jnp.stack(jnp.meshgrid(jnp.arange(w), jnp.arange(h)), -1)
    at = (grid + side * flow).clip(0, side - 1)
    first = jnp.floor(at)
    t = (at - first)[..., None, :]
    first = first.astype(jnp.int32)
    pixels = image.reshape(b, h * w, c)

    def look(dx, dy):
        x = jnp.minimum(first[..., 0] + dx, w - 1)
        y = jnp.minimum(first[..., 1] + dy, h - 1)
        index = (y * w + x).reshape(b, h * w, 1)
        # They are inside; the default mode would look for those that are not.
        return jnp.take_along_axis(pixels, index, 1, mode="clip").reshape(image.shape)

    above = look(0, 0) * (1 - t[..., 0]) + look(1, 0) * t[..., 0]
    below = look(0, 1) * (1 - t[..., 0]) + look(1, 1) * t[..., 0]
    return above * (1 - t[..., 1]) + below * t[..., 1]
