"""Is this machine ready? Versions, devices, assets, disk, and how to get the rest."""

import collections
import importlib.metadata
import os
import pathlib
import platform
import shutil
import textwrap
from typing import Any

from packaging.requirements import Requirement

from slider_jax import fetch, files

ASSETS = pathlib.Path(__file__).parent / "assets"
NEEDED = "head.npz"
LITTLE_DISK = 2.0  # GB; a data set and a few checkpoints


def report() -> dict[str, Any]:
    """All findings as plain values. `problems` is empty when the core is well."""
    devices, device_problems = _devices()
    assets, asset_problems = check_assets(ASSETS)
    requirements = _requirements("slider_jax")
    missing = [str(r) for r in requirements[""] if not _is_met(r)]
    disk = shutil.disk_usage(".").free / 1e9
    return {
        "version": importlib.metadata.version("slider_jax"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {r.name: _version(r.name) for r in requirements[""]},
        "devices": devices,
        "assets": assets,
        "free_disk_gb": round(disk, 1),
        "missing_extras": {
            extra: [str(r) for r in group if not _is_met(r)]
            for extra, group in requirements.items()
            if extra
        },
        "fetched": {name: fetch.is_here(name) for name in fetch.PACKAGES},
        "problems": [f"{r} is missing or too old: {_pip([r])}" for r in missing]
        + device_problems
        + asset_problems,
        "hints": _hints(devices, disk),
    }


def check_assets(folder: pathlib.Path) -> tuple[dict[str, str], list[str]]:
    """Every file of SHA256SUMS (as sha256sum writes it) against its hash."""
    try:
        expected = files.sums(folder)
    except FileNotFoundError as error:
        return {}, [str(error)]
    found = {NEEDED: "not listed in SHA256SUMS"} | {
        name: files.compare(folder / name, digest) for name, digest in expected.items()
    }
    return found, [
        f"{folder / name} is {state}: {files.RESTORE}."
        for name, state in found.items()
        if state != "well"
    ]


def show(found: dict[str, Any]) -> str:
    """The report for people, ending in a verdict."""
    packages = " ".join(f"{k}={v or 'MISSING'}" for k, v in found["packages"].items())
    extras = [
        f"  {extra:8}  " + (_pip(missing) if missing else "here")
        for extra, missing in found["missing_extras"].items()
    ]
    fetched = [
        f"  {name:16}  {'here' if here else 'comes by itself when it is first needed'}"
        for name, here in found["fetched"].items()
    ]
    state = collections.defaultdict(list)  # a folder is one line
    for name, found_state in found["assets"].items():
        state[name.partition("/")[0]].append(found_state)
    assets = [
        f"  {name:16}  {next((s for s in states if s != 'well'), 'well')}"
        for name, states in state.items()
    ]
    problems = [f"Problem: {problem}" for problem in found["problems"]]
    return "\n".join(
        [
            f"slider_jax {found['version']}, Python {found['python']}, "
            f"{found['platform']}",
            textwrap.fill(
                f"Packages: {packages}",
                width=88,
                subsequent_indent="  ",
                break_on_hyphens=False,
            ),
            f"Devices: {', '.join(found['devices']) or 'none'}",
            f"Free disk here: {found['free_disk_gb']} GB",
            "Assets:",
            *assets,
            "Extras (none is needed for the core):",
            *extras,
            f"Asset packages, kept in {fetch.cache()}:",
            *fetched,
            *(f"Hint: {hint}" for hint in found["hints"]),
            *(problems or ["All is well."]),
        ]
    )


def _devices() -> tuple[list[str], list[str]]:
    """Names of the devices that JAX can really compute on."""
    import jax
    import numpy as np

    try:
        devices = jax.devices()
        # A broken cuDNN shows in a convolution, not before.
        jax.lax.conv(
            np.ones((1, 1, 4, 4), "f"), np.ones((1, 1, 3, 3), "f"), (1, 1), "SAME"
        )
    except Exception as error:  # whatever a driver or plugin may throw
        reason = (str(error) or repr(error)).splitlines()[0]
        asked = os.environ.get("JAX_PLATFORMS")
        where = f"on JAX_PLATFORMS={asked}" if asked else "here"
        return [], [f"JAX cannot compute {where}: {reason}"]
    return [f"{d.platform}:{d.id} {d.device_kind}" for d in devices], []


def _hints(devices: list[str], free_disk_gb: float) -> list[str]:
    hints = []
    if shutil.which("nvidia-smi") and not any(
        "cuda" in d or "gpu" in d for d in devices
    ):
        hints.append(
            "an NVIDIA GPU seems to be here, and JAX does not see it: see extra gpu."
        )
    if free_disk_gb < LITTLE_DISK:
        hints.append("little disk is left for data sets and checkpoints.")
    return hints


def _requirements(package: str) -> dict[str, list[Requirement]]:
    """What setup.py asks for, by extra; the core is under the empty name."""
    metadata = importlib.metadata.metadata(package)
    groups: dict[str, list[Requirement]] = {"": []}
    groups |= {extra: [] for extra in sorted(metadata.get_all("Provides-Extra", []))}
    for text in importlib.metadata.requires(package) or []:
        requirement = Requirement(text)
        extra = next(
            (e for e in groups if _applies(requirement, e)),
            None,
        )
        requirement.marker = None
        if extra is not None:
            groups[extra].append(requirement)
    return groups


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _is_met(requirement: Requirement) -> bool:
    version = _version(requirement.name)
    if version is None or not requirement.specifier.contains(version, prereleases=True):
        return False
    inner = _requirements(requirement.name) if requirement.extras else {}
    return all(_is_met(r) for extra in requirement.extras for r in inner[extra])


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pip(requirements: list[Any]) -> str:
    return "pip install " + " ".join(f"'{r}'" for r in requirements)
