"""The report: right at both ends, the same on every page, and never of training people.

Judges are stand-ins, runs are tiny, the test people those of the tiny set.
"""

import dataclasses
import json
import re

import jax
import numpy as np
import pytest
import small_editor
from open_faces_test import RECIPE
from open_faces_test import rows as drawn

from slider_jax import data, evaluate, model_file, open_faces
from slider_jax.batch import to_float
from slider_jax.evaluate import (
    contenders,
    films,
    page,
    protocols,
    rows,
    slides,
    testset,
    weights,
)
from slider_jax.evaluate.contenders import CEILING, FLOOR
from slider_jax.face.expressions import KINDS
from slider_jax.identity_weights import reference_landmarks
from slider_jax.licences import FOLDER
from slider_jax.measures import distributions, ied, people

TINY = FOLDER / "tiny"
PLAN = protocols.Plan(pairs=10, slides=2, batch=4, seed=0)
FIELDS = dict(size=64, parameters=30)
nothing = lambda *_: None


def thumbnail(images):
    return np.asarray(images)[:, ::8, ::8].reshape(len(images), -1)


def points(images):
    """Where they belong in every face, and a little aside by what is in the picture."""
    aside = images.reshape(len(images), -1)[:, -68 * 2 :].reshape(-1, 68, 2) / 255.0
    return 64 * reference_landmarks() + aside


JUDGES = weights.Judges(
    lpips=lambda a, b: np.abs(a - b).mean(axis=(1, 2, 3)),
    features=lambda x: thumbnail(x)[:, :5],
    identity=lambda x: thumbnail(x) - thumbnail(x).mean(axis=1, keepdims=True),
    expressions=lambda x: thumbnail(x)[:, :7],
    points=points,
)


@pytest.fixture(scope="module")
def test_set():
    return testset.open_test_set(TINY)


@pytest.fixture(scope="module")
def run():
    return contenders.contender("a run", small_editor.model(fields=FIELDS))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two models of one shape, as files."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("one", "two")):
        model = small_editor.model(seed=seed, fields=FIELDS)
        model_file.save_model(folder / f"{name}.npz", model)
    return [str(folder / "one.npz"), str(folder / "two.npz")]


