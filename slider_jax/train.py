"""The training loop: phases, logs, checkpoints. No mathematics lives here."""

import math
import pathlib
from collections.abc import Callable

import jax
import numpy as np
from absl import logging
from clu import parameter_overview
from ml_collections import ConfigDict
from tqdm import tqdm

from slider_jax import (
    checkpoint,
    files,
    parallel,
    prepare,
    programs,
    report,
    stop,
    systems,
)
from slider_jax.provenance import facts
from slider_jax.step import PLAYERS, TrainState


def train(config: ConfigDict, workdir: pathlib.Path) -> TrainState:
    """Trains every phase in order, resuming from `workdir` if it holds a run.

    Raises `stop.Interrupted` when a signal ended it, and FloatingPointError when a
    loss is not a number; both say how to go on.
    """
    workdir = pathlib.Path(workdir)
    programs.keep_programs()
    prepare.check(config)
    phases = prepare.plan(config)
    system = systems.create(config.system, **config.model)
    optimizers = prepare.make_optimizers(config, phases)
    described = prepare.describe(config)
    fresh = prepare.first_state(config, system, optimizers)
    if config.get("start") and not checkpoint.begun(workdir):
        fresh = prepare.begin_from(config.start, fresh, system)
    samples = prepare.sample_batches(config)
    files.be_folder(workdir)
    checkpoint.claim(workdir, described, facts())

    lead = jax.process_index() == 0
    strategy = parallel.STRATEGIES[config.parallel]
    with checkpoint.manager(workdir / "checkpoints", keep=config.keep) as checkpoints:
        found = checkpoint.restore_latest(checkpoints, fresh)
        state, position = found or (fresh, {"unlogged": []})
        start = int(state.step)
        if lead:
            trained = {player: state.params[player] for player in PLAYERS}
            overview = parameter_overview.get_parameter_overview(trained)
            tqdm.write(overview)
        run = _Run(config, system, checkpoints, samples, position["unlogged"])
        run.step = prepare.compile_step(config, system, optimizers, strategy)
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

    step: Callable
    writer: report.Writer | report.Silent
    bar: tqdm

    def __init__(self, config, system, checkpoints, samples, unlogged):
        self.config, self.checkpoints, self.samples = config, checkpoints, samples
        self.unlogged = unlogged  # metrics of single steps
        self.guard = report.AttentionGuard()
        self.paint = jax.jit(system.paint)

    def phase(self, phase, start, state, strategy, asked_to_stop):
        batches = prepare.stream(self.config, phase, start)
        every = self.config.every
        self.bar.set_description(phase.name)
        waiting = None
        due = None  # a step whose log is written while the next one runs
        for step in range(start + 1, phase.last + 1):
            state, metrics = self.step(
                state, strategy.split(next(batches)), phase.weights
            )
            if due:
                self.log(due, phase)
            # One step ahead of the device, not more: a queue would fill its memory.
            jax.block_until_ready(waiting)
            waiting = metrics
            self.unlogged.append(metrics)
            self.bar.update()
            stopping = asked_to_stop(step)
            saving = step % every.checkpoint == 0 or step == phase.last or stopping
            # No mean is over two phases: in one of them a player may rest.
            due = step if step % every.log == 0 or step == phase.last else None
            if due and saving:  # what is saved has been logged
                self.log(due, phase)
                due = None
            paints = phase.weights["generator"] is not None
            if paints and (step % every.samples == 0 or step == phase.last):
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
            ", ".join(
                f"{p} {means[f'{p}/total']:.4g}"
                for p in PLAYERS
                if f"{p}/total" in means
            )
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
        generator = parallel.to_host(state.ema["generator"])
        blocks = []
        for title, batch in self.samples:
            edit, mask, _ = self.paint(generator, batch.image, batch.target_expression)
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
