"""One trained model in one file: weights, and a card that says where they are from.

The file is NumPy's .npz without pickle: the card as JSON, and every weight under its
path. `load_model` also reads a run of launch/main.py.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import zipfile
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from flax import traverse_util

import slider_jax
from slider_jax import files, systems
from slider_jax.batch import Batch

DEFAULT = pathlib.Path(__file__).parent / "assets" / "model.npz"
FORMAT = 2  # 1: a parameter of 1 was three deviations, and flows were half as far
LARGEST = 4 << 30  # bytes, unpacked
PLAYERS = ("generator", "critic")


@dataclasses.dataclass(frozen=True)
class Model:
    """A system and its weights, float32 NumPy, on no device.

    `id` is the hash of the weights as float16, so a run and the file made of it agree.
    """

    system: systems.System
    generator: Any
    critic: Any
    size: int  # of an image, pixels
    parameters: int  # of an expression
    card: dict[str, Any]
    id: str


def load_model(path: str | os.PathLike | None = None) -> Model:
    """From a file or a run's folder; without a path, the one in the package."""
    path = DEFAULT if path is None else pathlib.Path(path)
    if path.is_dir():
        return _load_run(path)
    if not path.is_file():
        if path == DEFAULT:
            raise FileNotFoundError(
                "This package brings no model: train one (README, Train) and name its "
                "folder, or a file made of it with `slider export`."
            )
        raise FileNotFoundError(
            f"There is no model at {path}: give a file made with `slider export`, or "
            "the --workdir of a training."
        )
    if path == DEFAULT:
        state = files.compare(path, files.sums(path.parent).get(path.name, ""))
        if state != "well":
            raise ValueError(f"{path} is {state}: {files.RESTORE}.")
    try:
        return _load_file(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ValueError(
            f"{path} is damaged or is no model of slider_jax ({error}): make it again "
            "with `slider export`."
        ) from error


def save_model(
    path: str | os.PathLike, model: Model, *, dtype: str = "float16"
) -> None:
    """The same model gives the same bytes; the file is there whole or not at all."""
    players = {player: getattr(model, player) for player in PLAYERS}
    leaves = traverse_util.flatten_dict(players, sep="/")
    weights = {name: np.asarray(leaf, dtype) for name, leaf in leaves.items()}
    # savez would add its suffix to a bare name
    with files.whole(path) as scratch, open(scratch, "wb") as stream:
        np.savez(stream, card=np.array(json.dumps(model.card)), **weights)


def make_model(name: str, fields: dict[str, Any], weights: Any, **card: Any) -> Model:
    """`weights` are {"generator": ..., "critic": ...}; `fields` the system's."""
    system = _system(name, fields)
    weights = jax.tree.map(lambda x: np.asarray(x, np.float32), weights)
    card = {
        "format": FORMAT,
        "slider_jax": slider_jax.__version__,
        "system": name,
        "model": dict(fields),
    } | card
    return Model(
        system,
        weights["generator"],
        weights["critic"],
        system.size,
        system.parameters,
        card,
        _hash(weights),
    )


def _system(name, fields):
    # Trained in bfloat16 or not, faces are edited in float32.
    known = {"dtype": "float32"} if "dtype" in fields else {}
    return systems.create(name, **fields | known)


def _hash(weights):
    digest = hashlib.sha256()
    leaves = traverse_util.flatten_dict(weights, sep="/")
    for name in sorted(leaves):
        digest.update(f"{name} {leaves[name].shape}".encode())
        digest.update(np.ascontiguousarray(leaves[name], "<f2").tobytes())
    return digest.hexdigest()[:12]


def shapes_of(system: systems.System) -> Any:
    """Of all its weights, without making them."""

    def init():
        image = jnp.zeros((1, system.size, system.size, 3))
        vector = jnp.zeros((1, system.parameters))
        batch = Batch(image, vector, image, vector, jnp.ones(1, bool))
        return system.init(jax.random.key(0), batch)

    return jax.eval_shape(init)


def _load_file(path):
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} is no model of slider_jax: give a file made with `slider export`, "
            "or the folder of a run."
        )
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > LARGEST:
        raise ValueError(f"{path} unpacks to {size >> 30} GiB: that is no model.")
    with np.load(path, allow_pickle=False) as stored:
        if "card" not in stored.files:
            raise ValueError(f"{path} holds arrays, but no model of slider_jax.")
        card = _card(path, stored)
        try:
            leaves = {name: stored[name] for name in stored.files if name != "card"}
        except (ValueError, MemoryError) as error:
            raise ValueError(
                f"{path} holds more than plain arrays ({error})."
            ) from error
    expected = _described(f"The card of {path}", card)
    shapes = {
        name: leaf.shape
        for name, leaf in traverse_util.flatten_dict(expected, sep="/").items()
    }
    if shapes != {name: leaf.shape for name, leaf in leaves.items()}:
        raise ValueError(f"{path}: its weights are not those of the model on its card.")
    _check_finite(path, leaves)
    weights = traverse_util.unflatten_dict(leaves, sep="/")
    given = {k: v for k, v in card.items() if k not in ("system", "model")}
    return make_model(card["system"], card["model"], weights, **given)


