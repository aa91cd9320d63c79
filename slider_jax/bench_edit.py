"""How long a model takes to paint one face here: ours, and onnxruntime beside it."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from slider_jax import bench_train, model_file, ops, runtime, systems
from slider_jax.bench_train import Contender, median
from slider_jax.model_file import Model

RIVAL = "onnxruntime"
CONTENDERS = (
    Contender("ours", "bench_edit", {"style": "winograd2"}),
    Contender("ours, plain lax", "bench_edit", {"style": "plain"}),
    Contender(RIVAL, "bench_edit", {"name": RIVAL}),
)


@dataclasses.dataclass(frozen=True)
class Setting:
    """A model's file, or a full one of random weights and this `size`."""

    model: str | None = None
    size: int | None = None


def edit(
    model: str | None = None,
    *,
    size: int | None = None,
    threads: int | None = None,
    turns: int = 15,
    as_json: bool = False,
) -> None:
    """Prints a table, or JSON with every single time."""
    if size not in (None, *bench_train.SIZES):
        raise ValueError(f"--size is {size}; choose from {bench_train.SIZES}.")
    setting = Setting(model, size)
    loaded = load(setting)  # the door
    some = CONTENDERS if runtime.installed() else CONTENDERS[:-1]
    with bench_train.cores(threads) as cores:
        found = bench_train.compete(setting, some, turns=turns)
    found |= {"model": _words(loaded), "threads": cores}
    print(json.dumps(found) if as_json else table(found))


def load(setting: Setting) -> Model:
    if setting.size is None:
        return model_file.load_model(setting.model)
    system = systems.create("slidergan", size=setting.size)
    shapes = model_file.shapes_of(system)["generator"]
    rng = np.random.default_rng(0)

    def draw(leaf):
        if leaf.ndim == 1:
            return np.ones(leaf.shape, np.float32)
        values = rng.standard_normal(leaf.shape) * np.prod(leaf.shape[:3]) ** -0.5
        return values.astype(np.float32)

    generator = jax.tree.map(draw, shapes)
    facts = system.size, system.parameters, {}, "random weights"
    return Model(system, generator, None, *facts)


def prepare(
    setting: Setting, *, name: str = "ours", style: str = "winograd2"
) -> dict[str, Callable[[], Any]]:
    """The life of a worker in bench_train: one round is one face."""
    model = load(setting)
    crop = np.full((model.size, model.size, 3), 100, np.uint8)
    vector = np.linspace(-1, 1, model.parameters)
    paint = runtime.RUNTIMES[name](model)

    def work():
        with ops.using(style):
            paint(crop, vector)

    return {"round": work}


def facts(setting: Setting, **_: Any) -> dict[str, Any]:
    return {}


def table(found: dict[str, Any]) -> str:
    rows = found["contenders"]
    width = max(map(len, rows))
    lines = [
        f"{found['model']}; one face, {found['threads']} threads; medians",
        f"{'':{width}}      ms   CPU ms  first, s  of {RIVAL}'s time",
    ]
    rival = median(rows[RIVAL], "round") if RIVAL in rows else None
    for name, row in rows.items():
        wall, cpu = (1e3 * median(row, "round", clock) for clock in ("wall", "cpu"))
        share = f"{wall / rival / 1e3:16.2f}" if rival else f"{'-':>16}"
        lines.append(
            f"{name:{width}}  {wall:6.1f}  {cpu:7.1f}  {row['first']:8.1f}  {share}"
        )
    lines.append("first: the model loaded, compiled anew, and one face painted.")
    if not rival:
        lines.append(f"{RIVAL} is not here: `pip install 'slider_jax[export]'`.")
    return "\n".join(lines)


def _words(model):
    system = model.system
    size = f"{model.size} px, width {system.width}, {system.blocks} blocks"
    return f"{size}, {model.id}"
