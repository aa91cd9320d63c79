"""The image Euclidean distance: its double sum, the dossier's numbers, and `imed`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.measures.ied import ied


def double_sum(a, b, signs):
    """Over all pairs of pixels of one picture in [0, 1]."""
    h, w, _ = a.shape
    place = np.stack(np.mgrid[:h, :w], -1).reshape(-1, 2)
    d = (a - b).reshape(h * w, 3)
    size = np.linalg.norm(d, axis=1)
    errors = np.outer(size, size) if signs == "unsigned" else d @ d.T
    squared = ((place[:, None] - place[None]) ** 2).sum(-1)
    return (np.exp(-squared / 2) / (2 * np.pi) * errors).sum()


def inside(x):
    """[0, 1] to [-1, 1]."""
    return jnp.asarray(2 * x - 1, "float32")


@pytest.mark.parametrize("signs", ["unsigned", "signed"])
def test_two_products_are_the_double_sum(signs):
    a, b = np.random.default_rng(0).uniform(size=(2, 3, 9, 13, 3))
    expected = [double_sum(x, y, signs) for x, y in zip(a, b, strict=True)]
    run = jax.jit(lambda a, b: ied(a, b, signs=signs, normalise="none"))
    np.testing.assert_allclose(run(inside(a), inside(b)), expected, rtol=1e-5)
    mean = ied(inside(a), inside(b), signs=signs)
    np.testing.assert_allclose(mean, np.array(expected) / (9 * 13), rtol=1e-5)
    root = ied(inside(a), inside(b), signs=signs, sqrt=True)
    np.testing.assert_allclose(root, np.sqrt(mean), rtol=1e-5)


@pytest.mark.parametrize(
    "h, w, total", [(1, 1, 0.00477465), (1, 2, 0.01534124), (2, 2, 0.04929234)]
)
def test_an_error_of_a_tenth_everywhere(h, w, total):
    a = np.full((1, h, w, 3), 0.4)
    found = ied(inside(a), inside(a + 0.1), normalise="none")
    np.testing.assert_allclose(found, [total], rtol=1e-5)
    mean = ied(inside(a), inside(a + 0.1))  # .00767062 of 1 x 2
    np.testing.assert_allclose(mean, [total / (h * w)], rtol=1e-5)


def test_the_papers_number_is_an_error_of_a_twentieth():
    a = np.full((1, 128, 128, 3), 0.5)
    np.testing.assert_allclose(ied(inside(a), inside(a + 0.047)), 6.55e-3, rtol=1e-3)


@pytest.mark.parametrize("signs, value", [("unsigned", 6.5e-3), ("signed", 1.2e-3)])
def test_white_noise_cancels_only_with_its_signs(signs, value):
    noise = np.random.default_rng(0).normal(0, 0.05, (1, 128, 128, 3))
    found = ied(inside(0.5 + noise), inside(np.full_like(noise, 0.5)), signs=signs)
    np.testing.assert_allclose(found, [value], rtol=0.02)


def test_the_signed_root_is_that_of_imed():
    """It takes a cosine transform, and is half a percent away from the sum."""
    imed = pytest.importorskip("imed")
    a, b = np.full((2, 32, 32, 3), 0.5)
    b[12:20, 12:20] += np.random.default_rng(0).uniform(-0.4, 0.4, (8, 8, 3))
    expected = imed.distance(a, b, sigma=(1, 1, 0))
    options = dict(signs="signed", normalise="none", sqrt=True)
    found = ied(inside(a[None]), inside(b[None]), **options)
    np.testing.assert_allclose(found, [expected], rtol=5e-3)


@pytest.mark.parametrize("option", ["signs", "normalise"])
def test_an_unknown_option_is_named(option):
    a = jnp.zeros((1, 4, 4, 3))
    with pytest.raises(ValueError, match=f"Unknown {option} 'x'; choose from"):
        ied(a, a, **{option: "x"})
