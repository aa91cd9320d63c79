"""dlib's face recognition ResNet (Davis King), as a function of its weights.

29 convolutions; 150 x 150 faces to 128 numbers. It learnt that distances under 0.6 are
one person; the numbers do not have length one.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from slider_jax.nets.identity import Template, unit
from slider_jax.ops import convolution

Weights = dict[str, Any]

# (features in, features out, halves the picture) of every block.
BLOCKS = (
    *[(32, 32, False)] * 3,
    *[(32, 64, True), (64, 64, False), (64, 64, False), (64, 64, False)],
    *[(64, 128, True), (128, 128, False), (128, 128, False)],
    *[(128, 256, True), (256, 256, False), (256, 256, False)],
    (256, 256, True),
)
STEM, DESCRIPTOR = 32, 128
MEAN = (122.782, 117.001, 104.298)  # RGB, in 0..255

# Thousandths; the mean of `unit(describe(...))` over rendered faces of 120 people.
CENTRE = (
    *(-68, 94, 31, -65, -54, -21, -40, -64, 89, -65, 172, -1, -189, -47, -7, 132),
    *(-115, -85, -66, -15, 44, 3, -19, 30, -61, -201, -68, -37, -11, -29, 17, -19),
    *(-99, -21, 26, 35, -30, -70, 129, 3, -137, 2, 44, 166, 123, 7, 55, -49, 81),
    *(-160, 34, 108, 100, 54, 24, -113, 31, 148, -167, 22, 67, -39, -33, -26, 142),
    *(100, -119, -121, 134, -96, -48, 15, -112, -135, -198, 24, 253, 108, -110),
    *(-1, -57, 9, 2, 41, -49, -23, -62, 2, 135, -4, -5, 166, 24, -30, 2, 36, -50),
    *(-16, -65, -1, -14, -88, 11, 79, -140, 121, -10, 22, -29, 27, -59, -23, 102),
    *(-139, 135, 135, 50, 74, 61, 64, 0, -43, -122, -73, 5, -15, 56, 40),
)

# Corners of the eyes and the base of the nose: dlib's five, in units of the face.
_POINTS = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
SIZE, MARGIN = 150, 0.25  # the margin on every side, in units of the face
TEMPLATE = Template(
    SIZE,
    ((45,), (42,), (36,), (39,), (33,)),
    tuple(
        tuple(SIZE * (MARGIN + value) / (1 + 2 * MARGIN) for value in point)
        for point in _POINTS
    ),
)


def describe(weights: Weights, faces: Float[Array, "b h h 3"]) -> Float[Array, "b 128"]:
    """dlib's own numbers for faces of 150 pixels in [-1, 1]; compare by distance."""
    x = ((faces + 1) * 127.5 - jnp.array(MEAN)[None, None, None]) / 256
    x = nn.relu(_convolution(weights["stem"], x, stride=2, padding=0))
    x = nn.max_pool(x, (3, 3), (2, 2))
    for (_, _, halves), block in zip(BLOCKS, weights["blocks"], strict=True):
        stride, padding = (2, 0) if halves else (1, 1)
        y = _convolution(block["first"], x, stride=stride, padding=padding)
        y = _convolution(block["second"], nn.relu(y), stride=1, padding=1)
        x = nn.relu(_sum(_halved(x) if halves else x, y))
    return x.mean(axis=(1, 2)) @ weights["descriptor"]


def embed(weights: Weights, faces: Float[Array, "b h h 3"]) -> Float[Array, "b 128"]:
    """For cosines: directions from the mean face.

    All of dlib's numbers point one way: the cosine of two strangers is 0.9. From the
    mean it is about 0, as ArcFace's is, and so 1 - cos fits the paper's weight.
    """
    centre = jnp.array(CENTRE, jnp.float32) / 1000
    return unit(describe(weights, faces)) - centre[None]


def _convolution(layer, x, *, stride, padding):
    """A convolution, and the normalisation after it folded into scale and shift."""
    y = convolution(x, layer["kernel"], stride=stride, padding=padding)
    return y * layer["scale"][None, None, None] + layer["shift"][None, None, None]


def _halved(x):
    """Means of 2 x 2; an odd row is left out."""
    b, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))


def _sum(a, b):
    """With zeros where one has no pixel, or no channel, for the other's."""
    shape = [max(sizes) for sizes in zip(a.shape, b.shape, strict=True)]
    grown = [
        jnp.pad(t, [(0, n - m) for n, m in zip(shape, t.shape, strict=True)])
        for t in (a, b)
    ]
    return grown[0] + grown[1]


def parse(data: bytes) -> Weights:
    """The weights in dlib's file of this network.

    The file holds the layers in order, and each tensor as a 2, its four sizes and its
    numbers. We know all sizes, so we look for these heads one after the other.
    """
    at = 0

    def tensor(*sizes):
        nonlocal at
        head = b"".join(map(_integer, (2, *sizes)))
        start = data.find(head, at) + len(head)
        count = int(np.prod(sizes))
        at = start + 4 * count
        if start < len(head) or at > len(data):
            raise ValueError(
                "This is not dlib_face_recognition_resnet_model_v1.dat, or it was cut "
                f"short: it has no tensor of {count} numbers where one belongs."
            )
        return np.frombuffer(data, "<f4", count, start)

    def layer(size, channels, features):
        numbers = tensor(size * size * channels * features + features, 1, 1, 1)
        kernel = numbers[:-features].reshape(features, channels, size, size)
        scale, shift = np.split(tensor(2 * features, 1, 1, 1), 2)
        bias = numbers[-features:]
        return dict(
            kernel=np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)),
            scale=scale,
            shift=shift + scale * bias,
        )

    return dict(
        stem=layer(7, 3, STEM),
        blocks=[
            dict(first=layer(3, i, o), second=layer(3, o, o)) for i, o, _ in BLOCKS
        ],
        descriptor=tensor(BLOCKS[-1][1], DESCRIPTOR, 1, 1).reshape(-1, DESCRIPTOR),
    )


def _integer(value: int) -> bytes:
    """dlib's integers: how many bytes follow, and these, the lowest first."""
    count = (value.bit_length() + 7) // 8
    return bytes([count]) + value.to_bytes(count, "little")
