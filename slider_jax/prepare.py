"""From a config to what the loop needs: phases, players, programs, batches."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from slider_jax import data, identity_weights, model_file, parallel
from slider_jax.batch import EXPRESSION, SPEECH, Batch
from slider_jax.face import labels
from slider_jax.nets.layers import INITS
from slider_jax.provenance import data_hash
from slider_jax.step import (
    PLAYERS,
    TrainState,
    Weights,
    adam,
    init_state,
    make_step,
)

TINY = pathlib.Path(__file__).parent / "assets" / "tiny"


@dataclasses.dataclass(frozen=True)
class Phase:
    """Steps `first` + 1 to `last` of the run."""

    number: int
    name: str
    split: str
    first: int
    last: int
    weights: dict[str, Weights]


_POSITIVE = ("samples", "keep", "data.batch_size", "data.n_critic")
_POSITIVE += ("model.width", "model.fold")
_NOT_NEGATIVE = ("seed", "model.blocks", "data.noise", "data.au_noise")
_NOT_NEGATIVE += ("data.threads", "data.workers")
_CHOICES = {
    "parallel": parallel.STRATEGIES,
    "data.pairs": data.PAIRS,
    "model.initial": INITS,
    "model.dtype": ("float32", "bfloat16"),
}


def _of(config, name):
    """None where a config has no such field."""
    for part in name.split("."):
        config = config.get(part)
    return config


def check(config: ConfigDict) -> None:
    """The door: values that would stop a run later, or spoil it."""
    if not isinstance(config.phases, tuple) or not config.phases:
        raise ValueError(f"phases is {config.phases}; it must be one phase or more.")
    for name, choices in _CHOICES.items():
        if (value := _of(config, name)) not in (None, *choices):
            raise ValueError(f"{name} is {value!r}; choose from {[*choices]}.")
    parallel.check_batch(config.data.batch_size)
    positive = {f"every.{name}": steps for name, steps in config.every.items()}
    positive |= {f"learning_rate.{p}": config.learning_rate[p] for p in PLAYERS}
    positive |= {name: _of(config, name) for name in _POSITIVE}
    natural = {name: _of(config, name) for name in _NOT_NEGATIVE}
    for i, phase in enumerate(config.phases):
        if phase.split.startswith("test_"):
            raise ValueError(
                f"phases[{i}].split is {phase.split!r}; nothing learns from the people "
                "of the tests: choose train_paired or train_unpaired."
            )
        positive[f"phases[{i}].steps or .epochs"] = phase.steps or phase.epochs
        for player, named in phase.weights.items():
            for name, weight in named.items():
                natural[f"phases[{i}].weights.{player}.{name}"] = weight
    for name, value in positive.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}; it must be more than 0.")
    for name, value in natural.items():
        if value is not None and not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}; it must be 0 or more.")
    shares = {name: config[name] for name in ("constant", "ema_decay")}
    shares["data.photographic"] = config.data.get("photographic", 0.0)
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; it must lie from 0 to 1.")
    for i, phase in enumerate(config.phases):
        if not any(any(named.values()) for named in phase.weights.values()):
            raise ValueError(f"phases[{i}] trains nothing: all its weights are 0.")
    if (config.parallel, config.model.get("relative_to")) == ("jit", "device"):
        raise ValueError(
            "model.relative_to is 'device', and with parallel=jit there is one program "
            "for all: choose --config.parallel=pmap."
        )
    told = condition(config)
    width = labels.width(**told)
    if config.model.get("parameters", width) != width:
        said = ", ".join(f"data.{name}={value}" for name, value in told.items())
        raise ValueError(
            f"model.parameters is {config.model.parameters}; with {said} it is {width}."
        )


def condition(config: ConfigDict) -> dict[str, Any]:
    """Which numbers of a face the system is told: options of `data.stream`.

    Configs that do not say mean the components.
    """
    asked = config.data.get("labels", "components")
    if asked not in labels.COLUMNS:
        choices = [*labels.COLUMNS]
        raise ValueError(f"data.labels is {asked!r}; choose from {choices}.")
    return dict(labels=asked, speech=config.data.speech)


def folder(config: ConfigDict) -> pathlib.Path:
    """Of the data; "tiny" is the set in the package."""
    if not config.data.folder:
        raise ValueError("This config needs a data set: add --config.data.folder=DIR.")
    return TINY if config.data.folder == "tiny" else pathlib.Path(config.data.folder)


def describe(config: ConfigDict) -> dict[str, Any]:
    """What a run is: its config, and which data."""
    whole = json.loads(config.to_json_best_effort())
    return whole | {"data_sha256": data_hash(folder(config))}


def plan(config: ConfigDict) -> tuple[Phase, ...]:
    """Where phases begin and end. An epoch shows every face of the split once."""
    phases, last = [], 0
    shown = config.data.batch_size * config.data.n_critic
    for number, phase in enumerate(config.phases):
        faces = data.open_split(
            folder(config), phase.split, size=config.data.image_size
        )
        steps = phase.steps or math.ceil(phase.epochs * len(faces) / shown)
        first, last = last, last + steps
        weights = weights_of(config, number)
        phases.append(Phase(number, phase.name, phase.split, first, last, weights))
    return tuple(phases)


def weights_of(config: ConfigDict, number: int) -> dict[str, Weights]:
    """Of the losses of a phase, by player and name.

    A player with no weight but 0 rests. A critic that is alone has the losses that it
    learns from, no others; a generator also those that it names, to be watched. All
    other phases share one program: what none of them trains has no weight, what another
    one does may have 0.
    """
    phases = [phase.weights.to_dict() for phase in config.phases]
    if config.identity == "none":
        for phase in phases:
            phase["generator"].pop("identity", None)
    alone = lambda phase: not all(any(named.values()) for named in phase.values())
    mine = phases[number]
    if alone(mine):
        kept = {
            "critic": {name: w for name, w in mine["critic"].items() if w},
            "generator": {name: w or None for name, w in mine["generator"].items()},
        }
        return {p: kept[p] if any(kept[p].values()) else None for p in PLAYERS}
    alike = [phase for phase in phases if not alone(phase)]
    return {
        player: {
            name: weight if any(p[player].get(name) for p in alike) else None
            for name, weight in named.items()
        }
        for player, named in mine.items()
    }


def make_optimizers(config: ConfigDict, phases: Sequence[Phase]) -> dict[str, Any]:
    """Adam for each player, over all phases in which it learns: nothing restarts."""
    often = dict(critic=config.data.n_critic, generator=1)

    def of(player):
        mine = [phase for phase in phases if phase.weights[player] is not None]
        steps = [phase.last - phase.first for phase in mine]
        # The rate is constant for a share of the epochs, which may differ in length.
        epochs = [config.phases[phase.number].epochs for phase in mine]
        counted = any(config.phases[phase.number].steps for phase in mine)
        lengths = steps if counted else epochs
        left, flat = config.constant * sum(lengths), 0.0
        for length, count in zip(lengths, steps, strict=True):
            flat += count * min(1.0, left / length)
            left = max(0.0, left - length)
        updates = sum(steps) * often[player]
        constant = flat / max(1, sum(steps))
        return adam(config.learning_rate[player], updates=updates, constant=constant)

    return {player: of(player) for player in PLAYERS}


def first_state(config: ConfigDict, system: Any, optimizers: Any) -> TrainState:
    """The state before the first step, on the host; but for `config.start`."""
    return init_state(
        system,
        optimizers,
        data.example(folder(config), batch_size=1, **condition(config)),
        seed=config.seed,
        frozen=frozen(config),
    )


def begin_from(path: str, state: TrainState, system: Any) -> TrainState:
    """Both players as they are in a model; "default" is that of the package."""
    model = model_file.load_model(None if path == "default" else path)
    weights = {player: getattr(model, player) for player in PLAYERS}
    ours = {player: state.params[player] for player in PLAYERS}
    if jax.tree.map(np.shape, weights) != jax.tree.map(np.shape, ours):
        raise ValueError(
            f"start: the weights of {path} are not of this config's shapes. Give "
            f"another model, or the config of this one: {model.card['system']} with "
            f"{model.card['model']}."
        )
    for name in ("added", "bounded", "tint"):  # what shapes do not tell
        then, now = (getattr(x, name, None) for x in (model.system, system))
        if then != now:
            logging.warning(
                "start: the weights of %s were made for model.%s=%s, not %s: at first "
                "they will draw or read something else.",
                *(path, name, then, now),
            )
    weights = jax.tree.map(jnp.asarray, weights)
    ema = jax.tree.map(jnp.copy, weights)
    return state.replace(params=state.params | weights, ema=ema)


def frozen(config: ConfigDict) -> dict[str, Any]:
    """What no optimiser touches: the network that recognises people, if any."""
    recogniser = identity_weights.load(config.identity)
    return {} if recogniser is None else {"identity": recogniser}


def compile_step(
    config: ConfigDict, system: Any, optimizers: Any, strategy: Any
) -> Callable:
    """One program for all phases in which the same players learn."""
    unroll = config.unroll
    return strategy.compile(
        make_step(
            system,
            optimizers,
            seed=config.seed,
            ema_decay=config.ema_decay,
            axis_name=strategy.axis_name,
            unroll=jax.default_backend() == "cpu" if unroll is None else unroll,
        )
    )


def stream(config: ConfigDict, phase: Phase, step: int) -> Iterator[Batch]:
    """The batches of this process, from the one after `step`."""
    options = config.data
    return data.stream(
        folder(config),
        phase.split,
        batch_size=options.batch_size,
        n_critic=options.n_critic,
        # Each phase in an order of its own.
        seed=config.seed + phase.number,
        start=step - phase.first,
        size=options.image_size,
        **condition(config),
        au_noise=options.get("au_noise", 0.0),
        pairs=options.pairs,
        mirror=_mirror(config) if options.mirror else None,
        noise=options.noise,
        photographic=options.get("photographic", 0.0),
        process=(jax.process_index(), jax.process_count()),
        threads=options.threads,
        workers=options.workers,
        cache=options.cache,
    )


def _mirror(config):
    """How a flip changes expression and speech components; other labels stay."""
    from slider_jax.face.maps import load_maps

    told = condition(config)
    if told["labels"] != "components":
        return (np.eye(labels.width(**told), dtype=np.float32),)

    mirror = load_maps(EXPRESSION + SPEECH).mirror.astype(np.float32)
    return mirror[:EXPRESSION, :EXPRESSION], mirror[EXPRESSION:, EXPRESSION:]


def sample_batches(config: ConfigDict) -> list[tuple[str, Batch]]:
    """The same faces for every sheet."""
    titles = {
        "train_paired": "People it learns from",
        "test_paired": "People it has never seen",
        "test_unpaired": "Never seen, with the expression of a stranger",
    }
    blocks = []
    for split, title in titles.items():
        many = data.stream(
            folder(config),
            split,
            batch_size=8 * config.samples,
            n_critic=1,
            seed=config.seed,
            shown=True,
            **condition(config),
        )
        batch = jax.tree.map(lambda x: x[0], next(many))
        chosen = _telling(batch)[: config.samples]
        blocks.append((title, jax.tree.map(lambda x, c=chosen: x[c], batch)))
    return blocks


def _telling(batch):
    """Indices: faces that change most first, every face once before twice.

    What is seen to change, where the truth is known, of faces that go from neutral.
    """
    shift = lambda a, b: np.square(a - b).sum(axis=tuple(range(1, a.ndim)))
    amount = lambda expression: np.abs(expression).sum(axis=1)
    seen = shift(batch.image, batch.target)
    asked = shift(batch.expression, batch.target_expression)
    grows = amount(batch.target_expression) >= amount(batch.expression)
    order = np.argsort(-np.where(batch.paired, seen, asked) * grows, kind="stable")
    _, first = np.unique(batch.image[order].sum(axis=(1, 2, 3)), return_index=True)
    fresh = np.sort(first)
    return order[np.append(fresh, np.setdiff1d(np.arange(len(order)), fresh))]
