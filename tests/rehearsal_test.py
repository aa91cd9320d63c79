"""`slider doctor --config`: a run is looked at before it starts."""

import json
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import small_game
import small_run

from slider_jax import checkpoint, prepare, rehearsal, systems

CHECKS = ["config", "data", "disk", "memory", "time"]
TINY = "--config=configs/slidergan.py:tiny"


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    create = lambda name, **model: small_game.SmallSystem(model["parameters"])
    monkeypatch.setattr(systems, "create", create)
    monkeypatch.setenv("SLIDER_CACHE", str(tmp_path / "cache"))


def rehearse(tmp_path, small, **options):
    return rehearsal.rehearse(small, tmp_path / "run", **options)


def states(found):
    return {name: check["state"] for name, check in found["checks"].items()}


def test_a_run_that_can_start_is_ready_and_nothing_is_written(tmp_path):
    found = rehearse(tmp_path, small_run.config())
    assert states(found) == dict.fromkeys(CHECKS, "well")
    assert found["problems"] == []
    estimates = found["estimates"]
    assert estimates["steps"] == 8
    assert estimates["hours"] == pytest.approx(8 / 3600 * estimates["seconds_a_step"])
    assert 0 < estimates["checkpoints_gb"] < estimates["free_disk_gb"]
    assert 0 < estimates["memory_gb"] < estimates["memory_here_gb"]
    assert not (tmp_path / "run").exists()
    assert rehearsal.show(found).endswith("\nReady.")
    json.dumps(found)


def test_jit_and_no_time_are_well_too(tmp_path):
    found = rehearse(tmp_path, small_run.config(parallel="jit"), timed=False)
    assert states(found) == dict.fromkeys(CHECKS[:-1], "well") | {"time": "not checked"}


@pytest.mark.parametrize("labels, width", [("action_units", 17), ("classes", 7)])
def test_other_labels_are_well_too(tmp_path, labels, width):
    data = dict(labels=labels, mirror=True, pairs="strangers")
    small = small_run.config(data=data, model=dict(parameters=width))
    assert states(rehearse(tmp_path, small)) == dict.fromkeys(CHECKS, "well")


def test_a_misspelt_weight_is_found_before_data_is_touched(tmp_path):
    small = small_run.config()
    weights = small.phases[1].weights.copy_and_resolve_references()
    with weights.unlocked():
        weights.generator.piared = 1.0
    small.phases[1].weights = weights
    found = rehearse(tmp_path, small)
    assert "piared" in found["problems"][0]
    assert states(found) == {
        "config": "problem",
        "data": "well",
        "disk": "well",
        "memory": "not checked",
        "time": "not checked",
    }
    assert rehearsal.show(found).endswith("\nNot ready.")


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda c: c.update(parallel="gpus"), "parallel is 'gpus'; choose from"),
        (lambda c: c.every.update(log=0), "every.log is 0; it must be more than 0."),
        (
            lambda c: (c.update(parallel="jit"), c.model.update(relative_to="device")),
            "choose --config.parallel=pmap",
        ),
        (lambda c: c.update(ema_decay=1.5), "ema_decay is 1.5; it must lie from 0"),
        (lambda c: c.data.update(photographic=5.0), "data.photographic is 5.0"),
        (lambda c: c.data.update(batch_size=6), "does not split over 8 devices"),
        (lambda c: c.data.update(pairs="all"), "data.pairs is 'all'; choose from"),
        (lambda c: c.data.update(folder=None), "add --config.data.folder=DIR"),
        (lambda c: c.data.update(image_size=128), "holds faces of 64 pixels, not 128"),
        (lambda c: c.phases[0].update(split="train"), "has no 'train'; choose from"),
        (lambda c: c.phases[0].update(split="test_paired"), "phases[0].split is"),
        (lambda c: c.update(phases=()), "phases is (); it must be one phase or more"),
        (lambda c: c.update(samples=0), "samples is 0; it must be more than 0"),
        (lambda c: c.update(seed=-1), "seed is -1; it must be 0 or more"),
        (lambda c: c.data.update(noise=np.nan), "data.noise is nan; it must be 0 or"),
        (lambda c: c.data.update(workers=-1), "data.workers is -1; it must be 0 or"),
        (lambda c: c.model.update(width=0), "model.width is 0; it must be more"),
        (lambda c: c.model.update(dtype="int32"), "model.dtype is 'int32'; choose"),
        (lambda c: c.model.update(initial="foo"), "model.initial is 'foo'; choose"),
        (
            lambda c: c.learning_rate.update(critic=np.inf),
            "learning_rate.critic is inf",
        ),
        (
            lambda c: c.phases[0].update(weights=dict(critic=dict(expression=-1.0))),
            "phases[0].weights.critic.expression is -1.0; it must be 0 or more",
        ),
        (lambda c: c.update(start="/nope"), "There is no model at /nope"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, change, sentence):
    small = small_run.config()
    small.unlock()
    change(small)
    assert sentence in rehearse(tmp_path, small)["problems"][0]


