"""How good is it? Evaluation measures, as equations; MEASURES lists them.

Pictures are float32 NHWC in [-1, 1], as everywhere; a measure says which range it
compares them in. Most give one value per example, so that means, intervals and tests
(`spread`) come after. What is undefined, such as the correlation of a constant, is NaN.
"""

from slider_jax.measures.people import area_under_curve
from slider_jax.measures.table import MEASURES, Measure

__all__ = ["MEASURES", "Measure", "area_under_curve"]
