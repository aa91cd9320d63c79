"""The loop: phases, resuming, stopping, and what it does when something is wrong."""

import dataclasses
import json
import shutil
import signal

import jax
import numpy as np
import pytest
import small_editor
import small_run
from small_game import assert_equal

from slider_jax import data, model_file, parallel, prepare, report, stop, systems, train


@pytest.fixture(autouse=True)
def _restored(monkeypatch, tmp_path):
    """`small_run.run` changes `systems.create`; programs go to no shared folder."""
    monkeypatch.setattr(systems, "create", systems.create)
    monkeypatch.setenv("SLIDER_CACHE", str(tmp_path / "cache"))


def lines(workdir):
    text = (workdir / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run from beginning to end: its folder and its last state."""
    create, workdir = systems.create, tmp_path_factory.mktemp("straight")
    state = small_run.run(workdir, small_run.config())
    systems.create = create
    return workdir, parallel.to_host(state)


def test_both_phases_run_and_are_logged(straight):
    workdir, state = straight
    assert int(state.step) == 8
    assert [line["step"] for line in lines(workdir)] == [2, 4, 6, 8]
    assert lines(workdir)[0]["generator/paired"] > 0
    assert lines(workdir)[-1]["generator/paired"] == 0  # nothing to compare with


def test_it_leaves_samples_events_and_where_it_comes_from(straight):
    workdir, _ = straight
    names = {path.name for path in (workdir / "samples").iterdir()}
    assert names == {"sheet_0000004.png", "sheet_0000008.png"}
    events = b"".join(path.read_bytes() for path in (workdir / "board").glob("events*"))
    assert b"generator/paired" in events and events.count(b"\x89PNG") == 2
    run = json.loads((workdir / "run.json").read_text())
    assert run["config"]["phases"][0]["steps"] == 4
    assert len(run["config"]["data_sha256"]) == 64
    assert run["versions"]["jax"] == jax.__version__ and "commit" in run


def test_it_begins_with_an_overview_and_passes_on_what_the_guard_says(
    tmp_path, monkeypatch, capsys, caplog
):
    says = lambda self, means, phase: f"phase {phase}, {'generator/paired' in means}"
    monkeypatch.setattr(report.AttentionGuard, "check", says)
    small_run.run(tmp_path, small_run.config())
    assert "critic/expression" in capsys.readouterr().out
    for step, phase in ((2, 0), (8, 1)):
        assert f"Step {step}: phase {phase}, True" in caplog.text


@pytest.mark.parametrize("step", [3, 5])  # between logs, in either phase
def test_interrupted_and_resumed_is_uninterrupted(
    step, straight, tmp_path, monkeypatch
):
    """Parameters, optimisers, EMA, order of the data and logs, bit by bit."""
    seen = []

    def counted(*args, **options):
        for batch in data_stream(*args, **options):
            seen.append(batch)
            if len(seen) == step:
                signal.raise_signal(signal.SIGTERM)
            yield batch

    data_stream = data.stream
    monkeypatch.setattr(prepare, "sample_batches", lambda config: [])
    monkeypatch.setattr(train._Run, "sheet", lambda *_: None)
    monkeypatch.setattr(data, "stream", counted)
    with pytest.raises(stop.Interrupted, match=rf"step {step}; the same command"):
        small_run.run(tmp_path, small_run.config())
    state = small_run.run(tmp_path, small_run.config())
    assert len(seen) == 8
    assert_equal(parallel.to_host(state), straight[1])
    assert lines(tmp_path) == lines(straight[0])


def test_a_log_is_written_while_the_next_step_runs(tmp_path, monkeypatch):
    """Unless its step is saved: what is saved has been logged."""
    asked, written = [], []

    def counted(*args, **options):
        for batch in data_stream(*args, **options):
            asked.append(batch)
            yield batch

    data_stream, scalars = data.stream, report.Writer.scalars

    def noted(self, step, values):
        written.append((step, len(asked)))
        scalars(self, step, values)

    monkeypatch.setattr(prepare, "sample_batches", lambda config: [])
    monkeypatch.setattr(train._Run, "sheet", lambda *_: None)
    monkeypatch.setattr(data, "stream", counted)
    monkeypatch.setattr(report.Writer, "scalars", noted)
    small = small_run.config()
    small.every.checkpoint = 6
    small_run.run(tmp_path, small)
    assert written == [(2, 3), (4, 4), (6, 6), (8, 8)]


def test_a_finished_run_does_nothing_more(straight, capsys):
    workdir, state = straight
    again = small_run.run(workdir, small_run.config())
    assert_equal(parallel.to_host(again), state)
    assert len(lines(workdir)) == 4


def test_a_workdir_of_another_config_is_refused(straight):
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        small_run.run(straight[0], small_run.config(seed=1))


def test_what_is_not_a_number_stops_it(tmp_path, monkeypatch):
    """With the step, the loss and the last good checkpoint; none is saved after."""

    def poisoned(*args, **options):
        for i, batch in enumerate(data_stream(*args, **options)):
            yield batch.replace(image=batch.image * np.nan) if i == 4 else batch

    data_stream = data.stream
    monkeypatch.setattr(prepare, "sample_batches", lambda config: [])
    monkeypatch.setattr(train._Run, "sheet", lambda *_: None)
    monkeypatch.setattr(data, "stream", poisoned)
    small = small_run.config()
    small.phases[0].steps = 6
    with pytest.raises(FloatingPointError) as error:
        small_run.run(tmp_path, small)
    assert "Step 5: critic/adversarial, " in str(error.value)
    assert "that of step 3" in str(error.value)
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"3"}


def test_a_config_without_data_says_so(tmp_path):
    small = small_run.config()
    small.data.folder = None
    with pytest.raises(ValueError, match="--config.data.folder=DIR"):
        small_run.run(tmp_path, small)


def test_a_run_begins_with_the_weights_of_a_model(tmp_path, caplog):
    """Both players, and the smoothed ones; other shapes are refused."""
    model = small_editor.model(fields=dict(size=64))
    path = tmp_path / "model.npz"
    model_file.save_model(path, model, dtype="float32")
    small = small_run.config(start=str(path))
    optimizers = prepare.make_optimizers(small, prepare.plan(small))
    fresh = prepare.first_state(small, model.system, optimizers)
    begin = lambda system=model.system: prepare.begin_from(small.start, fresh, system)
    state = begin()
    for player in ("generator", "critic"):
        assert_equal(state.params[player], getattr(model, player))
        assert_equal(state.ema[player], getattr(model, player))
    assert not caplog.text
    begin(dataclasses.replace(model.system, tint=0.25))
    assert "were made for model.tint=1.0, not 0.25" in caplog.text
    small.start = "default"
    with pytest.raises(ValueError, match="start: the weights of default are not"):
        begin()
    path.unlink()
    small.start = str(path)
    with pytest.raises(FileNotFoundError, match="no model at .*model.npz"):
        begin()


def test_a_run_that_has_begun_does_not_begin_again(tmp_path, monkeypatch):
    """The model that it began with may be gone by then."""
    begun = []
    monkeypatch.setattr(
        prepare, "begin_from", lambda path, state, _: begun.append(path) or state
    )
    small = small_run.config(start="model.npz")
    first = small_run.run(tmp_path, small)
    assert begun == ["model.npz"]
    shutil.rmtree(tmp_path / "checkpoints" / str(int(first.step)))
    assert_equal(small_run.run(tmp_path, small).params, first.params)
    assert begun == ["model.npz"]


def test_an_epoch_shows_every_face_once():
    small = small_run.config()
    small.phases[0].steps, small.phases[0].epochs = 0, 3
    faces = len(data.open_split(prepare.TINY, "train_paired"))
    shown = prepare.plan(small)[0].last * small.data.batch_size * small.data.n_critic
    assert 3 * faces <= shown < 3 * faces + small.data.batch_size


def test_without_recogniser_there_is_no_weight_for_it():
    small = small_run.config()
    for phase in small.phases:
        phase.weights = (
            small_run.config().phases[0].weights.copy_and_resolve_references()
        )
        with phase.weights.unlocked():
            phase.weights.generator.identity = 4.0
    assert all("identity" not in p.weights["generator"] for p in prepare.plan(small))


def test_a_phase_in_which_the_generator_rests_logs_and_paints_nothing_of_it(tmp_path):
    small = small_run.config()
    reading = small.phases[0].copy_and_resolve_references()
    reading.steps = 3  # which is between two logs
    for losses in reading.weights.values():
        for name in losses:
            losses[name] = 0.0
    reading.weights.critic.expression = 1.0
    small.phases = (reading, small.phases[1])
    state = small_run.run(tmp_path, small)
    critic, generator = (state.opt_state[p] for p in ("critic", "generator"))
    assert [int(o[-1].count) for o in (critic, generator)] == [7, 4]
    of_generator = [any("generator" in k for k in line) for line in lines(tmp_path)]
    steps = [line["step"] for line in lines(tmp_path)]
    assert dict(zip(steps, of_generator, strict=True)) == {
        **{2: False, 3: False},
        **{4: True, 6: True, 7: True},
    }
    sheets = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert sheets == ["sheet_0000004.png", "sheet_0000007.png"]
