"""From parts to tables: means and how sure they are, who is best, what is missing."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from slider_jax.evaluate import weights
from slider_jax.evaluate.paper import PAPER
from slider_jax.evaluate.rows import STATISTICS, Row
from slider_jax.measures import MEASURES, spread
from slider_jax.measures.table import FEATURES

SURE = 0.05  # of a difference: chance explains it in one of twenty
ARROWS = {"up": "↑", "down": "↓"}
# Measure or prefix: (factor, digits).
FORMATS = {
    **dict(
        ied=(1e3, 2),
        mae=(1e3, 2),
        rmse=(1e3, 2),
        mse=(1e3, 2),
        psnr=(1, 2),
        ssim=(1, 4),
        ms_ssim=(1, 4),
    ),
    **dict(lpips=(1, 4), landmarks=(1e2, 2), background=(1, 2), identity=(1, 3)),
    **dict(verified=(1e2, 1), recognised=(1e2, 1), fid=(1, 2), kid=(1e3, 2)),
    **dict(reading=(1, 3), consistency=(1, 3), unedited=(1, 3), selectivity=(1, 3)),
    **dict(smoothness=(1, 3), mouth=(1, 2), eyes=(1, 2), pose=(1, 2)),
    **dict(acd=(1, 3), acd_i=(1, 3), parameter_mse=(1e3, 1), parameter_pcc=(1, 3)),
    **dict(unit_mse=(1e3, 1), unit_pcc=(1, 3)),
    **dict(component_mse=(1e3, 1), component_pcc=(1, 3)),
}
FACTORS = {1: "", 1e2: "× 100", 1e3: "× 1000"}
JUDGE_OF = dict(
    lpips="lpips",
    fid="features",
    kid="features",
    identity="identity",
    verified="identity",
    acd="identity",
    acd_i="identity",
    recognised="expressions",
)


@dataclasses.dataclass(frozen=True)
class Table:
    """`columns` are keys of a part: the name of a measure, or name:what."""

    id: str
    part: str
    title: str
    caption: str
    columns: tuple[str, ...]
    against_floor: tuple[str, ...] = ()  # where doing nothing is no trivial answer
    down: bool = False  # many columns: they are printed as rows, those that have cells
    absent: str = "no run has a network that reads"  # why there may be no rows


def fill(
    table: Table,
    found: Sequence[Row],
    here: Sequence[str],
    seed: int,
    features: str = FEATURES,
) -> dict:
    """A table as plain data: what every page of the report prints.

    `features` is the network under FID and KID.
    """
    cells = {
        row.name: {name: row.cell(name, seed) for name in table.columns}
        for row in found
    }
    if table.down:
        found = [row for row in found if any(cells[row.name].values())]
        there = {
            _channel(n) for row in cells.values() for n, cell in row.items() if cell
        }
        some = tuple(n for n in table.columns if _channel(n) in there)
        table = dataclasses.replace(table, columns=some)
    runs = [row for row in found if row.role == "run"]
    for name in table.columns:
        _judge(name, runs, cells, seed)
    for some in cells.values():
        for name, cell in some.items():
            if cell is not None:
                cell["text"] = text(name, cell)
                cell["factor"] = FORMATS[_measure(name)][0]
    notes = _missing(table, here) + _beside_floor(table, found, cells, seed)
    paper = PAPER.get(table.id)
    return dict(
        id=table.id,
        title=table.title,
        caption=table.caption,
        down=table.down,
        absent=table.absent,
        columns=[_column(name, features) for name in table.columns],
        rows=[
            dict(
                name=row.name,
                role=row.role,
                cells=[cells[row.name][name] for name in table.columns],
            )
            for row in found
        ],
        notes=notes,
        paper=paper
        and dict(
            source=paper.source,
            base=paper.base,
            columns=list(paper.columns),
            rows={name: [f"{r:.3f}" for r in v] for name, v in paper.ratios().items()},
        ),
        ours=paper and _ratios(paper, runs, cells),
    )


def text(name: str, cell: dict[str, Any]) -> str:
    """A mean and its spread, as they are printed."""
    factor, digits = FORMATS[_measure(name)]
    number = lambda value: f"{value * factor:.{digits}f}"
    if cell["over"] == "people":
        spread_ = f" [{number(cell['low'])}, {number(cell['high'])}]"
    else:
        spread_ = f" ± {number(cell['std'])}" if cell["over"] == "seeds" else ""
    # Faces that the landmarker does not find again are no small matter.
    lost = name == "landmarks" and cell.get("count", 0) < cell.get("of", 0)
    found = f" ({cell['count']} of {cell['of']} found)" if lost else ""
    alike = " ≈" if cell.get("like_the_best") else ""
    return number(cell["mean"]) + spread_ + found + alike


def _ratios(paper, runs, cells):
    """Means of runs over those of the first GANimation among them, or None."""
    base = next((row for row in runs if row.system == "ganimation"), None)
    columns = [name for name in paper.ours if base and cells[base.name][name]]
    if len(runs) < 2 or not columns:
        return None

    def ratio(row, name):
        mine, theirs = cells[row.name][name], cells[base.name][name]
        return (
            f"{mine['mean'] / theirs['mean']:.3f}" if mine and theirs["mean"] else "–"
        )

    return dict(
        base=base.name,
        columns=[_column(name)["title"] for name in columns],
        rows={row.name: [ratio(row, name) for name in columns] for row in runs},
    )


def _measure(column):
    return column.partition(":")[0]


def _channel(column):
    return column.partition(":")[2]


def _column(name, features=FEATURES):
    base, _, part = name.partition(":")
    factor = FACTORS[FORMATS[base][0]]
    if base == "unedited":
        measure = dataclasses.replace(
            MEASURES["consistency"], title="Consistency, unedited"
        )
    else:
        measure = MEASURES[base]
    title = f"{measure.title}, {part}" if part else measure.title
    if base == "recognised" and part:
        title = part
    unit = "%" if base in ("verified", "recognised") else f"{measure.unit} {factor}"
    return dict(
        measure=name,
        title=title,
        name=measure.title,
        better=measure.better,
        arrow=ARROWS[measure.better],
        unit=unit.strip(),
        leans_on=features if measure.leans_on == FEATURES else measure.leans_on,
    )


def _judge(name, runs, cells, seed):
    """Marks the best run, those that it was not shown to be better than, and whether
    there are none of them."""
    having = [row for row in runs if cells[row.name][name] is not None]
    if len(having) < 2 or name == "unedited":
        return
    if _measure(name) in STATISTICS and len({row.channels(name) for row in having}) > 1:
        return  # they are told in two languages
    sign = 1 if _column(name)["better"] == "up" else -1
    means = {row.name: sign * cells[row.name][name]["mean"] for row in having}
    best = max(having, key=lambda row: means[row.name])
    for row in having:
        tied = means[row.name] == means[best.name]
        cells[row.name][name]["best"] = tied and len(set(means.values())) > 1
        p = None if row is best else _chance(best, row, name, seed)
        if p is not None and _can_tell(row):
            cells[row.name][name].update(p_best=p, like_the_best=p >= SURE)
    cells[best.name][name]["clear"] = all(
        cells[row.name][name].get("like_the_best") is False
        for row in having
        if row is not best
    )


def _chance(one, other, name, seed):
    """None where the two have no examples in common."""
    if _measure(name) in STATISTICS:
        pooled = one.sums(name), other.sums(name)
        if None in pooled or not np.array_equal(one.who, other.who):
            return None
        (a, statistic), (b, _) = pooled
        return spread.significance_of(a, b, statistic, seed=seed)
    a, b = one.values(name), other.values(name)
    people = [row.parts[0]["people"] for row in (one, other)]
    if a is None or b is None or not np.array_equal(*people):
        return None
    if not np.isfinite(a - b).any():
        return None
    return spread.significance(a, b, people[0], seed=seed)


def _missing(table, here):
    lacking: dict[str, list[str]] = {}
    for name in table.columns:
        judge = JUDGE_OF.get(_measure(name))
        if judge and judge not in here:
            title = MEASURES[_measure(name)].title
            some = lacking.setdefault(weights.missing(judge), [])
            some += [title] * (title not in some)
    return [f"{', '.join(some)}: {why}." for why, some in lacking.items()]


def _beside_floor(table, found, cells, seed):
    """In words: where a run is better than leaving the face alone, and where not."""
    floor = next((row for row in found if row.role == "floor"), None)
    if floor is None or not table.against_floor:
        return []
    notes = []
    for row in (row for row in found if row.role == "run" and _can_tell(row)):
        said: dict[str, list[str]] = {}
        for name in table.against_floor:
            mine, theirs = cells[row.name][name], cells[floor.name][name]
            if mine is None or theirs is None:
                continue
            p = _chance(row, floor, name, seed)
            mine["p_floor"] = p
            sign = 1 if _column(name)["better"] == "up" else -1
            ahead = sign * (mine["mean"] - theirs["mean"]) > 0
            if p is None or p >= SURE:
                verdict = "not told apart"
            else:
                verdict = "better" if ahead else "worse"
            number = "" if p is None else f" (p = {p:.2g})"
            said.setdefault(verdict, []).append(_column(name)["title"] + number)
        words = "; ".join(f"{how}: {', '.join(what)}" for how, what in said.items())
        if words:
            notes.append(f"{row.name} beside the unchanged input: {words}.")
    return notes


def least_chance(people: int) -> float:
    """Signs of n people can be flipped in 2^n ways; two are the most extreme."""
    return 2 / 2**people


def _can_tell(row):
    return least_chance(len(np.unique(row.parts[0]["people"]))) < SURE


def weak_test(people: int) -> str | None:
    """What to say where there are too few people for any difference to be shown."""
    least = least_chance(people)
    if least < SURE:
        return None
    needed = math.floor(math.log2(2 / SURE)) + 1
    return (
        f"With {people} test people no difference can be significant (p is never below "
        f"{least:.2g}), so none is marked: use a set of {6 * needed} people or more, "
        f"{needed} for testing."
    )
