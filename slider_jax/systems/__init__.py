"""The GANs, one file per paper. `create(name, **model)` builds one by name."""

import importlib
import pkgutil
from typing import Any

from slider_jax.systems.base import System

NAMES = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base")


def create(name: str, **model: Any) -> System:
    """Builds `slider_jax.systems.<name>.System` from the config's `model` table."""
    if name not in NAMES:
        raise ValueError(f"Unknown system {name!r}; choose from {NAMES}.")
    return importlib.import_module(f"{__name__}.{name}").System(**model)
