"""Pictures that are looked at elsewhere: bilinear, and held at the border."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def moved(
    image: Float[Array, "b h w c"], flow: Float[Array, "b h w 2"]
) -> Float[Array, "b h w c"]:
    """At every pixel what `image` has `flow` (x, y) away, in sides of the picture."""
    b, h, w, _ = image.shape
    x = (jnp.arange(w)[None, None] + w * flow[..., 0]).clip(0, w - 1)
    y = (jnp.arange(h)[None, :, None] + h * flow[..., 1]).clip(0, h - 1)
    left, top = (jnp.floor(v).astype(jnp.int32) for v in (x, y))
    right, bottom = jnp.minimum(left + 1, w - 1), jnp.minimum(top + 1, h - 1)
    s, t = (x - left)[..., None], (y - top)[..., None]
    pixels = image.reshape(b, h * w, -1)

    def look(x, y):
        index = (y * w + x).reshape(b, h * w, 1)
        # They are inside; the default mode would look for those that are not.
        return jnp.take_along_axis(pixels, index, 1, mode="clip").reshape(image.shape)

    above = look(left, top) * (1 - s) + look(right, top) * s
    below = look(left, bottom) * (1 - s) + look(right, bottom) * s
    return above * (1 - t) + below * t
