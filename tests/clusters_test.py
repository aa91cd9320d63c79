"""`launch/main.py` as real processes: one, and two on one machine."""

import pytest
from processes_test import finish, metrics, run, start_two

pytestmark = pytest.mark.slow


def launch(workdir, *options):
    """SliderGAN itself, as a user starts it; slowly, or Adam makes much of rounding.

    By squares: gradients of absolute distances jump where rounding decides a sign.
    """
    config = "--config=configs/slidergan.py:tiny"
    rates = [f"--config.learning_rate.{p}=1e-5" for p in ("critic", "generator")]
    others = ("--config.model.distance=squared", f"--workdir={workdir}")
    command = ("launch/main.py", config, *rates, *others, *options)
    return run(workdir, *command, xla="--xla_backend_optimization_level=0")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A run of SliderGAN."""
    workdir = tmp_path_factory.mktemp("launch") / "tiny"
    finish(launch(workdir))
    return workdir


def test_slidergan_itself_trains_both_phases(tiny):
    assert [row["step"] for row in metrics(tiny)] == [2, 4, 6, 8]
    assert (tiny / "samples" / "sheet_0000008.png").stat().st_size > 10_000


def test_two_launched_together_are_one(tiny, tmp_path):
    """One of them writes."""
    finish(*start_two(tmp_path / "two", "--multihost", start=launch))
    for one, two in zip(metrics(tiny), metrics(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=1e-4, abs=1e-5)
