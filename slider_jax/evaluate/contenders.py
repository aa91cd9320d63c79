"""Whoever edits faces: runs, and two references that are no GAN."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from slider_jax import model_file
from slider_jax.batch import EXPRESSION, to_bytes, to_float
from slider_jax.evaluate.testset import Wanted
from slider_jax.model_file import Model

DEFAULT = "default"  # the model in the package
Pictures = np.ndarray  # float32 [b h w 3] in [-1, 1]


@dataclasses.dataclass(frozen=True)
class Contender:
    """`edit(image, condition)` is all that protocols know of it.

    `condition` says in its own language what is wanted; `read`, where it has a network
    for that, gives the parameters [b k] of pictures. `group` is the same for runs that
    differ in their seed only.
    """

    name: str
    id: str
    edit: Callable[[Pictures, np.ndarray], Pictures]
    condition: Callable[[Wanted], np.ndarray]
    read: Callable[[Pictures], np.ndarray] | None = None
    role: str = "run"  # or "floor", "ceiling"
    speaks: bool = False
    group: str = ""
    about: dict[str, Any] = dataclasses.field(default_factory=dict)

    def answer(self, images: Pictures, wanted: Wanted) -> Pictures:
        """The edits as they would be saved: rounded to bytes."""
        edited = self.edit(images, self.condition(wanted))
        return to_float(to_bytes(np.asarray(edited, np.float32)))


FLOOR = Contender(
    name="Input unchanged",
    id="floor",
    edit=lambda image, condition: image,
    condition=lambda wanted: wanted.expression,
    role="floor",
)
CEILING = Contender(
    name="Ground truth",
    id="ceiling",
    edit=lambda image, condition: condition,
    condition=lambda wanted: wanted.truth,
    role="ceiling",
)


def blendshapes(parameters: int) -> Callable[[Wanted], np.ndarray]:
    """30 expression components, and speech behind them where 40 are asked for."""

    def condition(wanted: Wanted) -> np.ndarray:
        return np.concatenate([wanted.expression, wanted.speech], 1)[:, :parameters]

    return condition


# By system: from a model to how it is told what is wanted, and how it reads.
CONDITIONS = {"slidergan": lambda model: blendshapes(model.parameters)}
READERS = {
    "slidergan": lambda model: (
        lambda critic, image: model.system.critic.apply(critic, image)[1]
    )
}


def load(paths: Sequence[str], size: int) -> list[Contender]:
    """Folders of runs and files of models; each is said to be wrong here or never."""
    if not paths:
        raise ValueError("Name at least one run: --runs=DIR, or --runs=default.")
    models = [_model(path) for path in paths]
    for path, model in zip(paths, models, strict=True):
        if model.card["system"] not in CONDITIONS:
            raise ValueError(
                f"{path} is a {model.card['system']}, which cannot be evaluated yet; "
                f"known are {sorted(CONDITIONS)}."
            )
        if model.size != size:
            raise ValueError(
                f"{path} edits faces of {model.size} pixels, but the set holds "
                f"{size}: name one with --data=DIR, rendered with --size={model.size}."
            )
    names = _names(paths)
    return [
        contender(name, model, config=_config(path))
        for name, path, model in zip(names, paths, models, strict=True)
    ]


def contender(name: str, model: Model, config: dict | None = None) -> Contender:
    """A trained model; `config` is that of its run, where there is one."""
    system = model.card["system"]
    generator, critic = jax.device_put((model.generator, model.critic))
    edit, read = jax.jit(model.system.edit), jax.jit(READERS[system](model))
    trained = model.card.get("trained") or {}
    same = config and {k: v for k, v in config.items() if k != "seed"}
    return Contender(
        name,
        model.id,
        lambda image, condition: edit(generator, image, condition),
        CONDITIONS[system](model),
        lambda image: np.asarray(read(critic, image)),
        speaks=model.parameters > EXPRESSION,
        group=json.dumps(same, sort_keys=True) if same else model.id,
        about=dict(
            system=system,
            model=model.card["model"],
            config=config,
            **{key: value for key, value in trained.items() if value is not None},
        ),
    )


def _model(path):
    if path == DEFAULT and not pathlib.Path(path).exists():
        return model_file.load_model()
    return model_file.load_model(path)


def _config(path):
    record = pathlib.Path(path, "run.json")
    return json.loads(record.read_text())["config"] if record.is_file() else None


def _names(paths):
    """The last part of each path, with more of it where two are the same."""
    parts = [pathlib.Path(p.removesuffix(".npz")).resolve().parts for p in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-count:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f"A run is named twice in --runs={','.join(paths)}.")
