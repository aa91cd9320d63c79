"""Whoever edits faces: runs, and two references that are no GAN."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from slider_jax import files, model_file
from slider_jax.batch import EXPRESSION, to_bytes, to_float
from slider_jax.evaluate.testset import Wanted
from slider_jax.face.labels import conditions
from slider_jax.model_file import Model

DEFAULT = "default"  # the model in the package
Pictures = np.ndarray  # float32 [b h w 3] in [-1, 1]


@dataclasses.dataclass(frozen=True)
class Contender:
    """`edit(image, condition)` is all that protocols know of it.

    `condition` says what is wanted in its own language, the `labels` that it learnt
    from; `read`, where it has a network for that, gives those of pictures, [b k].
    `group` is the same for runs that differ in their seed only.
    """

    name: str
    id: str
    edit: Callable[[Pictures, np.ndarray], Pictures]
    condition: Callable[[Wanted], np.ndarray]
    read: Callable[[Pictures], np.ndarray] | None = None
    role: str = "run"  # or "floor", "ceiling"
    labels: str = "components"  # or another of face/labels.py
    speaks: bool = False
    group: str = ""
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    log: pathlib.Path | None = None  # metrics.jsonl of its training

    def answer(self, images: Pictures, wanted: Wanted) -> Pictures:
        """The edits as they would be saved: rounded to bytes."""
        return self.told(images, self.condition(wanted))

    def told(self, images: Pictures, condition: np.ndarray) -> Pictures:
        """The same, of what is said in its own language."""
        return to_float(to_bytes(np.asarray(self.edit(images, condition), np.float32)))


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


def load(paths: Sequence[str]) -> list[Contender]:
    """Folders of runs and files of models; each is said to be wrong here or never."""
    if not paths:
        raise ValueError("Name at least one run: --runs=DIR, or --runs=default.")
    models, names = [_model(path) for path in paths], _names(paths)
    return [
        dataclasses.replace(
            contender(name, model, config=_config(path)),
            log=pathlib.Path(path, "metrics.jsonl"),
        )
        for name, path, model in zip(names, paths, models, strict=True)
    ]


def contender(name: str, model: Model, config: dict | None = None) -> Contender:
    """A trained model; `config` is that of its run, where there is one."""
    system, trained = model.system, model.card.get("trained") or {}
    labels = (trained.get("data") or {}).get("labels", "components")
    speaks = labels == "components" and model.parameters > EXPRESSION
    generator, critic = jax.device_put((model.generator, model.critic))

    @jax.jit
    def edit(generator, image, condition):
        """What changes at the model's size is laid over pictures of another."""
        if image.shape[1] == model.size:
            return system.edit(generator, image, condition)
        seen = _resized(image, model.size).clip(-1, 1)
        change = system.edit(generator, seen, condition) - seen
        return (image + _resized(change, image.shape[1])).clip(-1, 1)

    @jax.jit
    def read(critic, image):
        seen = _resized(image, model.size).clip(-1, 1)
        return system.critic.apply(critic, seen)[1]

    edit, read = _in_batches(edit), _in_batches(read)
    # Another step of one training is no second seed.
    same = config and config | {"seed": None, "steps": trained.get("steps")}
    about = {key: value for key, value in trained.items() if value is not None}
    return Contender(
        name,
        model.id,
        lambda image, condition: edit(generator, image, condition),
        lambda wanted: conditions(labels, vars(wanted), speech=speaks),
        lambda image: read(critic, image),
        labels=labels,
        speaks=speaks,
        group=json.dumps(same, sort_keys=True) if same else model.id,
        about=dict(
            system=model.card["system"],
            model=model.card["model"],
            config=config,
            **about,
        ),
    )


def _resized(image, size):
    """Cubic, and averaged where it shrinks; of its own size it stays as it is."""
    shape = (len(image), size, size, image.shape[3])
    return jax.image.resize(image, shape, "cubic")


def batch_size() -> int:
    """Of pictures that a device is given at once."""
    return 16 if jax.default_backend() == "cpu" else 64


def _in_batches(run):
    """However many pictures there are, one program does for all."""

    def runner(weights, *arrays):
        count, size = len(arrays[0]), batch_size()
        found = []
        for first in range(0, count, size):
            places = np.arange(first, first + size).clip(max=count - 1)
            found.append(np.asarray(run(weights, *(a[places] for a in arrays))))
        return np.concatenate(found)[:count]

    return runner


def _model(path):
    if path == DEFAULT and not pathlib.Path(path).exists():
        return model_file.load_model()
    return model_file.load_model(path)


def _config(path):
    record = pathlib.Path(path, "run.json")
    return files.read_json(record).get("config") if record.is_file() else None


def _names(paths):
    """The last part of each path, with more of it where two are the same."""
    parts = [pathlib.Path(p.removesuffix(".npz")).resolve().parts for p in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-count:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f"A run is named twice in --runs={','.join(paths)}.")
