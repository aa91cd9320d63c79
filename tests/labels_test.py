"""What a system is told of a face, by hand, and as the stream of batches says it."""

import itertools

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from open_faces_test import RECIPE, rows

from slider_jax import data, open_faces, prepare
from slider_jax.batch import to_float
from slider_jax.face import action_units, labels
from slider_jax.face.expressions import KINDS
from slider_jax.face.maps import load_maps
from slider_jax.face.sliders import ACTION_UNITS, EMOTIONS, LIMITS, MIRROR, vector

UNITS = action_units.UNITS
COMMON = dict(batch_size=4, n_critic=2, seed=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    assert open_faces.generate(folder, RECIPE, rows)
    return folder


def columns(folder, split, *names):
    return data.open_split(folder, split).columns(names)


def examples(n, folder, split="train_paired", **options):
    """What n steps show, as one batch."""
    steps = itertools.islice(data.stream(folder, split, **COMMON | options), n)
    flat = lambda *x: np.concatenate(x).reshape(-1, *x[0].shape[2:])
    return jax.tree.map(flat, *steps)


def read(**weights):
    return dict(
        zip(UNITS, action_units.intensities(vector(weights)).tolist(), strict=True)
    )


def test_the_units_are_the_seventeen_of_openface():
    numbers = "1 2 4 5 6 7 9 10 12 14 15 17 20 23 25 26 45".split()
    assert list(UNITS) == [f"AU{number}" for number in numbers]


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit in ACTION_UNITS])
def test_a_face_that_was_drawn_by_a_unit_shows_it(unit):
    """At least as much as any other unit, AU25 apart: where jaws drop, lips part."""
    found = read(**ACTION_UNITS[unit])
    assert found[unit] > 0.25
    rivals = [v for name, v in found.items() if name not in (unit, "AU25")]
    assert found[unit] >= max(rivals)


def test_intensities_are_parts_of_the_limit_and_means_of_the_sides():
    assert set(read().values()) == {0}
    both = read(mouthSmileLeft=0.8, mouthSmileRight=0.8)
    assert both.pop("AU12") == pytest.approx(0.8) and not any(both.values())
    assert read(mouthSmileLeft=0.8)["AU12"] == pytest.approx(0.4)
    assert read(browInnerUp=0.75)["AU1"] == pytest.approx(0.5)  # 1.5 is its limit
    closed = read(jawOpen=0.5, mouthClose=0.5)
    assert closed["AU26"] == pytest.approx(0.5) and closed["AU25"] == 0


def test_intensities_stay_in_range_and_know_no_sides():
    sliders = np.random.default_rng(0).uniform(-0.5, LIMITS, (50, 52))
    found = action_units.intensities(sliders)
    assert found.min() == 0 and found.max() == 1
    np.testing.assert_allclose(found, action_units.intensities(sliders[:, MIRROR]))


def test_an_emotion_is_its_class_and_the_rest_have_none():
    table = {"kind": np.arange(len(KINDS))}
    found = labels.conditions("classes", table)
    np.testing.assert_array_equal(found[:7], np.eye(7))
    assert not found[7:].any()
    np.testing.assert_array_equal(labels.labelled("classes", table), found.any(1))
    assert list(EMOTIONS) == list(KINDS[:7])


@pytest.mark.parametrize("kind", labels.COLUMNS)
@pytest.mark.parametrize("speech", [False, True])
def test_conditions_are_as_wide_as_said(folder, kind, speech):
    table = columns(folder, "test_paired", *labels.COLUMNS[kind])
    found = labels.conditions(kind, table, speech=speech)
    assert found.shape == (len(found), labels.width(kind, speech=speech))
    assert found.dtype == np.float32
    example = data.example(folder, batch_size=2, speech=speech, labels=kind)
    assert example.expression.shape == (2, found.shape[1])


