"""Eight CPU devices; broadcasting across ranks is an error; signatures are checked."""

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["SLIDER_RUNTIME"] = "ours"  # nothing is measured
os.environ["SLIDER_KEEP_MEMORY"] = "0"  # for whole programs only

import beartype  # noqa: E402
import jax  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")


def check_functions(function):
    """What `--jaxtyping-packages` checks with: beartype, but not on the fields.

    Annotations of dataclass fields are documentation, because batches get stacked,
    loaded as NumPy and made abstract; a generated `__init__` would refuse all three.
    """
    return function if function.__name__ == "__init__" else beartype.beartype(function)
