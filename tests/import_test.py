"""Importing does nothing: no arrays, no devices, so hosts can still join up."""

import os
import pkgutil
import subprocess
import sys

import slider_jax

NAMES = [m.name for m in pkgutil.walk_packages(slider_jax.__path__, "slider_jax.")]


def run(*lines, **environment):
    code = "\n".join(lines)
    environment = os.environ | environment
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_import_touches_no_device():
    run(*(f"import {name}" for name in NAMES), JAX_PLATFORMS="no_such_device")


def test_import_needs_neither_tensorflow_nor_pytorch():
    run(
        "import sys",
        "sys.modules |= dict.fromkeys(['tensorflow', 'torch'])  # None: not to be had",
        *(f"import {name}" for name in NAMES),
    )
