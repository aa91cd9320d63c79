"""`launch/main.py` as real processes: one, and two on one machine."""

import pytest
from processes_test import finish, metrics, run, start_two

pytestmark = pytest.mark.slow


def launch(workdir, *options):
    """SliderGAN itself, as a user starts it."""
    config = "--config=configs/slidergan.py:tiny"
    return run(workdir, "launch/main.py", config, f"--workdir={workdir}", *options)


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
        assert two.keys() == one.keys()
        for name, value in one.items():
            # Six steps of Adam make a thousandth of what rounds differently there.
            rel = 5e-3 if name.endswith("gradient_norm") else 1e-3
            assert two[name] == pytest.approx(value, rel=rel, abs=1e-4), name
