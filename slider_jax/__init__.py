"""Slide the expression of a face."""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["Editor"]


def __getattr__(name: str) -> Any:
    """`slider_jax.Editor`, imported when it is asked for."""
    if name == "Editor":
        return importlib.import_module("slider_jax.edit").Editor
    raise AttributeError(f"module 'slider_jax' has no attribute {name!r}")
