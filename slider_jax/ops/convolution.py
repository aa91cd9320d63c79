"""A convolution that is closed under differentiation.

y = forward(x, k), dx = image(dy, k) and dk = kernel(x, dy) are bilinear, and the
derivatives of each are the other two. So three functions that name each other as their
derivatives give every order of differentiation the formulation that is fast here, and a
transposed convolution *is* the image map. Reverse mode only: `jax.jvp` needs `plain`.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from slider_jax.ops import formulations
from slider_jax.ops.rule import Geometry, choose, filled, style


def convolution(
    x: Float[Array, "b h w i"],
    kernel: Float[Array, "k k i o"],
    *,
    stride: int,
    padding: int,
) -> Float[Array, "b y x o"]:
    """Cross-correlation with a square kernel; zeros around the image."""
    _, h, w, _ = x.shape
    geometry = Geometry((h, w), kernel.shape[0], stride, padding, style())
    if geometry.style == "plain":
        return formulations.LAX["forward"](geometry, x, kernel)
    features = kernel.shape[3]
    if zeros := filled(features) - features:
        kernel = jnp.pad(kernel, [(0, 0)] * 3 + [(0, zeros)])
        return _forward(geometry, x, kernel)[..., :features]
    return _forward(geometry, x, kernel)


def transposed_convolution(
    x: Float[Array, "b y x o"],
    kernel: Float[Array, "k k i o"],
    *,
    stride: int,
    padding: int,
) -> Float[Array, "b h w i"]:
    """The gradient of `convolution` to its image: the kernel is that convolution's.

    The image has `stride * (y - 1) + k - 2 * padding` rows, as in PyTorch.
    """
    k = kernel.shape[0]
    h, w = (stride * (n - 1) + k - 2 * padding for n in x.shape[1:3])
    geometry = Geometry((h, w), k, stride, padding, style())
    if geometry.style == "plain":
        return formulations.LAX["image"](geometry, x, kernel)
    return _image(geometry, x, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _forward(geometry, x, kernel):
    return _run("forward", geometry, x, kernel, x.shape[3], kernel.shape[3])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _image(geometry, dy, kernel):
    return _run("image", geometry, dy, kernel, *kernel.shape[2:])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel(geometry, x, dy):
    return _run("kernel", geometry, x, dy, x.shape[3], dy.shape[3])


def _run(map_name, geometry, left, right, channels, features):
    """In float32 at least: no CPU path here is fast in bfloat16, and none is exact."""
    dtype = left.dtype
    if dtype.itemsize < 4:
        left, right = left.astype("float32"), right.astype("float32")
    name = choose(map_name, geometry, left.shape[0], channels, features)
    return formulations.ALL[name][map_name](geometry, left, right).astype(dtype)


def _closed(function, left, right):
    """Names the two maps that are the derivatives to the two arguments.

    `left` takes (geometry, the other argument, the cotangent); so does `right`.
    """
    function.defvjp(
        lambda geometry, a, b: (function(geometry, a, b), (a, b)),
        lambda geometry, saved, cotangent: (
            left(geometry, saved[1], cotangent),
            right(geometry, saved[0], cotangent),
        ),
    )


_closed(
    _forward,
    left=lambda geometry, kernel, dy: _image(geometry, dy, kernel),
    right=lambda geometry, x, dy: _kernel(geometry, x, dy),
)
_closed(
    _image,
    left=lambda geometry, kernel, dx: _forward(geometry, dx, kernel),
    right=lambda geometry, dy, dx: _kernel(geometry, dx, dy),
)
_closed(
    _kernel,
    left=lambda geometry, dy, dkernel: _image(geometry, dy, dkernel),
    right=lambda geometry, x, dkernel: _forward(geometry, x, dkernel),
)
