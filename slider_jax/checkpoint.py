"""Checkpoints: written while training goes on, whole or not at all, restored anywhere.

They hold plain arrays and no devices, so a run may move from eight GPUs to one and on.
Where the data stood needs no state of its own: batches are a function of (seed, step),
so `position` says it all.
"""

import itertools
import json
import pathlib
import zlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint.checkpoint_managers import preservation_policy

from slider_jax import files, parallel
from slider_jax.step import TrainState


def manager(folder: pathlib.Path, *, keep: int) -> ocp.CheckpointManager:
    """Saves in the background; a context manager that waits for the last save."""
    return ocp.CheckpointManager(
        pathlib.Path(folder).absolute(),
        item_names=("state", "position"),
        options=ocp.CheckpointManagerOptions(
            preservation_policy=preservation_policy.LatestN(keep)
        ),
    )


def save(
    checkpoints: ocp.CheckpointManager, state: TrainState, position: dict[str, Any]
) -> None:
    """`position` is where the run stands, in words and numbers that JSON can hold."""
    state = parallel.to_host(state)
    position = position | {"crc32": _checksum(state)}
    checkpoints.save(
        int(state.step),
        args=ocp.args.Composite(
            state=ocp.args.StandardSave(state), position=ocp.args.JsonSave(position)
        ),
    )


def begun(workdir: pathlib.Path) -> bool:
    """Whether there is a checkpoint, good or damaged: then a run goes on from one."""
    saved = pathlib.Path(workdir, "checkpoints").glob("[0-9]*")
    return any(path.name.isdecimal() for path in saved)


def restore_latest(
    checkpoints: ocp.CheckpointManager, like: TrainState
) -> tuple[TrainState, dict[str, Any]] | None:
    """The newest checkpoint that is whole, or None when there is none.

    A damaged one is set aside, as <step>.damaged, with a warning that names it.
    """
    like = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), like)
    damaged = []
    found = None
    for step in sorted(checkpoints.all_steps(), reverse=True):
        try:
            found = _restore(checkpoints, step, like)
            break
        except Exception as error:  # Orbax has many kinds
            damaged.append(pathlib.Path(checkpoints.directory, str(step)))
            reason = str(error).strip().split("\n")[0][:200]
            logging.warning("Checkpoint %s is damaged: %s", damaged[-1], reason)
    if damaged and not found:
        raise ValueError(
            f"No checkpoint in {checkpoints.directory} can be read ({reason}): "
            "move it away to start anew, also if an older slider_jax wrote it."
        )
    parallel.wait_for_all("checkpoint read")
    if jax.process_index() == 0:
        for path in damaged:
            path.rename(_free(path.with_name(f"{path.name}.damaged")))
    parallel.wait_for_all("checkpoint set aside")
    checkpoints.reload()
    return found


def _free(path):
    """A step may be damaged more than once."""
    others = (path.with_name(f"{path.name}-{i}") for i in itertools.count(2))
    return next(p for p in itertools.chain([path], others) if not p.exists())


def _restore(checkpoints, step, like):
    found = checkpoints.restore(
        step,
        args=ocp.args.Composite(
            state=ocp.args.StandardRestore(like), position=ocp.args.JsonRestore()
        ),
    )
    state, position = found["state"], found["position"]
    if position.pop("crc32") != _checksum(state):
        raise ValueError("its numbers are not those that were saved")
    return state, position


def _checksum(state) -> int:
    total = 0
    for leaf in jax.tree.leaves(state):
        total = zlib.crc32(np.ascontiguousarray(leaf), total)
    return total


# A workdir belongs to one config.

# What may differ between a run and its resumption: it does not change the mathematics.
FREE = ("every", "keep", "samples", "parallel", "unroll", "data.folder")
FREE += ("data.threads", "data.workers", "data.cache")


def claim(workdir: pathlib.Path, config: dict[str, Any], facts: dict[str, Any]) -> None:
    """Writes run.json, or refuses a folder that holds a run of another config.

    `facts` are further things worth writing down: versions, the commit, the data. Where
    they changed since an earlier start, the run's `earlier` keeps what they were.
    """
    path = pathlib.Path(workdir, "run.json")
    run = _plain({"config": config} | facts)
    earlier = []
    if (last := check_claim(workdir, config)) is not None:
        earlier = last.pop("earlier", [])
        if last != {name: run[name] for name in run if name != "config"}:
            earlier.append(last)
    run["earlier"] = earlier
    parallel.wait_for_all("claim")
    if jax.process_index() == 0:
        with files.whole(path) as scratch:
            scratch.write_text(json.dumps(run, indent=2) + "\n")


def check_claim(workdir: pathlib.Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """What an earlier start wrote beside its config; refuses that of another one."""
    path = pathlib.Path(workdir, "run.json")
    if not path.exists():
        saved = pathlib.Path(workdir, "checkpoints").glob("[0-9]*")
        if first := next(saved, None):
            raise ValueError(
                f"{first} is of a run that nothing is known of, as {path} is missing: "
                "restore that, or give another --workdir."
            )
        return None
    last = files.read_json(path)
    before, now = _flat(last.pop("config", {})), _flat(_plain(config))
    differing = [
        f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(before | now)
        if before.get(name) != now.get(name) and not name.startswith(FREE)
    ]
    if differing:
        raise ValueError(
            f"{workdir} holds a run of another config: {'; '.join(differing)}. "
            "Give another --workdir, or the config of that run."
        )
    return last


def _plain(tree):
    """As JSON keeps it: tuples become lists."""
    return json.loads(json.dumps(tree))


def _flat(tree, prefix=""):
    """{"data.seed": 0, "phases.1.steps": 3, ...}"""
    if not isinstance(tree, dict | list):
        return {prefix: tree}
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    flat = {}
    for name, value in items:
        flat |= _flat(value, f"{prefix}.{name}" if prefix else str(name))
    return flat
