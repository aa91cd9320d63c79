"""Which formulation computes which convolution. Decided when a program is traced.

Measured on the CPU backend of jax 0.10: its fast path takes neither strided input
gradients, nor kernels larger than the image, nor kernel gradients with few outputs, nor
strided ones with few inputs, and what it does not take is up to a hundred times slower.
So there small images become one matrix product, large ones Winograd transforms, and
`lax` keeps the rest.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import NamedTuple

import jax

# On a CPU: Winograd with tiles of F(2x2), or F(4x4) where a batch shares its kernels:
# training is a tenth faster, and three to seven times as many last digits are lost
# (1e-6 of a value). Elsewhere: `plain`, which is `lax` and nothing else.
STYLES = ("plain", "winograd2", "winograd4")
_style: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "style", default=None
)


class Geometry(NamedTuple):
    """What the three maps of a convolution share. `size` is the image's (h, w)."""

    size: tuple[int, int]
    kernel: int
    stride: int
    padding: int
    style: str

    @property
    def output(self) -> tuple[int, int]:
        """(h, w) after the convolution."""
        h, w = (
            (n + 2 * self.padding - self.kernel) // self.stride + 1 for n in self.size
        )
        return h, w

    @property
    def live(self) -> list[tuple[int, int]]:
        """For each axis, the first and last + 1 tap that ever meets the image.

        On tiny images most of a kernel sees only padding.
        """
        return [
            (
                max(0, self.padding - (outputs - 1) * self.stride),
                min(self.kernel, self.padding + n),
            )
            for n, outputs in zip(self.size, self.output, strict=True)
        ]


def unseen(size: tuple[int, int], *, kernel: int, stride: int, padding: int) -> int:
    """How many rings of a kernel's taps meet nothing but padding."""
    live = Geometry(size, kernel, stride, padding, "plain").live
    return min(min(first, kernel - last) for first, last in live)


@contextlib.contextmanager
def using(style: str) -> Iterator[None]:
    """Programs traced in here use this style, in every order of differentiation.

    What was compiled before keeps its own.
    """
    if style not in STYLES:
        raise ValueError(f"Unknown style {style!r}; choose from {list(STYLES)}.")
    token = _style.set(style)
    try:
        yield
    finally:
        _style.reset(token)


def style() -> str:
    """The style chosen with `using`, or else the backend's."""
    default = "winograd4" if jax.default_backend() == "cpu" else "plain"
    return _style.get() or default


def filled(features: int) -> int:
    """Eights are faster on CPUs: 32 outputs of which four are zeros take three quarters
    of the time of 28. More than an eighth for nothing is not worth it."""
    whole = -(-features // 8) * 8
    return whole if 8 * features >= 7 * whole else features


def choose(
    map_name: str, geometry: Geometry, batch: int, channels: int, features: int
) -> str:
    """The formulation's name, for the `forward`, `image` or `kernel` map on a CPU.

    `channels` go into the convolution, and `features` come out of it.
    """
    small, big = min(geometry.size), max(geometry.size)
    shape = (geometry.kernel, geometry.stride, geometry.padding)
    whole = not any(n % geometry.stride for n in geometry.size)
    # Its transforms pay when many channels share them. Larger tiles need larger images,
    # and their larger kernels a batch: for a single face F(2x2) is faster.
    wide = min(channels, features) >= 32 and small >= 8
    if shape in ((3, 1, 1), (4, 2, 1)) and whole and wide:
        return geometry.style if small >= 16 and batch >= 4 else "winograd2"
    if big <= 8:
        return "product"
    few = channels < 16
    if geometry.stride > 1 and (map_name == "image" or map_name == "kernel" and few):
        return "product"
    if map_name == "forward" and few and geometry.kernel > 3:
        return "rows"
    if map_name == "kernel" and geometry.stride == 1 and features < 16:
        return "swap"
    return "lax"
