import numpy as np
import pytest

from slider_jax.face import expressions, sliders

TABLES = {
    name: weights
    for table in (sliders.EMOTIONS, sliders.VISEMES, sliders.ACTION_UNITS)
    for name, weights in table.items()
}


def draws(sample, count=300):
    rng = np.random.default_rng(0)
    return np.stack([sample(rng) for _ in range(count)])


def any_sliders(rng):
    """No two are equal, so there is always a stronger one."""
    values = sliders.LIMITS * rng.random(52) * (rng.random(52) < 0.4)
    return values.astype(np.float32)


def test_there_are_52_sliders_each_in_one_region():
    assert len(sliders.SLIDERS) == len(set(sliders.SLIDERS)) == 52
    assert sorted(sum(sliders.REGIONS.values(), ())) == sorted(sliders.SLIDERS)


def test_mirroring_twice_changes_nothing():
    np.testing.assert_array_equal(sliders.MIRROR[sliders.MIRROR], np.arange(52))
    assert sliders.partner("eyeLookInLeft") == "eyeLookInRight"
    assert sliders.partner("browInnerUp") == "browInnerUp"


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_symmetric_within_limits_and_plausible(name):
    face = sliders.vector(TABLES[name])  # fails where a slider does not exist
    np.testing.assert_array_equal(face, face[sliders.MIRROR])
    np.testing.assert_array_equal(expressions.plausible(face), face)


def test_tables_are_complete():
    assert list(sliders.EMOTIONS) == [
        *("neutral", "anger", "disgust", "fear"),
        *("happiness", "sadness", "surprise"),
    ]
    assert len(sliders.VISEMES) == 15


@pytest.mark.parametrize(
    "sample",
    [
        lambda rng: expressions.plausible(2 * any_sliders(rng)),
        lambda rng: expressions.sample_expression(rng)[0],
        lambda rng: expressions.sample_wish(rng)[0],
        expressions.sample_speech,
    ],
    ids=["anything", "expression", "wish", "speech"],
)
def test_conflicts_never_survive(sample):
    faces = draws(sample)
    value = lambda name: faces[:, sliders.INDEX[name]]
    assert faces.dtype == np.float32
    assert faces.min() >= 0 and np.all(faces <= sliders.LIMITS)
    for a, b, room in sliders.INCOMPATIBLE:
        weak = np.minimum(faces[:, a], faces[:, b])
        strong = np.maximum(faces[:, a], faces[:, b])
        assert np.all(weak <= np.maximum(0, room - strong) + 1e-6), (a, b)
    assert np.all(value("mouthClose") <= value("jawOpen"))
    assert np.all(np.minimum(value("tongueOut"), 0.4) <= value("jawOpen"))
    np.testing.assert_array_equal(value("eyeLookOutLeft"), value("eyeLookInRight"))
    np.testing.assert_array_equal(value("eyeLookInLeft"), value("eyeLookOutRight"))
    np.testing.assert_array_equal(value("eyeLookUpLeft"), value("eyeLookUpRight"))


def test_the_stronger_rival_is_untouched():
    face = expressions.plausible(
        sliders.vector({"mouthSmileLeft": 0.7, "mouthFrownLeft": 0.3})
    )
    np.testing.assert_array_equal(face, sliders.vector({"mouthSmileLeft": 0.7}))


def test_a_plausible_face_stays_as_it_is():
    for face in draws(lambda rng: expressions.plausible(any_sliders(rng))):
        np.testing.assert_array_equal(expressions.plausible(face), face)


def test_what_is_plausible_does_not_depend_on_the_side():
    for face in draws(any_sliders, 100):
        flipped = expressions.plausible(face[sliders.MIRROR])[sliders.MIRROR]
        np.testing.assert_array_equal(flipped, expressions.plausible(face))


