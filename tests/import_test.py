"""Importing does nothing: no arrays, no devices, so hosts can still join up."""

import os
import pkgutil
import subprocess
import sys

import slider_jax

NAMES = [m.name for m in pkgutil.walk_packages(slider_jax.__path__, "slider_jax.")]
RIVAL = "slider_jax.bench_torch"  # it is PyTorch, and nothing of ours imports it
IMPORT_ALL = "\n".join(f"import {name}" for name in NAMES if name != RIVAL)

# As on a machine where they were never installed.
HIDE_TENSORFLOW_AND_PYTORCH = """
import sys
class Hide:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("tensorflow", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
"""


def run(code, **environment):
    environment = os.environ | environment
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_import_touches_no_device():
    run(IMPORT_ALL, JAX_PLATFORMS="no_such_device")


def test_import_needs_neither_tensorflow_nor_pytorch():
    run(HIDE_TENSORFLOW_AND_PYTORCH + IMPORT_ALL)
