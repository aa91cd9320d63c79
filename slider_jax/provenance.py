"""Where a run comes from: versions, commit, data, machine."""

import hashlib
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
from typing import Any

import jax

PACKAGES = ("slider_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain")


def facts() -> dict[str, Any]:
    """What run.json says beside the config."""
    return {
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "commit": _commit(),
        "devices": [str(device.device_kind) for device in jax.devices()],
        "processes": jax.process_count(),
        "command": sys.argv,
    }


def data_hash(folder: str | os.PathLike) -> str:
    """Of the data card, which counts everything in the set; of its recipe without."""
    files = [pathlib.Path(folder, name) for name in ("card.json", "recipe.json")]
    return hashlib.sha256(next(f for f in files if f.exists()).read_bytes()).hexdigest()


def _commit() -> str | None:
    """With a + when there are changes that are in no commit; None without git."""
    here = pathlib.Path(__file__).parent
    git = lambda *command: subprocess.run(
        ["git", *command], cwd=here, capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