def test_a_detectors_error_belongs_to_the_picture(folder):
    """The same at every visit; of the size asked for, and within [0, 1]."""
    faces = lambda noise: examples(8, folder, labels="action_units", au_noise=noise)
    exact, noisy = faces(0.0), faces(0.1)
    np.testing.assert_array_equal(exact.image, noisy.image)
    error = noisy.expression - exact.expression
    inside = (exact.expression > 0.3) & (exact.expression < 0.7)
    assert 0.07 < error[inside].std() < 0.13
    assert noisy.expression.min() >= 0 and noisy.expression.max() <= 1
    seen = {}
    for image, condition in zip(noisy.image, noisy.expression, strict=True):
        first = seen.setdefault(image.tobytes(), condition)
        np.testing.assert_array_equal(first, condition)
    assert len(seen) < len(noisy.image)
    np.testing.assert_array_equal(noisy.expression, faces(0.1).expression)


@pytest.mark.parametrize("pairs", ["neutral", "any", "strangers"])
def test_only_faces_with_a_class_are_shown_and_wanted(tmp_path, pairs):
    def mixed(split, identity, session):
        for take, row in enumerate(rows(split, identity, session)):
            yield row | ({"kind": "mixed"} if take == 2 else {})

    assert open_faces.generate(tmp_path, RECIPE, mixed)
    batch = examples(8, tmp_path, labels="classes", pairs=pairs)
    for shown in (batch.expression, batch.target_expression):
        assert (shown.sum(1) == 1).all()
        assert set(shown.argmax(1)) == {0, 2, 4}  # kinds of takes 0, 1 and 3
    assert batch.paired.all() == (pairs != "strangers")
    faces = data.open_split(tmp_path, "train_paired")
    known = [to_float(faces.picture(i)).tobytes() for i in range(len(faces))]
    of = lambda image: known.index(image.tobytes()) // 4  # takes in a session
    for image, target in zip(batch.image, batch.target, strict=True):
        assert of(image) == of(target)


def test_strangers_of_a_paired_split_are_of_all_people_and_have_noise(folder):
    batch = examples(8, folder, pairs="strangers")
    known = columns(folder, "train_paired", "expression")["expression"]
    known = {row.tobytes() for row in known}
    assert {row.tobytes() for row in batch.target_expression} <= known
    np.testing.assert_array_equal(batch.image, batch.target)
    moved = examples(8, folder, pairs="strangers", noise=0.1).target_expression
    assert 0.05 < np.abs(moved - batch.target_expression).max() < 0.1


def test_a_set_without_a_single_class_says_so(tmp_path):
    mixed = lambda *who: (row | {"kind": "mixed"} for row in rows(*who))
    assert open_faces.generate(tmp_path, RECIPE, mixed)
    with pytest.raises(ValueError, match="No face in train_unpaired .* the classes"):
        examples(1, tmp_path, "train_unpaired", labels="classes")


def test_unknown_labels_and_a_model_of_another_width_are_refused(folder):
    with pytest.raises(ValueError, match="data.labels is 'aus'; choose from"):
        examples(1, folder, labels="aus")
    config = ConfigDict(dict(data=dict(labels="aus", speech=False)))
    with pytest.raises(ValueError, match="data.labels is 'aus'; choose from"):
        prepare.condition(config)


def test_a_flip_leaves_action_units_as_they_are(folder):
    options = dict(labels="action_units", mirror=(np.eye(17, dtype=np.float32),))
    plain = examples(2, folder, labels="action_units")
    turned = examples(2, folder, **options)
    flips = [
        not np.array_equal(a, b) for a, b in zip(plain.image, turned.image, strict=True)
    ]
    assert 0 < sum(flips) < len(flips)
    np.testing.assert_array_equal(plain.expression, turned.expression)


@pytest.mark.parametrize("kind", ["action_units", "classes"])
def test_what_has_no_sliders_is_not_edited_with(kind):
    with pytest.raises(ValueError, match="has no named sliders: they need 30, or 40"):
        load_maps(labels.width(kind))
