"""Real processes: several that train together, and some that are killed."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from small_game import WEIGHTS

HERE = pathlib.Path(__file__).parent
pytestmark = pytest.mark.slow


def start(workdir, *options):
    """`small_run` as a process of its own; in pytest's environment, cache apart."""
    workdir.mkdir(exist_ok=True)
    return run(workdir, HERE / "small_run.py", workdir, *map(str, options))


def run(workdir, *command, xla=""):
    """On one device; `xla` is for programs that take long to compile."""
    environment = os.environ | {
        "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}",
        "SLIDER_CACHE": str(workdir.parent.parent / "cache"),
        "XLA_FLAGS": xla,
    }
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=HERE.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_two(workdir, *options, start=start):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = (f"--coordinator=127.0.0.1:{port}", "--processes=2")
    return [start(workdir, *options, *together, f"--process={i}") for i in (0, 1)]


def finish(*processes, code=0):
    for process in processes:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == code, said
    return said


def kill(*processes):
    for process in processes:
        process.kill()
        process.communicate()


def final(workdir):
    return np.array(json.loads((workdir / "final.json").read_text()))


def metrics(workdir):
    """One {"step": ..., "critic/total": ...} a line."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def assert_same_course(a, b, rtol=1e-5, atol=1e-6):
    """Two runs with the same final state, and the same losses on the way."""
    np.testing.assert_allclose(final(a), final(b), rtol=rtol, atol=atol)
    for x, y in zip(metrics(a), metrics(b), strict=True):
        for player, weights in WEIGHTS.items():
            # A total may be a small difference of large terms, and rounds as they do.
            terms = (weight * y[f"{player}/{name}"] for name, weight in weights.items())
            total, room = f"{player}/total", atol * max(1, *map(abs, terms))
            assert x.pop(total) == pytest.approx(y.pop(total), rel=rtol, abs=room)
        assert x == pytest.approx(y, rel=rtol, abs=atol)


def checkpoints(workdir):
    names = (p.name for p in (workdir / "checkpoints").glob("*"))
    return [int(name) for name in names if name.isdigit()]


def wait_for_checkpoint(workdir, after=0):
    deadline = time.monotonic() + 120
    while max([0, *checkpoints(workdir)]) <= after:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("parallel", ["pmap", "jit"])
def test_two_processes_of_two_devices_are_one_process_of_four(parallel, tmp_path):
    """With SGD, to 1e-5."""
    options = ("--sgd", "--parallel", parallel)
    finish(start(tmp_path / "one", *options, "--devices", 4))
    finish(*start_two(tmp_path / "two", *options, "--devices", 2))
    assert_same_course(tmp_path / "one", tmp_path / "two")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """Two processes that nothing disturbs."""
    workdir = tmp_path_factory.mktemp("calm") / "two"
    finish(*start_two(workdir, "--steps", 60))
    return workdir


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_one_of_two_is_stopped_and_both_resume(how, calm, tmp_path):
    """Asked to stop, both do, after the same step; of one killed the other soon hears.

    Started again, the job ends as if nothing had been.
    """
    both = start_two(tmp_path / "two", "--steps", 60)
    wait_for_checkpoint(tmp_path / "two")
    both[1].send_signal(how)
    if how == signal.SIGKILL:
        both[0].communicate(timeout=30)
        assert both[0].returncode != 0
        finish(both[1], code=-how)
    else:
        assert "Stopped and saved at step" in finish(*both, code=75)
    assert 0 < max(checkpoints(tmp_path / "two")) < 120
    finish(*start_two(tmp_path / "two", "--steps", 60))
    np.testing.assert_array_equal(final(calm), final(tmp_path / "two"))
    assert metrics(calm) == metrics(tmp_path / "two")


def test_a_run_goes_on_with_other_devices(tmp_path):
    """Stopped on four with pmap, resumed on two with jit; with SGD, to 1e-5."""
    options = ("--sgd", "--steps", 60)
    four = (*options, "--devices", 4)
    finish(start(tmp_path / "calm", *four))
    process = start(tmp_path / "run", *four)
    wait_for_checkpoint(tmp_path / "run")
    process.send_signal(signal.SIGTERM)
    finish(process, code=75)
    assert 0 < max(checkpoints(tmp_path / "run")) < 120
    finish(start(tmp_path / "run", *options, "--devices", 2, "--parallel", "jit"))
    assert_same_course(tmp_path / "calm", tmp_path / "run")


def test_killed_at_any_moment_it_loses_little_and_ends_the_same(tmp_path):
    """Each start goes on from a checkpoint, and the end is that of a calm run.

    Asked by Ctrl-C to stop, it saves first, and says how to go on.
    """
    finish(start(tmp_path / "calm", "--steps", 60))
    reached, luck = 0, random.Random(0)
    for ctrl_c in (True, False, False, False):
        process = start(tmp_path / "run", "--steps", 60)
        wait_for_checkpoint(tmp_path / "run", after=reached)
        if ctrl_c:
            process.send_signal(signal.SIGINT)
            assert "Stopped and saved at step" in finish(process, code=75)
        else:
            time.sleep(luck.uniform(0, 0.2))
            kill(process)
        assert max(checkpoints(tmp_path / "run")) >= reached  # none is lost
        reached = max(checkpoints(tmp_path / "run"))
        if reached > 100:
            break
    finish(start(tmp_path / "run", "--steps", 60))
    np.testing.assert_array_equal(final(tmp_path / "calm"), final(tmp_path / "run"))
    assert metrics(tmp_path / "calm") == metrics(tmp_path / "run")
