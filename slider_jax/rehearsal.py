"""Will this run work here, how long will it take, and what will it need?"""

import math
import os
import pathlib
import resource
import shutil
import sys
import time
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from slider_jax import checkpoint, parallel, prepare, programs, systems
from slider_jax.batch import Batch
from slider_jax.data import open_split
from slider_jax.face import labels
from slider_jax.step import PLAYERS, TrainState, make_step

GB = 1e9
ROUNDS = 2  # timed, after one that warms up


def rehearse(
    config: ConfigDict, workdir: pathlib.Path, *, timed: bool = True
) -> dict[str, Any]:
    """`checks` by name, each "well", "problem" or "not checked" and what was found.

    Memory and time are looked at when all else is well, for every program that the
    phases need; the numbers found on the way are in `estimates`. Nothing is
    written but compiled programs and the identity network, both into the cache.
    """
    programs.keep_programs()
    run = _Rehearsal(config, pathlib.Path(workdir))
    checks = {}
    for name in ("config", "data", "disk", "memory", "time"):
        well = all(state == "well" for state, _ in checks.values())
        if name == "time" and not timed:
            checks[name] = ("not checked", "as --no-time asked")
        elif not well and (name in ("memory", "time") or not run.plausible):
            checks[name] = ("not checked", "as there is a problem above")
        else:
            try:
                checks[name] = ("well", getattr(run, name)())
            except (ValueError, TypeError, OSError) as error:
                checks[name] = ("problem", str(error).strip().splitlines()[0])
    return {
        "checks": {k: dict(state=state, found=f) for k, (state, f) in checks.items()},
        "estimates": run.estimates,
        "problems": [f for state, f in checks.values() if state == "problem"],
    }


def show(found: dict[str, Any]) -> str:
    """The table for people."""
    rows = [
        f"{name:8}{check['state']:13}{check['found']}"
        for name, check in found["checks"].items()
    ]
    verdict = "Not ready." if found["problems"] else "Ready."
    return "\n".join([*rows, verdict])