def _described(source, told):
    """The shapes of weights of what a card or a run's config tells."""
    try:
        return shapes_of(_system(told["system"], told["model"]))
    except Exception as error:  # its fields may be anything
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{source} names no model ({reason}).") from error


def _card(path, stored):
    try:
        card = json.loads(str(stored["card"]))
        version = int(card["format"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"The card of {path} cannot be read ({error}).") from error
    if version > FORMAT:
        raise ValueError(
            f"{path} was written by slider_jax {card.get('slider_jax')}, newer than "
            f"this one ({slider_jax.__version__}): `pip install -U slider_jax`."
        )
    if version < FORMAT:
        raise ValueError(
            f"{path} is of an older slider_jax, for which parameters meant something "
            "else: train it again, or use the model in the package."
        )
    return card


def _load_run(folder):
    record = folder / "run.json"
    if not record.is_file():
        raise ValueError(
            f"{folder} is no run: it has no run.json. Give the --workdir of a training."
        )
    run = files.read_json(record)
    if "config" not in run:
        raise ValueError(f"{record} is damaged (no config): restore it.")
    config = run["config"]
    expected = _described(record, config)
    step, state = _newest(folder / "checkpoints", expected)
    return make_model(
        config["system"],
        config["model"],
        state["ema"],
        trained={
            "steps": step,
            "commit": run.get("commit"),
            "versions": run.get("versions"),
            "command": run.get("command"),
            "seed": config.get("seed"),
            "data": config.get("data"),
            "data_sha256": config.get("data_sha256"),
            "identity": config.get("identity"),
        },
        licence="not stated",
    )


def _newest(folder, expected):
    """(step, {"ema": both players}) of the newest checkpoint that is whole."""
    steps = sorted(
        (int(p.name) for p in folder.glob("*") if p.name.isdecimal()), reverse=True
    )
    # What a checkpoint of another version lacks stays as it is here, and is refused.
    lacking = lambda x: np.full(x.shape, np.nan, x.dtype)
    like = {"ema": jax.tree.map(lacking, expected)}
    for step in steps:
        path = folder / str(step) / "state"
        try:
            return step, _restore(path.absolute(), like)
        except Exception as error:  # Orbax has many kinds
            reason = str(error).strip().split("\n")[0][:200]
            logging.warning("Checkpoint %s is damaged: %s", path.parent, reason)
    raise ValueError(
        f"No checkpoint in {folder} can be read: let the training reach its first one, "
        "or begin a new run if this one is of an older slider_jax."
    )


def _restore(path, like):
    restore = ocp.args.PyTreeRestore(item=like, partial_restore=True)
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        state = checkpointer.restore(path, args=restore)
    leaves = traverse_util.flatten_dict(state, sep="/")
    same = jax.tree.map(lambda a, b: a.shape == b.shape, state, like)
    if not all(jax.tree.leaves(same)):
        raise ValueError("its weights are not those of the config")
    _check_finite(path, leaves)
    return state


def _check_finite(path, leaves):
    for name, leaf in leaves.items():
        if not np.issubdtype(leaf.dtype, np.floating) or not np.isfinite(leaf).all():
            raise ValueError(f"{path}: {name} holds numbers that are not finite.")
