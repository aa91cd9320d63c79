"""Compiled programs, kept on disk."""

import jax

from slider_jax import fetch


def keep_programs() -> None:
    """The quick ones too: of the seventy of a run, a second start compiles none."""
    jax.config.update("jax_compilation_cache_dir", str(fetch.cache() / "programs"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
