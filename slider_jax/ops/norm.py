"""Instance normalisation with a derivative that keeps its digits."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _instance_norm(x, scale, offset, epsilon):
    return _normalise(x, scale, offset, epsilon)[0]


def instance_norm(
    x: Float[Array, "b h w c"],
    scale: Float[Array, "c"],
    offset: Float[Array, "c"],
    epsilon: float = 1e-5,
) -> Float[Array, "b h w c"]:
    """Each channel of each image to mean 0 and variance 1, then scaled and moved.

    The variance is the biased one and epsilon PyTorch's. Statistics are float32 at
    least, whatever x is. Reverse mode only, to any order.
    """
    return _instance_norm(x, scale, offset, epsilon)


def _moments(x, epsilon):
    """x in wide type, and its mean and 1/deviation, [b 1 1 c] each."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = wide.mean((1, 2), keepdims=True)
    variance = jnp.square(wide - mean).mean((1, 2), keepdims=True)
    return wide, mean, lax.rsqrt(variance + epsilon)


def _normalise(x, scale, offset, epsilon):
    wide, mean, inverse = _moments(x, epsilon)
    factor = inverse * scale.astype(wide.dtype)[None, None, None]
    y = (wide - mean) * factor + offset.astype(wide.dtype)[None, None, None]
    return y.astype(x.dtype), (x, scale, mean, inverse)


def _normalise_backward(epsilon, saved, dy):
    """dx = s/σ (dy - mean(dy) - x̂ mean(dy x̂)), with x̂ made again from x."""
    x, scale, mean, inverse = saved
    dtype = mean.dtype
    wide = dy.astype(dtype)
    unit = (x.astype(dtype) - mean) * inverse
    level = wide.mean((1, 2), keepdims=True)
    slope = (wide * unit).mean((1, 2), keepdims=True)
    factor = inverse * scale.astype(dtype)[None, None, None]
    dx = (wide - level - unit * slope) * factor
    area = x.shape[1] * x.shape[2]
    dscale, doffset = (area * t.sum((0, 1, 2)) for t in (slope, level))
    return dx.astype(x.dtype), dscale.astype(scale.dtype), doffset.astype(scale.dtype)


_instance_norm.defvjp(_normalise, _normalise_backward)
