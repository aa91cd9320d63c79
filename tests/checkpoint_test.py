"""Checkpoints are whole or not there, and a folder holds one run."""

import json
import pathlib

import jax
import pytest
from small_game import (
    WEIGHTS,
    SmallSystem,
    assert_equal,
    batches,
    first_state,
)

from slider_jax import checkpoint, parallel, step

ADAM = {p: step.adam(1e-2, updates=4, constant=0.5) for p in step.PLAYERS}


def save_steps(folder, steps, keep=3):
    with checkpoint.manager(folder, keep=keep) as checkpoints:
        for number in steps:
            state = first_state(ADAM, seed=number)
            state = state.replace(step=state.step + number)
            checkpoint.save(checkpoints, state, {"phase": "paired", "rounds": number})


def restore(folder):
    with checkpoint.manager(folder, keep=3) as checkpoints:
        return checkpoint.restore_latest(checkpoints, first_state(ADAM))


def spoil(folder, step):
    """Turns some bits in the largest file, as a bad disk would."""
    files = [p for p in pathlib.Path(folder, str(step)).rglob("*") if p.is_file()]
    file = max(files, key=lambda p: p.stat().st_size)
    data = bytearray(file.read_bytes())
    for i in range(len(data) // 3, len(data) // 2):
        data[i] ^= 0xFF
    file.write_bytes(data)


@pytest.mark.parametrize("name", parallel.STRATEGIES)
def test_a_resumed_run_is_the_same_bit_by_bit(name, tmp_path):
    strategy = parallel.STRATEGIES[name]
    run = strategy.compile(
        step.make_step(SmallSystem(), ADAM, axis_name=strategy.axis_name)
    )
    rounds = [strategy.split(batches(seed=i)) for i in range(4)]
    straight = strategy.replicate(first_state(ADAM))
    metrics = []
    for data in rounds:
        straight, m = run(straight, data, WEIGHTS)
        metrics.append(jax.device_get(m))

    half = strategy.replicate(first_state(ADAM))
    for data in rounds[:2]:
        half, _ = run(half, data, WEIGHTS)
    with checkpoint.manager(tmp_path, keep=1) as checkpoints:
        checkpoint.save(checkpoints, half, {})
    resumed, _ = restore(tmp_path)
    resumed = strategy.replicate(resumed)
    for data, expected in zip(rounds[2:], metrics[2:], strict=True):
        resumed, m = run(resumed, data, WEIGHTS)
        assert_equal(jax.device_get(m), expected)
    assert_equal(parallel.to_host(resumed), parallel.to_host(straight))


def test_the_newest_comes_back_with_its_position(tmp_path):
    save_steps(tmp_path, [2, 4])
    state, position = restore(tmp_path)
    assert int(state.step) == 4
    assert position == {"phase": "paired", "rounds": 4}
    expected = first_state(ADAM, seed=4)
    assert_equal(state.params, parallel.to_host(expected).params)


def test_only_the_newest_few_are_kept(tmp_path):
    save_steps(tmp_path, [1, 2, 3], keep=2)
    assert {p.name for p in tmp_path.iterdir()} == {"2", "3"}


def test_a_damaged_one_falls_back_with_a_warning_that_names_it(tmp_path, caplog):
    save_steps(tmp_path, [2, 4])
    spoil(tmp_path, 4)
    state, position = restore(tmp_path)
    assert (int(state.step), position["rounds"]) == (2, 2)
    assert f"{tmp_path / '4'} is damaged" in caplog.text
    assert (tmp_path / "4.damaged").is_dir()
    save_steps(tmp_path, [4])  # its place is free again
    assert int(restore(tmp_path)[0].step) == 4
    spoil(tmp_path, 4)  # once more
    assert int(restore(tmp_path)[0].step) == 2
    assert (tmp_path / "4.damaged-2").is_dir()


def test_an_unfinished_one_is_as_if_it_were_not_there(tmp_path):
    """Orbax writes beside the place and renames."""
    save_steps(tmp_path, [2])
    (tmp_path / "4.orbax-checkpoint-tmp-0").mkdir()
    assert int(restore(tmp_path)[0].step) == 2


def test_when_all_are_damaged_nothing_starts_anew_in_silence(tmp_path):
    save_steps(tmp_path, [2])
    spoil(tmp_path, 2)
    with pytest.raises(ValueError, match="move it away"):
        restore(tmp_path)
    assert (tmp_path / "2").is_dir()


def test_what_nothing_is_known_of_is_not_taken_over(tmp_path):
    """Checkpoints without their run.json, or with one that was cut."""
    (tmp_path / "checkpoints" / "12").mkdir(parents=True)
    with pytest.raises(ValueError, match="12 is of a run that nothing is known of"):
        checkpoint.claim(tmp_path, CONFIG, {})
    for damage in ('{"config": {"se', "[]"):
        (tmp_path / "run.json").write_text(damage)
        with pytest.raises(ValueError, match="run.json is damaged"):
            checkpoint.claim(tmp_path, CONFIG, {})


def test_without_a_checkpoint_there_is_none(tmp_path):
    assert restore(tmp_path) is None


CONFIG = {"seed": 0, "phases": ({"steps": 3},), "every": {"log": 1}}


def test_a_folder_of_another_config_is_refused_with_the_differing_fields(tmp_path):
    checkpoint.claim(tmp_path, CONFIG, {})
    checkpoint.claim(tmp_path, CONFIG, {})
    other = CONFIG | {"phases": ({"steps": 5},), "width": 8}
    with pytest.raises(ValueError) as refusal:
        checkpoint.claim(tmp_path, other, {})
    assert "phases.0.steps was 3, is 5" in str(refusal.value)
    assert "width was None, is 8" in str(refusal.value)
    assert "seed" not in str(refusal.value)


def test_how_often_to_log_and_what_to_keep_may_change(tmp_path):
    checkpoint.claim(tmp_path, CONFIG, {})
    other = {"every": {"log": 7}, "keep": 9, "data": {"workers": 2}}
    checkpoint.claim(tmp_path, CONFIG | other, {"commit": "abc"})
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["config"]["every"]["log"] == 7 and run["commit"] == "abc"


def test_what_earlier_starts_ran_on_is_kept(tmp_path):
    for commit in ("abc", "abc", "def", "ghi"):
        checkpoint.claim(tmp_path, CONFIG, {"commit": commit})
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["commit"] == "ghi"
    assert run["earlier"] == [{"commit": "abc"}, {"commit": "def"}]
