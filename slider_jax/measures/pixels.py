"""Two pictures, pixel by pixel: both in [0, 1] here, one value per example."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from slider_jax.batch import to_bytes

Image = Float[Array, "b h w 3"]
PerExample = Float[Array, "b"]

WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels
C1, C2 = 0.01**2, 0.03**2  # for pictures in [0, 1]
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM, finest first
SMALL_WINDOW = 7  # of MS-SSIM, where eleven pixels do not fit into the coarsest scale


def unit_range(a: Image, b: Image) -> tuple[Image, Image]:
    """[-1, 1] to [0, 1]; the door of all that compares two batches of pictures."""
    if a.shape != b.shape or a.ndim != 4 or a.shape[-1] != 3 or not a.size:
        raise ValueError(
            "Two batches of pictures [b h w 3] of one shape are compared, but these "
            f"are {list(a.shape)} and {list(b.shape)}."
        )
    return (a + 1) / 2, (b + 1) / 2


def mae(a: Image, b: Image) -> PerExample:
    """Mean of |a - b| over pixels and channels."""
    a, b = unit_range(a, b)
    return jnp.abs(a - b).mean(axis=(1, 2, 3))


def mse(a: Image, b: Image) -> PerExample:
    """Mean of (a - b)²."""
    a, b = unit_range(a, b)
    return jnp.square(a - b).mean(axis=(1, 2, 3))


def rmse(a: Image, b: Image) -> PerExample:
    """√ of each picture's MSE."""
    return jnp.sqrt(mse(a, b))


def psnr(a: Image, b: Image) -> PerExample:
    """10 log₁₀(1 / MSE) in dB; equal pictures have 100, so that means are finite."""
    return -10 * jnp.log10(jnp.maximum(mse(a, b), 1e-10))


def background_change(
    edit: Image, original: Image, background: Bool[Array, "b h w"]
) -> PerExample:
    """Mean of |edit - original| in bytes where there is background, else NaN.

    An editor that pastes its face back leaves every byte as it was.
    """
    unit_range(edit, original)
    difference = jnp.abs(to_bytes(edit).astype(int) - to_bytes(original).astype(int))
    wanted = background[..., None]
    return (difference * wanted).sum(axis=(1, 2, 3)) / (3 * wanted.sum(axis=(1, 2, 3)))


def ssim(a: Image, b: Image) -> PerExample:
    """Structural similarity (Wang 2004), mean over channels.

    A Gaussian window of 11 pixels, where it fits whole.
    """
    a, b = unit_range(a, b)
    _needs(WINDOW, a)
    luminance, structure = _similarity(a, b, WINDOW)
    return (luminance * structure).mean(axis=(1, 2, 3))


def ms_ssim(a: Image, b: Image) -> PerExample:
    """SSIM over scales (Wang 2003), the mean over channels of ∏ᵢ sᵢ^wᵢ · l^w.

    `scales` says how many and how wide a window. sᵢ below zero counts as zero.
    """
    a, b = unit_range(a, b)
    window, weights = scales(min(a.shape[1:3]))
    _needs(window, a)
    product = 1.0
    for i, weight in enumerate(weights):
        if i:
            a, b = _halved(a), _halved(b)
        luminance, structure = _similarity(a, b, window)
        last = i == len(weights) - 1
        term = (luminance * structure if last else structure).mean(axis=(1, 2))
        product = product * jnp.maximum(term, 0) ** weight
    return product.mean(axis=1)


def scales(side: int) -> tuple[int, tuple[float, ...]]:
    """MS-SSIM's window and weights for pictures so small.

    The published one (11 pixels, five scales) needs 161 pixels. Under that the window
    is of 7, and as many scales as it fits into, with weights that again sum to one:
    five from 97 pixels (so at 128), four from 49 (at 64), three from 25.
    """
    fits = lambda window, count: (window - 1) * 2 ** (count - 1) < side
    window = WINDOW if fits(WINDOW, len(SCALES)) else SMALL_WINDOW
    count = max([n for n in range(1, len(SCALES) + 1) if fits(window, n)], default=1)
    return window, tuple(w / sum(SCALES[:count]) for w in SCALES[:count])


def _needs(window, a):
    if min(a.shape[1:3]) < window:
        raise ValueError(
            f"A window of {window} pixels does not fit into pictures of "
            f"{a.shape[1]} x {a.shape[2]}; compare larger ones."
        )


def _similarity(a, b, window):
    """Luminance, and contrast times structure, at every place of the window."""
    t = np.arange(window) - window // 2
    weight = np.exp(-(t**2) / (2 * SIGMA**2))
    weight /= weight.sum()
    local = lambda x: separable(
        *(
            sum(w * np.eye(n - window + 1, n, k) for k, w in enumerate(weight))
            for n in a.shape[1:3]
        ),
        x,
    )
    mean_a, mean_b = local(a), local(b)
    a, b = a - 0.5, b - 0.5  # a smaller number to square: less is rounded
    var_a = local(a * a) - (mean_a - 0.5) ** 2
    var_b = local(b * b) - (mean_b - 0.5) ** 2
    cov = local(a * b) - (mean_a - 0.5) * (mean_b - 0.5)
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * cov + C2) / (var_a + var_b + C2)


def _halved(x):
    """Means of 2 x 2; an odd row is left out."""
    b, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))


def separable(
    rows: Float[np.ndarray, "y h"],
    columns: Float[np.ndarray, "x w"],
    image: Float[Array, "b h w c"],
) -> Float[Array, "b y x c"]:
    """A separable filter, as a matrix on either side; edges are the matrices' own."""
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    # In full precision: what is measured here are small differences.
    return jnp.einsum("yh,bhwc,xw->byxc", rows, image, columns, precision="highest")
