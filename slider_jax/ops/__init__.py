"""The few operations that take all the time, in the form that is fast where they run.

Networks call these and know nothing of backends; every formulation computes the same
function and the same derivatives.
"""

from slider_jax.ops.condition import condition_convolution
from slider_jax.ops.convolution import convolution, transposed_convolution
from slider_jax.ops.fold import fold, unfold
from slider_jax.ops.norm import instance_norm
from slider_jax.ops.rule import STYLES, style, unseen, using

__all__ = [
    "STYLES",
    "condition_convolution",
    "convolution",
    "fold",
    "instance_norm",
    "style",
    "transposed_convolution",
    "unfold",
    "unseen",
    "using",
]
