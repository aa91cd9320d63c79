"""What the tests of parity share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

# Compiled once and run once: nothing here is worth LLVM's optimisations.
quick = functools.partial(
    jax.jit, compiler_options={"xla_backend_optimization_level": 0}
)


def draw(*shape, seed=0):
    """Uniform in [-1, 1]."""
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return jnp.asarray(values, "float32")


def close(actual, expected, tolerance):
    """Within the tolerance times the largest value."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()
