"""The paper's tables on the open benchmark: runs in, a report out.

Test people of an open_faces set only. What was measured is kept under `parts`, by run
and protocol, and used again while weights, data, options and versions are the same.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from slider_jax import files, prepare, provenance, verify
from slider_jax.evaluate import (
    films,
    page,
    pictures,
    plots,
    protocols,
    rows,
    tables,
    testset,
    weights,
)
from slider_jax.evaluate.contenders import CEILING, FLOOR, Contender, batch_size, load
from slider_jax.evaluate.protocols import Plan
from slider_jax.evaluate.suite import PROTOCOLS, TABLES
from slider_jax.evaluate.testset import TestSet, open_test_set
from slider_jax.measures import people

SUITES = ("open_faces",)
VERSIONS = ("slider_jax", "jax", "numpy")
PAIRS, FAST = 200, 24
SLIDES = {False: 8, True: 2}  # faces for slides, in full and fast


def evaluate(
    runs: Sequence[str],
    out: str | os.PathLike,
    *,
    suite: str = "open_faces",
    data: str | os.PathLike | None = None,
    pairs: int = PAIRS,
    fast: bool = False,
    seed: int = 0,
    fetch: bool = False,
    features: str = weights.FEATURES,
    judges: weights.Judges | None = None,
) -> dict[str, Any]:
    """Writes index.html, report.md and report.json into `out`; returns the last.

    `runs` are folders of runs, model files, or "default"; `data` is the tiny set if not
    given. `judges` are those of `weights.load`; `fetch` gets those not here yet, and
    `features`, "inception:FILE" for one, is the network under FID and KID.
    """
    out = pathlib.Path(out)
    check(out, suite=suite, pairs=pairs, seed=seed, features=features)
    test = open_test_set(data or prepare.TINY)
    contenders = [FLOOR, *load(runs), CEILING]
    judges = judges or weights.load(fetch_all=fetch, features=features)
    count = min(pairs, FAST) if fast else pairs
    plan = Plan(count, SLIDES[fast], batch_size(), seed)
    for part in ("parts", "pictures"):  # before hours of work
        files.be_folder(out / part)
    started = time.perf_counter()
    parts = _measure_all(out / "parts", test, contenders, judges, plan)
    real = _real_pairs(out / "parts", test, judges, plan)
    _verify(parts["transfer"], real)
    found = [
        tables.fill(
            table,
            rows.rows(contenders, parts[table.part]),
            judges.here,
            seed,
            features=judges.network,
        )
        for table in TABLES
        if parts[table.part] or table.part != "speak"
    ]
    drawn = pictures.draw(test, contenders, parts, plan)
    drawn += plots.draw(contenders, found)
    report = dict(
        title="slider_jax on open_faces",
        suite=suite,
        made=provenance.facts()
        | dict(when=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        data=_about(test),
        options=dataclasses.asdict(plan) | dict(fast=fast),
        seconds=round(time.perf_counter() - started, 1),
        real_pairs=real,
        notes=_notes(test, contenders, parts, plan),
        runs=[
            dict(name=c.name, id=c.id, about=c.about)
            for c in contenders
            if c.role == "run"
        ],
        tables=found,
        pictures=[
            dict(title=d.title, caption=d.caption, file=d.file, table=d.table)
            for d in drawn
        ],
    )
    report = plain(report)
    page.write(out, report, drawn)
    return report


def check(
    out: pathlib.Path, *, suite: str, pairs: int, seed: int, features: str
) -> None:
    """Refuses options of `evaluate` that cannot work, before anything else is done."""
    if suite not in SUITES:
        raise ValueError(f"Unknown suite {suite!r}; choose from {SUITES}.")
    if pairs < 2:
        raise ValueError(f"--pairs={pairs} is too few: 2 or more.")
    if seed < 0:
        raise ValueError(f"--seed={seed} is below 0.")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: --out names the folder of the report.")
    ours = {*page.FILES, "parts", "pictures"}
    if out.is_dir() and (others := {p.name for p in out.iterdir()} - ours):
        raise ValueError(
            f"{out} holds other files ({min(others)}); choose an empty folder, or that "
            "of an earlier report."
        )
    weights.file_of(features)


def _measure_all(folder, test, contenders, judges, plan):
    """Parts by protocol and name; those that were measured before are read."""
    speaking = any(c.speaks for c in contenders) and films.is_possible(test.folder)
    jobs = [
        (name, contender)
        for name, protocol in PROTOCOLS.items()
        for contender in contenders
        if contender.role in protocol.roles
        and contender.labels in protocol.labels
        and (contender.read or not protocol.reads)
        and (protocol.needs is None or protocol.needs in judges.here)
        and (name != "speak" or speaking)
    ]
    total = sum(PROTOCOLS[name].steps(plan) for name, _ in jobs)
    parts: dict[str, dict[str, Any]] = {name: {} for name in PROTOCOLS}
    with tqdm(total=total, unit="batch", mininterval=1) as bar:
        for name, contender in jobs:
            bar.set_description(f"{name}, {contender.name}")
            end = bar.n + PROTOCOLS[name].steps(plan)
            run = lambda name=name, contender=contender: PROTOCOLS[name].run(
                test, contender, judges, plan, bar.update
            )
            key = dict(
                protocol=name,
                version=PROTOCOLS[name].version,
                contender=contender.id,
                **_circumstances(test, judges, plan),
            )
            parts[name][contender.name] = _kept(
                folder, f"{name}-{key_id(key)}", key, run
            )
            bar.update(end - bar.n)
    return parts


def _circumstances(test, judges, plan):
    versions = {name: importlib.metadata.version(name) for name in VERSIONS}
    options = {k: v for k, v in dataclasses.asdict(plan).items() if k != "batch"}
    seen_by = dict(judges=judges.here, network=judges.network)
    return dict(data=test.hash, **seen_by, versions=versions, **options)


def key_id(key: dict[str, Any]) -> str:
    """Of all that decides a part."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def _kept(
    folder: pathlib.Path, name: str, key: dict, run: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The part in that file, or what `run` gives, which is then written there."""
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text())
        if content["key"] == key:
            return _arrays(content["part"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there yet, or cut short
    part = plain(run())
    with files.whole(path) as scratch:
        scratch.write_text(json.dumps(dict(key=key, part=part)) + "\n")
    return _arrays(part)


def _arrays(part):
    """None, which JSON can hold, is NaN again."""
    values = {k: np.array(v, float) for k, v in part.get("values", {}).items()}
    sums = {
        key: found | dict(values=np.array(found["values"], float))
        for key, found in part.get("sums", {}).items()
    }
    names = {k: np.array(part.get(k, []), int) for k in ("people", "who")}
    return part | dict(values=values, sums=sums, **names)


def plain(tree: Any) -> Any:
    """What JSON can hold: lists, and None for what is no number."""
    if isinstance(tree, dict):
        return {str(key): plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value) for value in tree]
    if isinstance(tree, np.ndarray | np.generic):
        return plain(tree.tolist())
    if isinstance(tree, float) and not np.isfinite(tree):
        return None
    return tree


def _real_pairs(folder, test, judges, plan):
    """Threshold and accuracy on true faces, as many pairs of one kind as of the other.

    None where there is no judge, or where nobody is in two sessions.
    """
    if judges.identity is None:
        return None
    key = dict(protocol="real", version=1, **_circumstances(test, judges, plan))

    def run():
        found = protocols.real_pairs(test, judges, plan, lambda: None)
        same, different = verify.pairs(**found)
        count = min(len(same), len(different))
        if not count:
            return dict(numbers=None)
        rng = np.random.default_rng([plan.seed, 4])
        equal = (rng.permutation(scores)[:count] for scores in (same, different))
        threshold = people.best_threshold(*equal)
        return dict(numbers=threshold._asdict() | dict(pairs=count))

    return _kept(folder, f"real-{key_id(key)}", key, run)["numbers"]


def _verify(parts, real):
    for part in parts.values():
        if real is not None and "identity" in part["values"]:
            scores = part["values"]["identity"]
            part["values"]["verified"] = (scores >= real["value"]).astype(float)


def _about(test: TestSet) -> dict[str, Any]:
    return dict(
        folder=str(test.folder.name),
        sha256=test.hash,
        size=test.size,
        people=test.people,
        pairs_faces=len(test.paired),
        single_faces=len(test.single) if test.single else 0,
    )


def _notes(
    test: TestSet, contenders: Sequence[Contender], parts: dict, plan: Plan
) -> list[str]:
    notes = []
    for contender in contenders:
        size = contender.about.get("model", {}).get("size", test.size)
        if size != test.size:
            notes.append(
                f"{contender.name} edits at {size} pixels: what it changes was laid "
                f"over pictures of {test.size}."
            )
        trained = contender.about.get("data_sha256")
        config = contender.about.get("config") or {}
        trained = trained or config.get("data_sha256")
        if contender.role == "run" and trained not in (None, test.hash):
            notes.append(
                f"{contender.name} was trained on another set; people of this one are "
                "new to it, and so may be its cameras and light."
            )
    measured = parts["transfer"][CEILING.name]["people"]
    if weak := tables.weak_test(len(np.unique(measured))):
        notes.append(weak)
    held = len(testset.pairs(test.paired, seed=plan.seed))
    if held < plan.pairs:
        notes.append(
            f"{plan.pairs} pairs were asked for; {test.folder.name} holds {held} of "
            "test people, and all of those were measured."
        )
    if not any(c.speaks for c in contenders if c.role == "run"):
        notes.append(
            "Expression and speech (Table 3): not measured, no run has speech."
        )
    return notes
