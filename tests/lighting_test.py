"""Spherical harmonics that integrate as they should, and highlights in their place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import lighting

RNG = np.random.default_rng(0)
irradiance = jax.jit(lighting.irradiance)
highlight = jax.jit(lighting.highlight)


def directions(count):
    """A Fibonacci lattice: every direction stands for the same part of the sphere."""
    i = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * i / count), np.pi * (1 + 5**0.5) * i
    return jnp.array(
        np.stack(
            [np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)],
            1,
        ),
        jnp.float32,
    )


def light(*, colour=(1.0, 1.0, 1.0), direction=(0.6, 0.0, 0.8)):
    return lighting.Light(jnp.zeros((9, 3)), jnp.array(direction), jnp.array(colour))


def test_the_basis_is_orthonormal_on_the_sphere():
    values = np.asarray(lighting.basis(directions(20_000)), np.float64)
    gram = values.T @ values * (4 * np.pi / len(values))
    np.testing.assert_allclose(gram, np.eye(9), atol=1e-3)


@pytest.mark.parametrize(
    "coefficient, normal, expected",
    [
        (0, (0, 0, 1), 0.886227),
        (1, (0, -1, 0), 1.772454),
        (2, (0, 0, 1), 1.772454),
        (3, (-1, 0, 0), 1.772454),
        (4, (0.6, 0.8, 0), 2.427032 * 0.48),
        (5, (0, -0.6, 0.8), 2.427032 * 0.48),
        (6, (0, 0, 1), 2.427032 / np.sqrt(3)),
        (6, (1, 0, 0), -2.427032 / np.sqrt(12)),
        (7, (-0.6, 0, 0.8), 2.427032 * 0.48),
        (8, (1, 0, 0), 2.427032 / 2),
        (8, (0, 1, 0), -2.427032 / 2),
    ],
)
def test_each_harmonic_has_the_factor_of_deep3dfacerecon(coefficient, normal, expected):
    """a0 c0 = 0.886227, a1 c1 = 1.772454, a2 c2 = 2.427032 (dossier 0.4)."""
    ambient = jnp.zeros((9, 3)).at[coefficient].set(jnp.array([1.0, 0.5, 0.0]))
    found = irradiance(ambient, jnp.array(normal, jnp.float32))
    np.testing.assert_allclose(found, [expected, expected / 2, 0.0], atol=1e-5)


def test_irradiance_is_linear_and_the_same_for_one_normal_and_for_a_picture():
    a, b = jnp.array(RNG.normal(size=(2, 9, 3)), jnp.float32)
    normals = directions(12)
    both = irradiance(2 * a - b, normals)
    apart = 2 * irradiance(a, normals) - irradiance(b, normals)
    np.testing.assert_allclose(both, apart, atol=1e-5)
    picture = irradiance(a, normals.reshape(3, 4, 3)).reshape(12, 3)
    one = jax.vmap(irradiance, (None, 0))(a, normals)
    np.testing.assert_allclose(picture, one, atol=1e-6)


def test_a_highlight_peaks_halfway_between_light_and_viewer():
    lit = light(direction=(0.6, 0.0, 0.8))
    half = np.array([0.6, 0.0, 1.8]) / np.linalg.norm([0.6, 0.0, 1.8])
    normals = jnp.concatenate([jnp.array([half], jnp.float32), directions(4000)])
    shine = highlight(lit, normals, jnp.full(4001, 30.0))
    np.testing.assert_allclose(shine[0], 1.0, atol=1e-5)
    assert shine.argmax() == 0
    blinn = np.maximum(normals @ half, 0) ** 30
    np.testing.assert_allclose(shine, blinn, atol=0.03)


def test_more_gloss_is_a_smaller_highlight():
    normals = directions(4000)
    area = lambda gloss: highlight(light(), normals, jnp.float32(gloss)).mean()
    assert area(10.0) > 2 * area(40.0) > 4 * area(160.0)


def test_gradients_reach_light_and_normals():
    normals = directions(50)

    def total(ambient, direction, normals):
        lit = light().replace(direction=direction)
        shine = highlight(lit, normals, jnp.float32(12.0))
        return irradiance(ambient, normals).sum() + shine.sum()

    at = jnp.ones((9, 3)), light().direction, normals
    for gradient in jax.jit(jax.grad(total, (0, 1, 2)))(*at):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
