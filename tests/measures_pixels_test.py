"""Pixel measures are those of scikit-image and of brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.metrics

from slider_jax.batch import to_float
from slider_jax.measures import pixels
from slider_jax.measures.ied import ied


def pictures(size, count=2, seed=0):
    """Smooth ones, and the same with noise, in bytes."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (count, size // 8, size // 8, 3))
    smooth = np.asarray(jax.image.resize(coarse, (count, size, size, 3), "cubic"))
    noisy = smooth + rng.normal(0, 25, smooth.shape)
    return [x.clip(0, 255).astype(np.uint8) for x in (smooth, noisy)]


def both(size=64, **kwargs):
    return [jnp.asarray(to_float(x)) for x in pictures(size, **kwargs)]


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (pixels.mse, skimage.metrics.mean_squared_error),
        (pixels.psnr, lambda a, b: skimage.metrics.peak_signal_noise_ratio(a, b)),
        (pixels.mae, lambda a, b: np.abs(a - b).mean()),
        (pixels.rmse, lambda a, b: np.sqrt(((a - b) ** 2).mean())),
        (
            pixels.ssim,
            lambda a, b: skimage.metrics.structural_similarity(
                *(a, b),
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1,
                channel_axis=2,
            ),
        ),
    ],
)
def test_pixel_measures_are_those_of_scikit_image(ours, theirs):
    a, b = (x / 255 for x in pictures(40))
    expected = [theirs(x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(jax.jit(ours)(*both(40)), expected, rtol=2e-5)


def brute_ms_ssim(a, b, window, weights):
    """One channel in float64, window by window."""
    t = np.arange(window) - window // 2
    g = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / (2 * 1.5**2))
    g /= g.sum()
    product = 1.0
    for i, weight in enumerate(weights):
        if i:
            a, b = (
                (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4
                for x in (a, b)
            )
        terms = []
        for y in range(len(a) - window + 1):
            for x in range(len(a) - window + 1):
                p, q = (z[y : y + window, x : x + window] for z in (a, b))
                mp, mq = (g * p).sum(), (g * q).sum()
                vp, vq = (g * (p - mp) ** 2).sum(), (g * (q - mq) ** 2).sum()
                cov = (g * (p - mp) * (q - mq)).sum()
                term = (2 * cov + 9e-4) / (vp + vq + 9e-4)
                if i == len(weights) - 1:
                    term *= (2 * mp * mq + 1e-4) / (mp**2 + mq**2 + 1e-4)
                terms.append(term)
        product *= np.mean(terms) ** weight
    return product


@pytest.mark.parametrize(
    "size, window, count", [(32, 7, 3), (64, 7, 4), (128, 7, 5), (176, 11, 5)]
)
def test_ms_ssim_is_that_of_a_loop(size, window, count):
    found, weights = pixels.scales(size)
    assert (found, len(weights)) == (window, count)
    colours = 3 if size == 32 else 1  # a grey one is as good, and quicker
    a, b = (
        x[:1, ..., :colours].repeat(4 - colours, 3)[..., :3] for x in pictures(size)
    )
    channels = [[x[0, ..., c] / 255 for x in (a, b)] for c in range(colours)]
    expected = np.mean([brute_ms_ssim(*pair, window, weights) for pair in channels])
    found = pixels.ms_ssim(*(jnp.asarray(to_float(x)) for x in (a, b)))
    np.testing.assert_allclose(found, [expected], rtol=2e-5)


def test_the_weights_of_all_scales_sum_to_one():
    for side in (25, 49, 64, 97, 128, 161, 256):
        np.testing.assert_allclose(sum(pixels.scales(side)[1]), 1)
    assert [pixels.scales(n)[0] for n in (160, 161)] == [7, 11]
    assert [len(pixels.scales(n)[1]) for n in (24, 25, 48, 49, 96, 97)] == [
        *(2, 3, 3, 4, 4, 5)
    ]


def test_equal_pictures_are_as_alike_as_can_be():
    a, _ = both()
    best = {pixels.ssim: 1, pixels.ms_ssim: 1, ied: 0, pixels.psnr: 100}
    for measure, value in best.items():
        np.testing.assert_allclose(jax.jit(measure)(a, a), [value] * 2, atol=1e-5)


def test_the_opposite_of_a_picture_is_no_nan():
    a, _ = both()
    assert np.isfinite(pixels.ms_ssim(a, -a)).all()


def test_only_the_background_changes_in_bytes():
    """Two bytes in one channel of a quarter of the background; the face may change."""
    original = jnp.zeros((2, 4, 4, 3))
    edit = original.at[0, 0, :2, 1].add(2 / 127.5).at[0, 2:].set(1.0)
    background = jnp.zeros((2, 4, 4), bool).at[0, :2].set(True)
    found = pixels.background_change(edit, original, background)
    np.testing.assert_allclose(found, [2 / 4 / 3, np.nan], rtol=1e-6)


@pytest.mark.parametrize("measure, window", [(pixels.ssim, 11), (pixels.ms_ssim, 7)])
def test_a_picture_smaller_than_the_window_is_refused(measure, window):
    with pytest.raises(ValueError, match=f"of {window} pixels does not fit .*6 x 9"):
        measure(jnp.zeros((1, 6, 9, 3)), jnp.zeros((1, 6, 9, 3)))