def test_a_workdir_that_training_would_refuse_is_a_problem(tmp_path):
    """A file, and the folder of another run; neither is changed."""
    small, file = small_run.config(), tmp_path / "file"
    file.touch()
    (problem,) = rehearse(file, small)["problems"]
    assert f"{file} cannot be written to" in problem
    (run := tmp_path / "run").mkdir()
    checkpoint.claim(run, prepare.describe(small_run.config(seed=9)), {})
    before = (run / "run.json").read_bytes()
    (problem,) = rehearse(tmp_path, small)["problems"]
    assert "another config: seed was 9, is 0" in problem
    assert (run / "run.json").read_bytes() == before


def test_a_damaged_file_is_named(tmp_path):
    shutil.copytree(prepare.TINY, tmp_path / "set")
    (file, *_) = sorted((tmp_path / "set").glob("*train_paired*"))
    file.write_bytes(file.read_bytes()[:1000])
    small = small_run.config()
    small.data.folder = str(tmp_path / "set")
    found = rehearse(tmp_path, small)
    assert f"{file} is damaged" in found["problems"][0]
    assert states(found)["config"] == "well"


def test_little_disk_and_little_memory_are_problems(tmp_path, monkeypatch):
    nearly_full = types.SimpleNamespace(free=10)
    monkeypatch.setattr(rehearsal.shutil, "disk_usage", lambda _: nearly_full)
    (problem,) = rehearse(tmp_path, small_run.config())["problems"]
    assert "lower --config.keep" in problem
    monkeypatch.undo()
    create = lambda name, **model: small_game.SmallSystem(model["parameters"])
    monkeypatch.setattr(systems, "create", create)
    monkeypatch.setattr(rehearsal, "_memory_of", lambda _: 10)
    found = rehearse(tmp_path, small_run.config())
    assert "lower --config.data.batch_size" in found["problems"][0]
    assert states(found)["time"] == "not checked"


def slider(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "slider_jax.cli", "doctor", *arguments],
        cwd=small_run.ROOT,
        capture_output=True,
        text=True,
    )


def test_a_config_that_cannot_be_read_is_one_sentence_and_exit_2():
    wrongs = {
        f"{TINY[:-1]}": "Unknown variant 'tin'",
        "--config.data.sze=3": "the config has no 'sze'.",
        "--config.model.wdith=3": "the config has no 'wdith'.",  # much like another
        "--config.phases[9].steps=1": "index",
        "--nope": "Unknown command line flag 'nope'",
        "--config=README.md": "the config is no Python",
        "--config=slider_jax/files.py": "the config's file has no `get_config`.",
    }
    for wrong, sentence in wrongs.items():
        done = slider(*([TINY] * (not wrong.startswith("--config="))), wrong)
        assert done.returncode == 2 and sentence in done.stderr
        assert done.stdout == "" and done.stderr.count("\n") == 1


def test_a_problem_is_exit_1_and_json_says_what(tmp_path):
    nowhere = f"--config.data.folder={tmp_path}/nowhere"
    done = slider(TINY, nowhere, "--config.data.batch_size=16", "--no-time", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["checks"]["config"]["state"] == "well"
    assert "nowhere" in found["problems"][0]


@pytest.mark.slow
def test_the_estimate_of_memory_is_near_what_a_run_takes(tmp_path):
    done = slider(TINY, f"--workdir={tmp_path}", "--json")
    assert done.returncode == 0, done.stderr
    estimates = json.loads(done.stdout)["estimates"]
    ratio = estimates["memory_gb"] / estimates["measured_memory_gb"]
    assert 0.7 < ratio < 1.5
