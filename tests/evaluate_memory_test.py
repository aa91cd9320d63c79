"""Ten thousand pairs take no more memory than a thousand: pictures are not kept."""

import dataclasses
import resource

import numpy as np
import pytest
from evaluate_test import JUDGES, PLAN, TINY

from slider_jax.evaluate import protocols, testset
from slider_jax.evaluate.contenders import FLOOR


def peak(test, count):
    """MB that this process held at most, up to now."""
    plan = dataclasses.replace(PLAN, pairs=count, batch=50)
    part = protocols.transfer(test, FLOOR, JUDGES, plan, lambda: None)
    assert len(part["values"]["ied"]) == count
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.slow
def test_transfer_holds_numbers_only(monkeypatch):
    test = testset.open_test_set(TINY)
    some = testset.pairs(test.paired, seed=0)
    many = np.resize(some, (10_000, 2))  # the tiny set has 1680
    monkeypatch.setattr(protocols, "pairs", lambda faces, seed: many)
    few, all_ = peak(test, 1000), peak(test, 10_000)
    # Edits alone, kept, would be 442 MB.
    assert all_ - few < 25, (few, all_)
