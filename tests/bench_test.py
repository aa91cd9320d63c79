"""The benchmarks run; what they find is for people to judge."""

import itertools

import pytest
from open_faces_test import RECIPE, rows

from slider_jax import bench, open_faces


@pytest.mark.filterwarnings("ignore:resource_tracker")
def test_the_loader_is_measured_beside_decoding(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "TURNS", 1)
    monkeypatch.setattr(bench, "SECONDS", 0.01)
    open_faces.generate(tmp_path, RECIPE, rows)
    capsys.readouterr()
    bench.data(tmp_path)
    head, *rates = capsys.readouterr().out.splitlines()
    assert "train_unpaired: 8 px" in head and len(rates) == 5
    assert rates[0].endswith("1.00 of decoding")


def test_a_rate_is_the_median_of_the_turns(monkeypatch):
    clock = itertools.count(step=0.5)
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(bench.time, "sleep", lambda seconds: None)
    amounts = itertools.count()
    found = bench._turns(dict(slow=lambda: 3, growing=lambda: next(amounts)))
    # One look at the clock before, one while working, one after: 1 s for one piece.
    assert found["slow"] == pytest.approx(3 / 1.5)
    assert found["growing"] == pytest.approx((8 + 2 * 9) / 1.5)
