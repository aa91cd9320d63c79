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

HERE = pathlib.Path(__file__).parent
pytestmark = pytest.mark.slow


def start(workdir, *options):
    """`small_run` as a process of its own; in pytest's environment, cache apart."""
    environment = os.environ | {
        "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}",
        "SLIDER_CACHE": str(workdir.parent / "cache"),
    }
    workdir.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, HERE / "small_run.py", workdir, *map(str, options)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_two(workdir, *options):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = ("--coordinator", f"127.0.0.1:{port}", "--processes", 2)
    return [start(workdir, *options, *together, "--process", i) for i in (0, 1)]


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
    one, two = final(tmp_path / "one"), final(tmp_path / "two")
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_one_of_two_is_told_to_stop_and_both_resume(tmp_path):
    """SIGTERM to either stops both after the same step; then the job is resumed."""
    two = start_two(tmp_path / "two", "--steps", 400)
    wait_for_checkpoint(tmp_path / "two")
    two[1].send_signal(signal.SIGTERM)
    assert "Stopped and saved at step" in finish(*two, code=75)
    stopped = max(checkpoints(tmp_path / "two"))
    assert 0 < stopped < 800
    two = start_two(tmp_path / "two", "--steps", 400)
    wait_for_checkpoint(tmp_path / "two", after=stopped)
    kill(*two)


def test_killed_at_any_moment_it_loses_little_and_ends_the_same(tmp_path):
    """Each start goes on from a checkpoint, and the end is that of a calm run."""
    finish(start(tmp_path / "calm", "--steps", 60))
    reached, luck = 0, random.Random(0)
    for _ in range(3):
        process = start(tmp_path / "run", "--steps", 60)
        wait_for_checkpoint(tmp_path / "run", after=reached)
        time.sleep(luck.uniform(0, 0.2))
        kill(process)
        assert max(checkpoints(tmp_path / "run")) >= reached  # none is lost
        reached = max(checkpoints(tmp_path / "run"))
        if reached > 100:
            break
    finish(start(tmp_path / "run", "--steps", 60))
    np.testing.assert_array_equal(final(tmp_path / "calm"), final(tmp_path / "run"))
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("calm", "run")]
    assert logs[0] == logs[1]
