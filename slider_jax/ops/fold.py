"""Space to depth and back: squares of pixels as channels, row by row."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def fold(x: Float[Array, "b h w c"], by: int) -> Float[Array, "b y x k"]:
    """Every square of `by` x `by` pixels becomes one pixel of by² · c channels."""
    h, w = x.shape[1:3]
    if h % by or w % by:
        raise ValueError(
            f"Pictures of {w} x {h} pixels do not fold by {by}: take model.size and "
            "model.fold of which one divides the other."
        )
    squares = [x[:, i::by, j::by] for i in range(by) for j in range(by)]
    return jnp.concatenate(squares, axis=3)


def unfold(x: Float[Array, "b y x k"], by: int) -> Float[Array, "b h w c"]:
    """What `fold` made it from."""
    b, h, w, k = x.shape
    c = k // (by * by)
    x = x.reshape(b, h, w, by, by, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, by * h, by * w, c)
