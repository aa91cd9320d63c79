"""The paper's protocols: a contender and test people in, numbers out.

Each goes through its faces in batches and keeps numbers only. A part, what it returns,
is plain enough for JSON: `people` and `values`, a number for every example by measure;
NaN is a measure that is not defined there. What is no mean over examples, such as a
correlation, is made of `sums`: of each of `who`, by channel.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax import Array

from slider_jax.batch import to_bytes
from slider_jax.evaluate import reader
from slider_jax.evaluate.contenders import Contender
from slider_jax.evaluate.testset import Faces, TestSet, Wanted, pairs
from slider_jax.evaluate.weights import Judges
from slider_jax.face.expressions import KINDS
from slider_jax.face.sliders import EMOTIONS
from slider_jax.judges.expressions import CLASSES
from slider_jax.judges.points import poses
from slider_jax.measures import (
    distributions,
    ied,
    landmarks,
    parameters,
    pixels,
    recognition,
)
from slider_jax.measures.people import cosine

Part = dict[str, Any]
Tick = Callable[[], object]  # once a batch
KID_PICTURES = 2000  # its kernel looks at all pairs of them
GROUPS = 10  # of test people: FID and KID are computed without each of them, too
LESSONS = 10  # true faces for each pair, to fit the reader of action units


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much: of pairs, of faces for slides, and in batches of how many."""

    pairs: int
    slides: int
    batch: int
    seed: int


