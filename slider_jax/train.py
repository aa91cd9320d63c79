"""The training loop: phases, logs, checkpoints. No mathematics lives here."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from absl import logging
from clu import parameter_overview
from ml_collections import ConfigDict
from tqdm import tqdm

from slider_jax import (
    checkpoint,
    data,
    fetch,
    identity_weights,
    parallel,
    report,
    stop,
    systems,
)
from slider_jax.batch import Batch
from slider_jax.provenance import data_hash, facts
from slider_jax.step import PLAYERS, TrainState, adam, init_state, make_step

TINY = pathlib.Path(__file__).parent / "assets" / "tiny"


@dataclasses.dataclass(frozen=True)
class Phase:
    """Steps `first` + 1 to `last` of the run."""

    number: int
    name: str
    split: str
    first: int
    last: int
    weights: dict[str, dict[str, float]]


def train(config: ConfigDict, workdir: pathlib.Path) -> TrainState:
    """Trains every phase in order, resuming from `workdir` if it holds a run.

    Raises `stop.Interrupted` when a signal ended it, and FloatingPointError when a
    loss is not a number; both say how to go on.
    """
    workdir = pathlib.Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(fetch.cache() / "programs"))
    parallel.check_batch(config.data.batch_size)
    phases = plan(config)
    system = systems.create(config.system, **config.model)
    optimizers = make_optimizers(config, phases[-1].last)
    described = json.loads(config.to_json_best_effort()) | {
        "data_sha256": data_hash(folder(config))
    }
    checkpoint.claim(workdir, described, facts())

    lead = jax.process_index() == 0
    strategy = parallel.STRATEGIES[config.parallel]
    fresh = first_state(config, system, optimizers)
    with checkpoint.manager(workdir / "checkpoints", keep=config.keep) as checkpoints:
        found = checkpoint.restore_latest(checkpoints, fresh)
        state, position = found or (fresh, {"unlogged": []})
        start = int(state.step)
        if lead:
            overview = parameter_overview.get_parameter_overview(state.params)
            tqdm.write(overview)
        run = _Run(config, system, optimizers, checkpoints, position["unlogged"])
        state = strategy.replicate(state)
        bar = tqdm(total=phases[-1].last, initial=start, unit="step", disable=not lead)
        with (
            report.writer(workdir, start=start, lead=lead) as writer,
            stop.requested() as asked_to_stop,
            bar,
        ):
            run.writer, run.bar = writer, bar
            for phase in phases:
                if start < phase.last:
                    first = max(start, phase.first)
                    state = run.phase(phase, first, state, strategy, asked_to_stop)
    return state


class _Run:
    """The effects of a run: what is written, shown, saved and watched."""

    writer: report.Writer | report.Silent
    bar: tqdm

    def __init__(self, config, system, optimizers, checkpoints, unlogged):
        self.config, self.system, self.optimizers = config, system, optimizers
        self.checkpoints = checkpoints
        self.unlogged = unlogged  # metrics of single steps
        self.guard = report.AttentionGuard()
        self.samples = sample_batches(config)
        self.edit = jax.jit(system.edit_with_mask)

    def phase(self, phase, start, state, strategy, asked_to_stop):
        step_fn = compile_phase(
            self.config, self.system, self.optimizers, phase, strategy
        )
        batches = stream(self.config, phase, start)
        every = self.config.every
        self.bar.set_description(phase.name)
        waiting = None
        for step in range(start + 1, phase.last + 1):
            state, metrics = step_fn(state, strategy.split(next(batches)))
            # One step ahead of the device, not more: a queue would fill its memory.
            jax.block_until_ready(waiting)
            waiting = metrics
            self.unlogged.append(metrics)
            self.bar.update()
            stopping = asked_to_stop(step)
            saving = step % every.checkpoint == 0 or step == phase.last or stopping
            if step % every.log == 0:
                self.log(step, phase)
            if step % every.samples == 0 or step == phase.last:
                self.sheet(step, state)
            if saving:
                self.save(step, phase, state)
            if stopping:
                self.checkpoints.wait_until_finished()
                raise stop.Interrupted(
                    f"Stopped and saved at step {step}; the same command goes on "
                    "from there."
                )
        return state

    def log(self, step, phase):
        rows = self.look(step)
        means = {k: float(np.mean([row[k] for row in rows])) for k in rows[0]}
        self.unlogged = []
        if warning := self.guard.check(means, phase.number):
            logging.warning("Step %d: %s", step, warning)
        self.writer.scalars(step, means)
        self.bar.set_postfix_str(
            ", ".join(f"{p} {means[f'{p}/total']:.4g}" for p in PLAYERS)
        )

    def look(self, step):
        """The unlogged metrics as numbers, after making sure that they are."""
        self.unlogged = rows = [
            {k: float(v) for k, v in row.items()} for row in _fetch(self.unlogged)
        ]
        for i, row in enumerate(rows):
            bad = [name for name, value in row.items() if not math.isfinite(value)]
            if bad:
                self.checkpoints.wait_until_finished()
                good = self.checkpoints.latest_step()
                where = "there is no checkpoint yet"
                if good is not None:
                    where = f"the last good checkpoint is that of step {good}"
                raise FloatingPointError(
                    f"Step {step - len(rows) + 1 + i}: {', '.join(bad)} "
                    f"{'is' if len(bad) == 1 else 'are'} not finite; {where} in "
                    f"{self.checkpoints.directory}. Lower the learning rate, in "
                    "another --workdir."
                )
        return rows

    def save(self, step, phase, state):
        rows = self.look(step)
        position = dict(phase=phase.name, split=phase.split, unlogged=list(rows))
        checkpoint.save(
            self.checkpoints, state, position | {"round": step - phase.first}
        )

    def sheet(self, step, state):
        if jax.process_index() > 0:
            return
        generator = parallel.to_host(state.ema)
        blocks = []
        for title, batch in self.samples:
            edit, mask = self.edit(generator, batch.image, batch.target_expression)
            block = dict(
                image=batch.image,
                expression=batch.target_expression,
                edit=np.asarray(edit),
                mask=np.asarray(mask),
                target=batch.target,
                paired=batch.paired,
            )
            blocks.append((title, block))
        path = self.writer.picture(step, "sheet", report.sample_sheet(blocks))
        tqdm.write(f"Step {step}: samples are in {path}.")


def _fetch(rows):
    return [jax.device_get(row) for row in rows]


def folder(config: ConfigDict) -> pathlib.Path:
    """Of the data; "tiny" is the set in the package."""
    if not config.data.folder:
        raise ValueError("This config needs a data set: add --config.data.folder=DIR.")
    return TINY if config.data.folder == "tiny" else pathlib.Path(config.data.folder)


def plan(config: ConfigDict) -> tuple[Phase, ...]:
    """Where phases begin and end. An epoch shows every face of the split once."""
    phases, last = [], 0
    shown = config.data.batch_size * config.data.n_critic
    for number, phase in enumerate(config.phases):
        faces = data.open_split(
            folder(config), phase.split, size=config.data.image_size
        )
        steps = phase.steps or math.ceil(phase.epochs * len(faces) / shown)
        weights = phase.weights.to_dict()
        if config.identity == "none":
            weights["generator"].pop("identity", None)
        first, last = last, last + steps
        phases.append(Phase(number, phase.name, phase.split, first, last, weights))
    return tuple(phases)


def make_optimizers(config: ConfigDict, steps: int) -> dict[str, Any]:
    """Adam for each player, over all phases: nothing restarts between them."""
    updates = dict(critic=steps * config.data.n_critic, generator=steps)
    return {
        player: adam(
            config.learning_rate[player],
            updates=updates[player],
            constant=config.constant,
        )
        for player in PLAYERS
    }


def first_state(config: ConfigDict, system: Any, optimizers: Any) -> TrainState:
    """The state before the first step, on the host."""
    recogniser = identity_weights.load(config.identity)
    return init_state(
        system,
        optimizers,
        data.example(folder(config), batch_size=1, speech=config.data.speech),
        seed=config.seed,
        frozen={} if recogniser is None else {"identity": recogniser},
    )


def compile_phase(
    config: ConfigDict, system: Any, optimizers: Any, phase: Phase, strategy: Any
) -> Callable:
    """One program: the weights of the phase are constants in it."""
    unroll = config.unroll
    return strategy.compile(
        make_step(
            system,
            optimizers,
            phase.weights,
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
        speech=options.speech,
        pairs=options.pairs,
        mirror=_mirror() if options.mirror else None,
        noise=options.noise,
        process=(jax.process_index(), jax.process_count()),
        threads=options.threads,
        workers=options.workers,
        cache=options.cache,
    )


def _mirror():
    """How a flip changes expression and speech components."""
    from slider_jax.face.head import load_head

    face = load_head().face
    return tuple(
        np.asarray(face.mirror_matrix(shapes))
        for shapes in (face.expression, face.speech)
    )


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
            speech=config.data.speech,
        )
        batch = jax.tree.map(lambda x: x[0], next(many))
        chosen = _telling(batch)[: config.samples]
        blocks.append((title, jax.tree.map(lambda x, c=chosen: x[c], batch)))
    return blocks


def _telling(batch):
    """Indices: faces that go far from neutral first, every face once before twice."""
    amount = lambda expression: np.abs(expression).sum(axis=1)
    order = np.argsort(amount(batch.expression) - amount(batch.target_expression))
    _, first = np.unique(batch.image[order].sum(axis=(1, 2, 3)), return_index=True)
    fresh = np.sort(first)
    return order[np.append(fresh, np.setdiff1d(np.arange(len(order)), fresh))]
