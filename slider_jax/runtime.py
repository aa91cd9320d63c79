"""Which program paints faster on this CPU: ours, or onnxruntime where it is installed.

Their pictures differ in the last digits, and the same request shall give the same
bytes. So it is measured once for a model, a machine and the versions of both, and kept
in the cache folder. `SLIDER_RUNTIME=ours` or `onnxruntime` says it by hand.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import re
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import slider_jax
from slider_jax import fetch, files, onnx_graph
from slider_jax.model_file import Model
from slider_jax.painter import paint_by_jax, paint_by_onnxruntime

RUNTIMES = {"ours": paint_by_jax, "onnxruntime": paint_by_onnxruntime}
TURNS, SECONDS = 5, 0.1  # of each, after the first


def installed() -> bool:
    """Whether there is a second program."""
    return all(map(importlib.util.find_spec, ("onnx", "onnxruntime")))


def paint_fastest(model: Model) -> Callable:
    """As the painters' `paint`. Nothing is loaded or measured before the first call."""
    choose = functools.cache(lambda: _choose(model))
    one_at_a_time = threading.Lock()

    def paint(crop, vector):
        with one_at_a_time:
            chosen = choose()
        return chosen(crop, vector)

    return paint


def _choose(model):
    asked = os.environ.get("SLIDER_RUNTIME")
    if asked:
        if asked not in RUNTIMES:
            raise ValueError(
                f"SLIDER_RUNTIME is {asked!r}; choose from {', '.join(RUNTIMES)}."
            )
        return RUNTIMES[asked](model)
    if jax.default_backend() != "cpu" or not installed() or not onnx_graph.knows(model):
        return paint_by_jax(model)
    case = _case(model)
    name = hashlib.sha256(json.dumps(case).encode()).hexdigest()[:16]
    path = fetch.cache() / "runtimes" / f"{name}.json"
    if path.is_file():
        return RUNTIMES[json.loads(path.read_text())["runtime"]](model)
    painters = {name: make(model) for name, make in RUNTIMES.items()}
    seconds = _measure(painters, model)
    faster = min(seconds, key=seconds.get)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(path) as scratch:
            found = {"runtime": faster, "seconds": seconds, "case": case}
            scratch.write_text(json.dumps(found, indent=1))
    except OSError:
        faster = "ours"  # what cannot be kept would be another answer tomorrow
    return painters[faster]


def _case(model) -> dict[str, Any]:
    """All that the answer hangs on, as far as we know."""
    info = pathlib.Path("/proc/cpuinfo")
    names = re.findall(
        r"model name\s*: (.+)", info.read_text() if info.exists() else ""
    )
    libraries = ("jax", "jaxlib", "onnxruntime")
    return {
        "model": model.id,
        "processor": [platform.machine(), platform.processor(), *names[:1]],
        "cores": os.cpu_count(),
        "slider_jax": slider_jax.__version__,
        **{name: importlib.metadata.version(name) for name in libraries},
    }


def _measure(painters, model) -> dict[str, float]:
    """Seconds of a picture: the median of turns, so that a busy moment hits both."""
    crop = np.zeros((model.size, model.size, 3), np.uint8)
    work = {
        n: lambda p=p: p(crop, np.zeros(model.parameters)) for n, p in painters.items()
    }
    for paint in work.values():
        paint()
    times = {name: [] for name in work}
    for _ in range(TURNS):
        for name, paint in work.items():
            calls, start = 0, time.perf_counter()
            while time.perf_counter() < start + SECONDS:
                paint()
                calls += 1
            times[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(some) for name, some in times.items()}
