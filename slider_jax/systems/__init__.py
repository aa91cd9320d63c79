"""The GANs, one file per paper. `create(name, **model)` builds one by name."""

import importlib
import importlib.util
import pathlib
import pkgutil
import sys
from types import ModuleType
from typing import Any

from slider_jax.systems.base import System

NAMES = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base")


def create(name: str, **model: Any) -> System:
    """Builds `slider_jax.systems.<name>.System` from the config's `model` table.

    A name that ends in .py is a file of your own, see docs/new_system.md.
    """
    if name.endswith(".py"):
        return _load(pathlib.Path(name)).System(**model)
    if name not in NAMES:
        raise ValueError(
            f"Unknown system {name!r}; choose from {NAMES}, or give a file.py."
        )
    return importlib.import_module(f"{__name__}.{name}").System(**model)


def _load(path: pathlib.Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"There is no system in {path}: no such file.")
    spec = importlib.util.spec_from_file_location(f"system_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module
