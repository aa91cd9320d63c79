"""What the tests of parity share."""

import functools

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from slider_jax import ops

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


def multiply_adds(function, *shapes):
    """Of its convolutions as they are defined, borders of zeros included."""
    with ops.using("plain"):
        return sum(map(_of_equation, _equations(jax.make_jaxpr(function)(*shapes))))


def _equations(closed):
    for equation in closed.jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            if isinstance(value, jax.extend.core.ClosedJaxpr):
                yield from _equations(value)


def _of_equation(equation):
    if equation.primitive.name != "conv_general_dilated":
        return 0
    how, (_, kernel) = equation.params, (x.aval.shape for x in equation.invars)
    taps = np.prod(kernel) // kernel[how["dimension_numbers"].rhs_spec[0]]
    return equation.outvars[0].aval.size * taps // np.prod(how["lhs_dilation"])