def test_the_seed_decides():
    one, again, other = (
        expressions.corpus(np.random.default_rng(seed), 20) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


def test_the_corpus_has_no_better_side():
    faces = expressions.corpus(np.random.default_rng(0), 40)
    np.testing.assert_array_equal(faces[:20], faces[20:, sliders.MIRROR])


def test_every_kind_and_every_slider_occurs():
    rng = np.random.default_rng(0)
    faces, kinds = zip(
        *(expressions.sample_expression(rng) for _ in range(1500)), strict=True
    )
    assert set(kinds) == set(expressions.KINDS)
    assert np.all(np.max(faces, axis=0) > 0.5)
    rest = np.stack(faces)[np.array(kinds) == "neutral"]
    moving = [n.startswith("eye") for n in sliders.SLIDERS]
    assert not rest[:, ~np.array(moving)].any()


def test_wishes_pull_few_sliders_far_and_the_known_ones_often():
    rng = np.random.default_rng(0)
    faces, kinds = zip(
        *(expressions.sample_wish(rng) for _ in range(1500)), strict=True
    )
    assert set(kinds) == {"unit", "mixed"}
    jaw, lid = (
        np.stack(faces)[:, sliders.INDEX[name]] for name in ("jawOpen", "eyeBlinkLeft")
    )
    easy = np.stack([expressions.sample_expression(rng)[0] for _ in range(1500)])
    for pulled, name in ((jaw, "jawOpen"), (lid, "eyeBlinkLeft")):
        assert (pulled > 0.7).mean() > 2 * (easy[:, sliders.INDEX[name]] > 0.7).mean()
    alone = [face for face, kind in zip(faces, kinds, strict=True) if kind == "unit"]
    assert 0.5 < len(alone) / len(faces) < 0.7
    assert np.median([(face > 0.4).sum() for face in alone]) <= 2


def test_photographed_faces_mostly_smile_with_parted_lips():
    rng = np.random.default_rng(0)
    faces, kinds = zip(*(expressions.sample_worn(rng) for _ in range(600)), strict=True)
    smiling = np.array(kinds) == "happiness"
    assert 0.68 < smiling.mean() < 0.82
    assert set(kinds) <= set(sliders.EMOTIONS) - {"neutral"}
    lip = np.stack(faces)[:, sliders.INDEX["mouthLowerDownLeft"]]
    assert lip[smiling].max() > 0.7 and (lip[smiling] > 0.2).mean() > 0.5


def test_a_wish_pulled_on_a_worn_face_leaves_the_rest():
    smile = sliders.vector({"mouthSmileLeft": 0.6, "cheekSquintLeft": 0.4})
    wink = sliders.vector({"eyeBlinkLeft": 0.9})
    both = {"mouthSmileLeft": 0.6, "cheekSquintLeft": 0.4, "eyeBlinkLeft": 0.9}
    np.testing.assert_array_equal(expressions.pulled(smile, wink), sliders.vector(both))
    less = sliders.vector({"mouthSmileLeft": 0.2})
    pulled = expressions.pulled(smile, less)
    assert pulled[sliders.INDEX["mouthSmileLeft"]] == np.float32(0.2)
    rival = expressions.pulled(smile, sliders.vector({"mouthFrownLeft": 1.0}))
    np.testing.assert_array_equal(rival, expressions.plausible(rival))


def test_feelings_do_not_wink():
    rng = np.random.default_rng(0)
    for _ in range(1500):
        face, kind = expressions.sample_expression(rng)
        lids = [face[sliders.INDEX[f"eyeBlink{side}"]] for side in ("Left", "Right")]
        assert kind not in sliders.EMOTIONS or abs(lids[0] - lids[1]) < 0.3


def test_speech_moves_the_mouth_alone():
    still = [
        sliders.INDEX[name]
        for region in ("brows", "eyes", "cheeks", "nose")
        for name in sliders.REGIONS[region]
    ]
    faces = draws(expressions.sample_speech, 100)
    assert not faces[:, still].any()
    assert np.linalg.norm(faces, axis=1).max() > 0.5
