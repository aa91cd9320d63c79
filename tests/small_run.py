"""`train` with the small game, for tests: here, or as a process of its own.

python small_run.py WORKDIR [--coordinator HOST:PORT --processes N --process I]
"""

import argparse
import importlib.util
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent


def config(**changes):
    """The small game on the tiny set: two phases of four steps."""
    path = ROOT / "configs" / "slidergan.py"
    spec = importlib.util.spec_from_file_location("slidergan_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config("tiny")
    from small_game import WEIGHTS

    for phase in config.phases:
        phase.weights = WEIGHTS
    config.learning_rate = dict(critic=1e-2, generator=1e-2)
    with config.unlocked():
        config.update(changes)
    return config


def run(workdir, config):
    """With the small system in the place of SliderGAN."""
    from small_game import SmallSystem

    from slider_jax import systems, train

    systems.create = lambda name, **model: SmallSystem(model["parameters"])
    return train.train(config, workdir)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--coordinator")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--process", type=int, default=0)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--parallel", default="pmap")
    parser.add_argument("--sgd", action="store_true")
    options = parser.parse_args()
    os.environ["JAX_PLATFORMS"] = "cpu"
    devices = f"--xla_force_host_platform_device_count={options.devices}"
    os.environ["XLA_FLAGS"] = devices
    sys.modules["torch"] = None  # else tensorboardX imports it, for a second or more
    import jax
    import numpy as np
    from small_game import sgd

    from slider_jax import parallel, prepare, stop

    if options.coordinator:
        jax.distributed.initialize(
            options.coordinator,
            options.processes,
            options.process,
            heartbeat_timeout_seconds=10,
        )
    if options.sgd:
        prepare.make_optimizers = lambda config, phases: sgd(1e-3)
    small = config(parallel=options.parallel)
    for phase in small.phases:
        phase.steps = options.steps
    small.every.samples = options.steps
    try:
        state = run(options.workdir, small)
    except stop.Interrupted as interruption:
        print(interruption)
        return stop.RESUMABLE
    numbers = [x.ravel().tolist() for x in jax.tree.leaves(parallel.to_host(state))]
    if jax.process_index() == 0:
        out = options.workdir / "final.json"
        out.write_text(json.dumps(np.concatenate(numbers).tolist()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