class _Rehearsal:
    """Each check says what it found, or raises what is wrong."""

    def __init__(self, config, workdir):
        self.asked, self.workdir = config, workdir
        self.estimates = {}
        self.plausible = False  # no single value of the config is wrong

    def config(self):
        """Traces the step of every phase: names, shapes and weights must agree."""
        config = self.asked
        prepare.check(config)
        self.plausible = True
        self.system = systems.create(config.system, **config.model)
        self.optimizers = prepare.make_optimizers(config, ())
        self.frozen = prepare.frozen(config)
        self.batches = _batches(config)
        one = jax.tree.map(lambda x: _shape(x.shape[1:], x.dtype), self.batches)
        params = jax.eval_shape(self.system.init, _key(), one)
        state = jax.eval_shape(self._state, params)
        self.state = state.replace(params=params | _shapes(self.frozen))
        step = make_step(self.system, self.optimizers)
        for number in range(len(config.phases)):
            weights = prepare.weights_of(config, number)
            jax.eval_shape(step, self.state, self.batches, weights)
        if config.get("start") and not checkpoint.begun(self.workdir):
            prepare.begin_from(config.start, self.state, self.system)
        count = {p: _size(params[p])[0] for p in params}
        amount = ", ".join(f"{n:,} parameters of the {p}" for p, n in count.items())
        return f"{config.system}, {len(config.phases)} phases; {amount}"

    def _state(self, params):
        return TrainState(
            step=np.zeros((), np.int32),
            params=params,
            opt_state={p: tx.init(params[p]) for p, tx in self.optimizers.items()},
            ema={player: params[player] for player in PLAYERS},
        )

    def data(self):
        """Opens every split, and reads the first and the last row of each file."""
        config = self.asked
        self.phases = prepare.plan(config)
        folder, size = prepare.folder(config), config.data.image_size
        found = []
        for split in dict.fromkeys(phase.split for phase in self.phases):
            faces = open_split(folder, split, size=size)
            for first, end in zip([0, *faces.ends], faces.ends, strict=False):
                faces.picture(first), faces.picture(end - 1)
            found.append(f"{len(faces):,} faces in {split}")
        for phase in self.phases:
            next(prepare.stream(config, phase, phase.first))
        prepare.sample_batches(config)
        self.estimates["steps"] = self.phases[-1].last
        return f"{', '.join(found)}; {self.phases[-1].last:,} steps"

    def disk(self):
        """Checkpoints are not compressed much; one more than is kept is there."""
        there = self.workdir.absolute()
        while not os.path.lexists(there):
            there = there.parent
        if not (there.is_dir() and os.access(there, os.W_OK)):
            raise ValueError(f"{there} cannot be written to: give another --workdir.")
        if not hasattr(self, "state"):
            return "not known without a config that works"
        if hasattr(self, "phases"):
            checkpoint.check_claim(self.workdir, prepare.describe(self.asked))
        need = _size(self.state)[1] * (self.asked.keep + 1)
        free = shutil.disk_usage(there).free
        self.estimates |= {"checkpoints_gb": need / GB, "free_disk_gb": free / GB}
        says = f"checkpoints need {need / GB:.2g} GB, {there} has {free / GB:.3g} GB"
        if need > free:
            raise ValueError(f"{says}: lower --config.keep or give another --workdir.")
        return says

    def memory(self):
        """Of the compiled program, with what the loop holds around it.

        On a CPU that is in the memory of this process: what it took so far, mostly to
        compile, two copies of the state (as it began, and as it is being saved) and the
        cache of the data.
        """
        config = self.asked
        self.strategy = parallel.STRATEGIES[config.parallel]
        # As in training, so that the program is found in the cache then.
        optimizers = prepare.make_optimizers(config, self.phases)
        step = prepare.compile_step(config, self.system, optimizers, self.strategy)
        start = time.perf_counter()
        self.programs = {}
        for phase in self.phases:
            if _kind(phase) not in self.programs:
                program = step.lower(self.state, self._shared(), phase.weights)
                self.programs[_kind(phase)] = program.compile()
        seconds = self.estimates["compile_seconds"] = time.perf_counter() - start
        device = jax.local_devices()[0]
        need = max(map(_bytes, self.programs.values()))
        if device.platform == "cpu":
            need = need * jax.local_device_count() + _peak()
            need += 2 * _size(self.state)[1] + self._cached()
        have = _memory_of(device)
        self.estimates |= {"memory_gb": need / GB, "memory_here_gb": have / GB}
        says = f"about {need / GB:.3g} GB of {have / GB:.3g} GB ({device.device_kind})"
        if need > have:
            raise ValueError(f"{says}: lower --config.data.batch_size.")
        return f"{says}; compiled in {seconds:.3g} s"

    def _shared(self):
        """The batches as the strategy's program takes them."""
        if self.strategy.axis_name is None:
            return self.batches
        n = jax.local_device_count()
        split = lambda s: (s[0], n, s[1] // n, *s[2:])
        return jax.tree.map(lambda x: _shape(split(x.shape), x.dtype), self.batches)

    def _cached(self):
        size = self.asked.data.image_size
        folder = prepare.folder(self.asked)
        faces = max(len(open_split(folder, phase.split)) for phase in self.phases)
        return self.asked.data.cache * faces * size * size * 3

    def time(self):
        """Of real steps on real data, the fastest; saving and pictures come on top."""
        config, strategy = self.asked, self.strategy
        state = prepare.first_state(config, self.system, self.optimizers)
        state = strategy.replicate(state)
        each, total = {}, 0.0
        for phase in self.phases:
            program = self.programs[_kind(phase)]
            if _kind(phase) not in each:
                batches, seconds = prepare.stream(config, phase, phase.first), []
                for _ in range(1 + ROUNDS):
                    start = time.perf_counter()
                    rounds = strategy.split(next(batches))
                    state, metrics = program(state, rounds, phase.weights)
                    jax.block_until_ready(metrics)
                    seconds.append(time.perf_counter() - start)
                each[_kind(phase)] = min(seconds[1:])
            total += each[_kind(phase)] * (phase.last - phase.first)
        hours, steps = total / 3600, " and ".join(f"{s:.3g}" for s in each.values())
        self.estimates |= {"seconds_a_step": max(each.values()), "hours": hours}
        self.estimates["measured_memory_gb"] = _peak(jax.local_devices()[0]) / GB
        return (
            f"{steps} s a step, {_words(hours)} in all; it took "
            f"{self.estimates['measured_memory_gb']:.3g} GB"
        )


def _kind(phase):
    """Phases of one kind share a program: which losses have a weight."""
    return jax.tree.structure(phase.weights)


def _words(hours):
    if hours < 2:
        return f"about {math.ceil(hours * 60)} min"
    return f"about {hours:.2g} hours" if hours < 48 else f"about {hours / 24:.2g} days"


def _batches(config) -> Batch:
    """The shapes of one step, on all devices of this host."""
    options, count = config.data, jax.process_count()
    lead = (options.n_critic, options.batch_size // count)
    image = _shape((*lead, options.image_size, options.image_size, 3), "float32")
    vector = _shape((*lead, labels.width(**prepare.condition(config))), "float32")
    return Batch(image, vector, image, vector, _shape(lead, "bool"))


def _shape(shape, dtype):
    return jax.ShapeDtypeStruct(shape, dtype)


def _shapes(tree):
    return jax.tree.map(lambda x: _shape(np.shape(x), x.dtype), tree)


def _key():
    return jax.eval_shape(lambda: jax.random.key(0))


def _size(tree):
    """Numbers in a tree, and their bytes."""
    leaves = jax.tree.leaves(tree)
    count = sum(leaf.size for leaf in leaves)
    return count, sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def _bytes(program):
    """What the program holds at once, on each device."""
    m = program.memory_analysis()
    held = m.argument_size_in_bytes + m.output_size_in_bytes - m.alias_size_in_bytes
    return held + m.temp_size_in_bytes + m.generated_code_size_in_bytes


def _peak(device=None):
    """Bytes held at most so far: by this process, or on an accelerator."""
    if device is not None and device.platform != "cpu":
        return device.memory_stats()["peak_bytes_in_use"]
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _memory_of(device):
    """Bytes of an accelerator; of this machine, or what its container may have."""
    if device.platform != "cpu":
        return device.memory_stats()["bytes_limit"]
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = pathlib.Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else ""
    return min(machine, int(text)) if text.isdigit() else machine