def batches(count: int, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Places, and how many of them count: the last batch is filled up."""
    for first in range(0, count, size):
        yield (
            np.arange(first, first + size).clip(max=count - 1),
            min(size, count - first),
        )


def transfer(
    test: TestSet, contender: Contender, judges: Judges, plan: Plan, tick: Tick
) -> Part:
    """Tables 1 and EGGAN's 2: another expression of the same person and session."""
    count = LESSONS * plan.pairs
    sight = lambda images: judges.points(to_bytes(images))
    read = judges.points and reader.fit(test.paired, sight, count=count, seed=plan.seed)
    return _transfer(test, contender.answer, judges, plan, tick, read)


def reenact(
    test: TestSet, contender: Contender, judges: Judges, plan: Plan, tick: Tick
) -> Part:
    """Table 1 as its Sec. 5.4 does it: parameters read from the target by D."""
    few = Judges(points=judges.points)
    told = lambda images, wanted: contender.told(images, contender.read(wanted.truth))
    return _transfer(test, told, few, plan, tick)


def _transfer(test, answer, judges, plan, tick, read=None):
    chosen = pairs(test.paired, seed=plan.seed)[: plan.pairs]
    people = test.paired.table["identity"][chosen[:, 1]]
    collect, sums, clouds = _Values(), reader.Sums(people), _Clouds(people)
    points = lambda images: judges.points(to_bytes(images))
    for places, count in batches(len(chosen), plan.batch):
        inputs, targets = chosen[places].T
        images, wanted = test.paired.images(inputs), test.paired.wanted(targets)
        background = test.paired.background(inputs) & test.paired.background(targets)
        edits = answer(images, wanted)
        found = dict(pixel_measures(edits, wanted.truth, images, background))
        if judges.lpips:
            found["lpips"] = judges.lpips(edits, wanted.truth)
        if judges.points:
            seen = points(edits)
            true = test.paired.judged("points", points, targets)
            found["landmarks"] = landmarks.landmark_error(seen, true)
            found["pose"] = parameters.pose_error(poses(true), poses(seen))
        if read:
            said, asked = (
                read(seen[:count], targets[:count]),
                reader.worn(test.paired, targets[:count]),
            )
            for (key, names), wanted in zip(reader.NAMES.items(), asked, strict=True):
                sums(key, names, wanted, said[key], people[places[:count]])
        if judges.identity:
            before = test.paired.judged("identity", judges.identity, inputs)
            found["identity"] = cosine(before, np.asarray(judges.identity(edits)))
        collect(found, count)
        if judges.features:
            # Edits of half the pairs, truths of the others: no face is its own rival.
            half = places[:count] % 2 == 0
            true = test.paired.judged("features", judges.features, targets)
            fake = np.asarray(judges.features(edits))[:count]
            clouds("fake", fake[half], people[places[:count]][half])
            clouds("true", true[:count][~half], people[places[:count]][~half])
        tick()
    part = collect.part(people) | dict(who=sums.people, sums=sums.found)
    return part | clouds.distances() | dict(pairs=chosen.tolist())


_ied = jax.jit(ied.ied)


@jax.jit
def pixel_measures(
    edit: Array, truth: Array, source: Array, background: Array
) -> dict[str, Array]:
    """Of floats [b h w 3] and a mask [b h w]: every measure's [b]."""
    named = ("mae", "rmse", "mse", "psnr", "ssim", "ms_ssim")
    found = {name: getattr(pixels, name)(edit, truth) for name in named}
    found["ied"] = ied.ied(edit, truth)
    return found | {"background": pixels.background_change(edit, source, background)}


def recognise(
    test: TestSet, contender: Contender, judges: Judges, plan: Plan, tick: Tick
) -> Part:
    """Table 2: does a recogniser see the expression that was asked for?

    Inputs and targets are those of `transfer`, where the target wears one of the seven.
    """
    chosen = pairs(test.paired, seed=plan.seed)
    kinds = test.paired.table["kind"]
    chosen = chosen[kinds[chosen[:, 1]] < len(EMOTIONS)][: plan.pairs]
    if not len(chosen):
        return dict(people=chosen[:, 0], values={})  # a small set may have none
    collect, probabilities = _Values(), []
    for places, count in batches(len(chosen), plan.batch):
        inputs, targets = chosen[places].T
        images, wanted = test.paired.images(inputs), test.paired.wanted(targets)
        edits = contender.answer(images, wanted)
        probabilities.append(np.asarray(judges.expressions(edits))[:count])
        found = dict(ied=_ied(edits, wanted.truth))
        if judges.identity:
            before = test.paired.judged("identity", judges.identity, inputs)
            found["identity"] = cosine(before, np.asarray(judges.identity(edits)))
        collect(found, count)
        tick()
    people = test.paired.table["identity"][chosen[:, 1]]
    who = np.unique(people)
    asked = np.array([CLASSES.index(KINDS[k]) for k in kinds[chosen[:, 1]]], int)
    seen = np.concatenate(probabilities)
    counts = np.stack(
        [recognition.confusion(seen[people == p], asked[people == p]) for p in who]
    )
    sums = dict(recognised=dict(names=list(CLASSES), values=counts))
    return collect.part(people) | dict(who=who, sums=sums)


def parameter_errors(
    test: TestSet, contender: Contender, judges: Judges, plan: Plan, tick: Tick
) -> Part:
    """Table 4: D's reading of true faces, and of edits towards strangers' faces.

    `unedited` is the second where nothing is edited.
    """
    rows = [
        (f, i) for f in (test.paired, test.single) if f for i in _true(f, contender)
    ]
    rng = np.random.default_rng([plan.seed, 2])
    chosen = rng.permutation(len(rows))[: plan.pairs]
    others = rng.permutation(len(rows))[: plan.pairs]
    people = np.array([rows[k][0].table["identity"][rows[k][1]] for k in chosen])
    collect, sums = _Values(), reader.Sums(people)
    names = reader.channels(contender.labels, speech=contender.speaks)
    for places, count in batches(len(chosen), plan.batch):
        own, other = (_gather([rows[k] for k in x[places]]) for x in (chosen, others))
        images, truth = own.truth, contender.condition(own)
        asked = contender.condition(other)
        edits = contender.answer(images, dataclasses.replace(other, truth=None))
        read, again = contender.read(images), contender.read(edits)
        found = dict(
            reading=parameters.relative_error(truth, read),
            consistency=parameters.relative_error(asked, again),
            unedited=parameters.relative_error(asked, read),
        )
        collect(found, count)
        sums("own", names, asked[:count], again[:count], people[places[:count]])
        tick()
    return collect.part(people) | dict(who=sums.people, sums=sums.found)


def _true(faces, contender):
    """Rows with an expression, of which the contender's parameters say all."""
    table = faces.table
    moves = np.abs(table["expression"]).max(axis=1) > 0
    return np.flatnonzero(moves & (contender.speaks | ~table["speech"].any(axis=1)))


def _gather(rows: list[tuple[Faces, int]]) -> Wanted:
    each = [faces.wanted(np.array([i])) for faces, i in rows]
    names = [field.name for field in dataclasses.fields(Wanted)]
    return Wanted(*(np.concatenate([getattr(w, n) for w in each]) for n in names))


def real_pairs(
    test: TestSet, judges: Judges, plan: Plan, tick: Tick
) -> dict[str, np.ndarray]:
    """Embeddings of true faces, with who and in which session: for the threshold."""
    found, who, session = [], [], []
    for faces in (test.paired, test.single):
        if faces is None:
            continue
        order = np.random.default_rng([plan.seed, 3]).permutation(len(faces))
        rows = order[: plan.pairs]
        for places, count in batches(len(rows), plan.batch):
            seen = faces.judged("identity", judges.identity, rows[places])
            found.append(seen[:count])
            tick()
        who.append(faces.table["identity"][rows])
        session.append(faces.table["session"][rows])
    return dict(
        embedding=np.concatenate(found),
        person=np.concatenate(who),
        session=np.concatenate(session),
    )


class _Values:
    """Numbers of every example, batch after batch."""

    def __init__(self):
        self.found = {}

    def __call__(self, some, count):
        for name, values in some.items():
            values = np.asarray(values, np.float64)[:count]
            self.found.setdefault(name, []).append(values)

    def part(self, people):
        values = {name: np.concatenate(v) for name, v in self.found.items()}
        return dict(people=people, values=values)


class _Clouds:
    """Features of two sets, by groups of people: moments, and the first ones."""

    def __init__(self, people):
        who = np.unique(people)
        # Alike to within one, and far fewer than people, or no group tells of another.
        self.count = min(GROUPS, len(who) // 3)
        self.group_of = {p: i % max(self.count, 1) for i, p in enumerate(who)}
        self.moments, self.kept, self.kept_of = {}, {}, {}

    def __call__(self, which, features, people):
        groups = np.array([self.group_of[p] for p in people], int)
        for group in np.unique(groups):
            new = distributions.Moments.of(features[groups == group])
            there = self.moments.setdefault(which, {})
            there[group] = there[group] + new if group in there else new
        room = KID_PICTURES - sum(map(len, self.kept.setdefault(which, [])))
        self.kept[which].append(features[: max(room, 0)])
        self.kept_of.setdefault(which, []).append(groups[: max(room, 0)])

    def distances(self):
        """Of everybody, and of everybody but one group."""
        numbers = self._without(None)
        if numbers is None:
            return {}
        without = [self._without(group) for group in range(self.count)]
        if len(without) < 3 or None in without:
            return dict(numbers=numbers)
        each = {name: [one[name] for one in without] for name in numbers}
        return dict(numbers=numbers, without=each)

    def _without(self, left_out):
        moments, first = [], []
        for which in ("fake", "true"):
            groups = self.moments.get(which, {})
            some = [one for group, one in groups.items() if group != left_out]
            if sum(one.count for one in some) < 2:
                return None
            moments.append(functools.reduce(operator.add, some))
            keep = np.concatenate(self.kept_of[which]) != left_out
            first.append(np.concatenate(self.kept[which])[keep])
        if min(map(len, first)) < 2:
            return None
        return dict(
            fid=distributions.frechet_distance(*moments),
            kid=distributions.kernel_distance(*first),
        )