@pytest.fixture(scope="module")
def report(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    return evaluate.evaluate(files[:1], out, pairs=10, fast=True, judges=JUDGES), out


def transfer(test_set, contender, plan=PLAN):
    return protocols.transfer(test_set, contender, JUDGES, plan, nothing)


def test_floor_and_ceiling_are_what_they_say(test_set):
    floor, ceiling = (transfer(test_set, c)["values"] for c in (FLOOR, CEILING))
    chosen = np.array(transfer(test_set, FLOOR)["pairs"])
    a, b = (to_float(test_set.paired.pictures[chosen[:, i]]) for i in (0, 1))
    np.testing.assert_allclose(
        floor["ied"], ied.ied(*jax.numpy.array([a, b])), rtol=1e-5
    )
    assert floor["ied"].min() > 0 and floor["background"].max() == 0
    np.testing.assert_allclose(floor["identity"], 1, atol=1e-5)
    for name in ("ied", "mae", "lpips", "landmarks"):
        assert ceiling[name].max() == 0, name
    np.testing.assert_allclose(ceiling["ssim"], 1, atol=1e-5)
    assert ceiling["psnr"].min() == 100


def test_pairs_are_of_one_test_person_and_session(test_set):
    table = test_set.paired.table
    chosen = testset.pairs(test_set.paired, seed=0)
    assert len(np.unique(chosen, axis=0)) == len(chosen) == 40 * 4 * 3
    for name in ("identity", "session"):
        np.testing.assert_array_equal(*table[name][chosen.T])
    assert (chosen[:, 0] != chosen[:, 1]).all()
    for faces in (test_set.paired, test_set.single):
        assert all(open_faces.is_test(int(i)) for i in faces.table["identity"])


def test_people_who_train_are_refused(tmp_path, monkeypatch):
    open_faces.generate(tmp_path, RECIPE, drawn)
    columns = data.Faces.columns

    def wrong(faces, names):
        found = columns(faces, names)
        return found | dict(identity=found["identity"] - 1)

    monkeypatch.setattr(data.Faces, "columns", wrong)
    with pytest.raises(ValueError, match="person 4, who is for training"):
        testset.open_test_set(tmp_path)


@pytest.mark.parametrize("name", ["transfer", "reenact", "recognise"])
def test_batches_of_any_size_give_the_same_numbers(test_set, run, name):
    plans = (dataclasses.replace(PLAN, batch=size) for size in (3, 10))
    of = getattr(protocols, name)
    few, whole = (of(test_set, run, JUDGES, plan, nothing) for plan in plans)
    for measure, values in whole["values"].items():
        assert len(values) == 10
        np.testing.assert_allclose(
            few["values"][measure], values, rtol=1e-3, atol=1e-5, err_msg=measure
        )
    for measure, value in whole.get("numbers", {}).items():
        np.testing.assert_allclose(few["numbers"][measure], value, rtol=1e-3)


def test_fid_and_kid_are_computed_without_each_group_of_people():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(12), 6) * 7
    fake, true = rng.normal(size=(2, 72, 3)) + [[[0.5]], [[0]]]
    clouds = protocols._Clouds(people)
    for some in np.split(np.arange(72), [5, 30, 31]):
        clouds("fake", fake[some], people[some])
        clouds("true", true[some], people[some])
    found = clouds.distances()
    here = [np.ones(72, bool)] + [people // 7 % 4 != group for group in range(4)]
    frechet, kernel = distributions.frechet_distance, distributions.kernel_distance
    moments = distributions.Moments.of
    fid = [frechet(moments(fake[some]), moments(true[some])) for some in here]
    kid = [kernel(fake[some], true[some]) for some in here]
    for name, each in dict(fid=fid, kid=kid).items():
        np.testing.assert_allclose(found["numbers"][name], each[0])
        np.testing.assert_allclose(found["without"][name], each[1:])
    row = rows.Row("x", "run", "", [found | dict(who=np.unique(people), values={})])
    cell = row.cell("fid", 0)
    assert cell["low"] < fid[0] < cell["high"] and cell["over"] == "people"


def test_the_average_is_that_of_the_classes(test_set):
    plan = dataclasses.replace(PLAN, pairs=60)
    part = evaluate._arrays(
        evaluate.plain(protocols.recognise(test_set, FLOOR, JUDGES, plan, nothing))
    )
    row = rows.Row("x", "run", "", [part])
    names = part["sums"]["recognised"]["names"]
    each = [row.cell(f"recognised:{name}", 0) for name in names]
    found = row.cell("recognised:average", 0)
    np.testing.assert_allclose(found["mean"], np.mean([c["mean"] for c in each if c]))
    assert found["low"] < found["mean"] < found["high"]
    inputs = testset.pairs(test_set.paired, seed=0)
    kinds = test_set.paired.table["kind"]
    inputs, targets = inputs[kinds[inputs[:, 1]] < 7][:60].T
    seen = JUDGES.expressions(test_set.paired.images(inputs)).argmax(axis=1)
    asked = [names.index(KINDS[kind]) for kind in kinds[targets]]
    counts = part["sums"]["recognised"]["values"].sum(axis=0)
    assert counts.sum() == 60 and np.trace(counts) == (seen == asked).sum()


def test_films_are_compared_frame_by_frame(test_set, monkeypatch):
    """A run without speech is told of the same film by expressions alone."""
    frames = test_set.paired.wanted(np.arange(1, 5))
    mute = dataclasses.replace(frames, speech=np.full((4, 10), 7.0))
    film = films.Film(test_set.paired.images(np.array([0]))[0], frames, mute)
    monkeypatch.setattr(films, "film", lambda *_: film)
    of = lambda contender: slides.speak(test_set, contender, JUDGES, PLAN, nothing)
    assert of(CEILING)["values"]["ied"].max() == 0
    assert of(CEILING)["values"]["pose"].max() == 0
    seen = JUDGES.identity(frames.truth)
    photo = JUDGES.identity(film.rest[None])[0]
    for contender, shown in ((CEILING, seen), (FLOOR, photo[None].repeat(4, 0))):
        found = of(contender)["values"]
        np.testing.assert_allclose(found["acd"][0], people.content_distance(shown))
        distance = people.content_distance_to(shown, photo)
        np.testing.assert_allclose(found["acd_i"][0], distance)
    floor = of(FLOOR)["values"]["ied"]
    rest = np.repeat(film.rest[None], 4, axis=0)
    truth = ied.ied(*jax.numpy.array([rest, frames.truth])).mean()
    np.testing.assert_allclose(floor, [truth] * PLAN.slides, rtol=1e-5)
    told = []
    keep = lambda wanted: told.append(wanted.speech.max()) or wanted.truth
    for speaks in (False, True):
        of(dataclasses.replace(CEILING, condition=keep, speaks=speaks))
    assert told == [7, 7, 0, 0]


def test_a_film_shows_the_person_of_the_set(test_set, monkeypatch):
    seen = []

    def rows(self, identity, session, takes):
        rng = np.random.default_rng(0)
        drawn = [self.draw_expression(rng, alone=False) for _ in range(takes)]
        seen.append((identity, session, self.seed, self.size, drawn))
        blank = np.zeros((64, 64, 3), np.uint8)
        return iter([dict(image=blank + i) for i in range(takes)])

    monkeypatch.setattr(films.Renderer, "rows", rows)
    film = films.film.__wrapped__(TINY, 11, 0, 3)
    identity, session, seed, size, drawn = seen[0]
    assert (identity, session, seed, size) == (11, 0, 0, 64)
    assert len(film.asked) == len(drawn) - 1 == films.FRAMES - 1
    np.testing.assert_array_equal(film.asked.speech, [d[1] for d in drawn[1:]])
    np.testing.assert_array_equal(film.asked.expression, [d[0] for d in drawn[1:]])
    assert np.ptp(film.asked.speech, axis=0).max() > 0.3 and not film.mute.speech.any()
    assert np.ptp(film.mute.expression, axis=0).max() > 0.3
    assert (film.rest == -1).all() and film.asked.truth.min() > -1


def perfect():
    """Carries its condition in the picture's first numbers, where it reads it again."""

    def edit(image, condition):
        b, k = condition.shape
        flat = image.reshape(b, -1).copy()
        flat[:, :k] = condition
        return flat.reshape(image.shape)

    return contenders.Contender(
        "perfect",
        "perfect",
        edit,
        lambda wanted: wanted.expression,
        lambda image: image.reshape(len(image), -1)[:, :30],
    )


def test_who_does_as_it_is_told_is_consistent_and_moves_one_thing(test_set):
    part = protocols.parameter_errors(test_set, perfect(), JUDGES, PLAN, nothing)
    assert part["values"]["consistency"].max() < 0.05  # bytes
    assert part["values"]["unedited"].min() > 0.5
    part = slides.disentangle(test_set, perfect(), JUDGES, PLAN, nothing)
    np.testing.assert_allclose(part["matrix"], np.eye(30), atol=0.02)
    assert part["values"]["selectivity"].min() > 0.99


def test_systems_are_told_in_the_language_that_they_learnt():
    """Action units from sliders, classes from kinds; and classes only where they do."""
    wanted = testset.Wanted(
        np.ones((2, 30)), np.zeros((2, 10)), np.ones((2, 52)), np.array([1, 3])
    )
    told = {}
    for labels, count in (("action_units", 17), ("classes", 7)):
        model = small_editor.model(
            parameters=count, fields=FIELDS | dict(parameters=count)
        )
        model.card["trained"] = {"data": {"labels": labels}}
        contender = contenders.contender(labels, model)
        told[labels] = contender.condition(wanted)
        assert contender.labels == labels
    assert told["action_units"].shape == (2, 17)
    np.testing.assert_array_equal(told["classes"].argmax(axis=1), [1, 3])
    where = [n for n, p in evaluate.PROTOCOLS.items() if "classes" in p.labels]
    assert where == ["recognise"]


def cells(report):
    """In the order in which they are printed."""
    lines = []
    for table in report["tables"]:
        some = [row["cells"] for row in table["rows"]]
        if table["down"]:  # two measures of every channel
            half = len(table["columns"]) // 2
            some = [
                c for i in range(half) for row in some for c in (row[i], row[half + i])
            ]
            some = [some]
        lines += some
    return [cell["text"] for line in lines for cell in line if cell is not None]


def test_json_markdown_and_html_say_the_same(report):
    found, out = report
    texts = cells(json.loads((out / "report.json").read_text()))
    assert len(texts) > 40 and texts == cells(found)
    lines = (out / "report.md").read_text().split("## Pictures")[0].splitlines()
    paper = [line for line in lines if re.match(r"\| .*\d\.\d", line)]
    said = [c.strip().strip("*") for line in paper for c in line.split("|")[2:-1]]
    said = [c for c in said if c != page.NOTHING and not re.fullmatch(r"\d\.\d{3}", c)]
    mine = [c for c in texts if not re.fullmatch(r"\d\.\d{3}", c)]
    assert said == mine
    html = (out / "index.html").read_text()
    shown = re.findall(r"<td(?: class=\"[a-z ]+\")?>(-?\d[^<]*)(.*?)</td>", html)
    shown = [a.strip() + re.sub("</?small>", "", b).rstrip() for a, b in shown]
    shown = [re.sub(r"^(\S+?)(\[|±|≈)", r"\1 \2", text) for text in shown]
    assert [c for c in shown if not re.fullmatch(r"\d\.\d{3}", c)] == mine
    assert not re.findall(r'(?:src|href)="(?!data:)', html)


def test_pictures_are_chosen_by_rule_and_lie_beside_the_page(report):
    found, out = report
    named = [picture["file"] for picture in found["pictures"]]
    assert named[0] == "random.png" and len(named) == 1 + 3 + 3
    beside = {p["table"] for p in found["pictures"] if p["file"].endswith(".svg")}
    assert beside == {"transfer", "expressions", "units"}
    assert {p.name for p in (out / "pictures").iterdir()} == set(named)
    assert {p.name for p in out.iterdir()} == {*page.FILES, "parts", "pictures"}


def test_a_second_evaluation_measures_only_what_is_missing(report, files, monkeypatch):
    found, out = report
    gone = next((out / "parts").glob("transfer-*"))
    gone.write_text(gone.read_text()[:50])  # cut short
    asked = []
    real = protocols._transfer
    monkeypatch.setattr(protocols, "_transfer", lambda *a: asked.append(1) or real(*a))
    again = evaluate.evaluate(files[:1], out, pairs=10, fast=True, judges=JUDGES)
    assert len(asked) == 1 and cells(again) == cells(found)


def test_other_data_pairs_or_judges_are_other_parts(test_set):
    here = evaluate._circumstances(test_set, JUDGES, PLAN)
    few = dataclasses.replace(JUDGES, lpips=None)
    others = [
        evaluate._circumstances(dataclasses.replace(test_set, hash="x"), JUDGES, PLAN),
        evaluate._circumstances(test_set, few, PLAN),
        evaluate._circumstances(test_set, JUDGES, dataclasses.replace(PLAN, pairs=9)),
    ]
    inception = dataclasses.replace(JUDGES, network="Inception v3, 0123")
    others.append(evaluate._circumstances(test_set, inception, PLAN))
    ids = {evaluate.key_id(each) for each in (here, *others)}
    batch = dataclasses.replace(PLAN, batch=9)
    assert len(ids) == 5 and evaluate._circumstances(test_set, JUDGES, batch) == here


def test_real_pairs_set_the_threshold(report):
    found, _ = report
    assert 0.5 <= found["real_pairs"]["accuracy"] <= 1
    parts = {"x": dict(values={"identity": np.array([0.2, 0.9])})}
    evaluate._verify(parts, dict(value=0.5))
    np.testing.assert_array_equal(parts["x"]["values"]["verified"], [0, 1])
    assert people.Threshold(0.5, 1.0)._asdict().keys() <= found["real_pairs"].keys()


def test_too_few_pairs_in_a_set_are_said(test_set):
    held = len(testset.pairs(test_set.paired, seed=0))
    many = dataclasses.replace(PLAN, pairs=held + 1)
    parts = dict(transfer={CEILING.name: dict(people=np.arange(9))})
    (said, _) = evaluate._notes(test_set, [], parts, many)
    assert said.startswith(f"{held + 1} pairs were asked for; tiny holds {held} ")
    assert len(evaluate._notes(test_set, [], parts, PLAN)) == 1


def test_a_run_folder_is_named_and_read(files, monkeypatch):
    found = contenders.load(files)
    assert [c.name for c in found] == ["one", "two"]
    assert found[0].id != found[1].id and found[0].group == found[0].id
    picture = jax.numpy.zeros((1, 64, 64, 3))
    assert found[0].read(picture).shape == (1, 30)


def test_runs_go_together_that_differ_in_their_seed_alone():
    model = small_editor.model()

    def group(seed, steps, rate=1e-3):
        made = dataclasses.replace(
            model, card=model.card | {"trained": {"steps": steps}}
        )
        config = {"seed": seed, "learning_rate": rate}
        return contenders.contender("x", made, config=config).group

    assert group(0, 10) == group(1, 10)
    others = group(0, 20), group(0, 10, rate=1e-4)
    assert len({group(0, 10), *others}) == 3
