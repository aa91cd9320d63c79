"""Names and numbers become one vector, and left is as good as right."""

import numpy as np
import pytest

from slider_jax.face import requests
from slider_jax.face.maps import load_maps, tidy
from slider_jax.face.sliders import (
    EMOTIONS,
    INDEX,
    LIMITS,
    MIRROR,
    REGIONS,
    SLIDERS,
    partner,
    vector,
)

KINDS = (30, 40)  # without speech and with


def faces(parameters, count=4):
    rng = np.random.default_rng(parameters)
    return [tidy(rng.normal(0, 0.4, parameters)) for _ in range(count)]


def wishes(rng, parameters, mode):
    """A few names of every kind, at random."""
    names = requests.names(parameters)
    chosen = rng.choice(names, rng.integers(1, 6), replace=False)
    return {str(n): float(rng.uniform(*requests.limits(n, mode))) for n in chosen}


def cases(count=40):
    for parameters in KINDS:
        maps, rng = load_maps(parameters), np.random.default_rng(0)
        for i in range(count):
            now = faces(parameters)[i % 4]
            mode = requests.MODES[i % 2]
            region = ("all", "mouth", "eyes+brows", "jaw")[i // 2 % 4]
            yield maps, now, wishes(rng, parameters, mode), mode, region


@pytest.mark.parametrize("parameters", KINDS)
def test_the_measured_sliders_ask_for_nothing(parameters):
    maps = load_maps(parameters)
    for now in faces(parameters):
        shown = dict(zip(SLIDERS, maps.sliders(now), strict=True))
        np.testing.assert_array_equal(requests.target(maps, now, shown), now)
        some = {name: shown[name] for name in ("jawOpen", "mouthSmileLeft")}
        np.testing.assert_array_equal(requests.target(maps, now, some), now)
        for request in ({}, {"component_3": now[2]}):
            np.testing.assert_array_equal(requests.target(maps, now, request), now)


def test_a_mirrored_request_on_a_mirrored_face_is_the_mirrored_vector_bit_by_bit():
    for maps, now, wish, mode, region in cases():
        how = dict(mode=mode, region=region)
        plain = requests.target(maps, now, wish, **how)
        other = requests.mirror(wish, maps, mode=mode)
        np.testing.assert_array_equal(
            requests.target(maps, maps.reflect(now), other, **how), maps.reflect(plain)
        )
        np.testing.assert_array_equal(
            maps.sliders(maps.reflect(plain)), maps.sliders(plain)[MIRROR]
        )
        assert requests.mirror(other, maps, mode=mode) == wish


def test_what_is_asked_for_is_in_range_and_finite():
    for maps, now, wish, mode, region in cases():
        then = requests.target(maps, now, wish, mode=mode, region=region)
        assert np.isfinite(then).all() and np.abs(then).max() <= 1


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_is_a_target_and_not_a_step(name):
    """Set again on the face that wears it, it has little left to do."""
    maps, value = load_maps(30), 0.4
    once = requests.target(maps, np.zeros(30), {name: value})
    assert 0.65 * value < maps.sliders(once)[INDEX[name]] < 1.1 * value
    twice = requests.target(maps, once, {name: value})
    assert np.linalg.norm(twice - once) < 0.35 * np.linalg.norm(once)
    added = requests.target(maps, once, {name: value}, mode="add")
    assert np.linalg.norm(added - once) > 0.4 * np.linalg.norm(once)


def test_no_slider_of_a_face_at_rest_stands_still_before_its_end():
    maps, rest = load_maps(30), np.zeros(30)
    for name, limit in zip(SLIDERS, LIMITS, strict=True):
        half, whole = (
            requests.target(maps, rest, {name: float(share * limit)})
            for share in (0.5, 1)
        )
        np.testing.assert_allclose(whole, 2 * half, atol=2e-3, err_msg=name)


def test_sliders_that_differ_are_read_without_ghosts():
    maps = load_maps(30)
    once = requests.target(maps, np.zeros(30), {"mouthSmile": 0.4, "jawOpen": 0.2})
    read = dict(zip(SLIDERS, maps.sliders(once), strict=True))
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        assert abs(read.pop(name) - 0.4) < 0.05
    assert abs(read.pop("jawOpen") - 0.2) < 0.05
    assert max(read.values()) < 0.05


@pytest.mark.parametrize("emotion", sorted(set(EMOTIONS) - {"neutral"}))
def test_an_emotion_replaces_what_the_face_wore(emotion):
    maps = load_maps(30)
    wanted = maps.components_of @ (0.4 * vector(EMOTIONS[emotion]))
    start = tidy(
        maps.components_of @ (0.3 * vector({"jawOpen": 1.0, "cheekPuff": 1.0}))
    )
    then = requests.target(maps, start, {emotion: 0.4})
    assert np.linalg.norm(then - wanted) < 0.2 * np.linalg.norm(wanted) + 0.05


def test_neutral_takes_away_a_part_or_all():
    for parameters in KINDS:
        maps = load_maps(parameters)
        for now in faces(parameters):
            assert not np.abs(requests.target(maps, now, {"neutral": 1})).max() > 2e-4
            half = requests.move(maps, now, -0.5 * now)
            np.testing.assert_allclose(half, now / 2, atol=1e-6)


def test_a_viseme_is_a_mouth_or_speech_where_the_model_has_it():
    maps, now = load_maps(30), faces(30)[0]
    then = requests.target(maps, now, {"viseme_aa": 1})
    moved = maps.sliders_of @ (then - now)
    assert np.abs(moved[[INDEX[n] for n in REGIONS["brows"]]]).max() < 0.4
    maps, now = load_maps(40), faces(40)[0]
    then = requests.target(maps, now, {"viseme_aa": 1})
    np.testing.assert_array_equal(then[:30], now[:30])
    assert np.abs(then[30:] - now[30:]).max() > 0.1
    np.testing.assert_array_equal(requests.target(maps, then, {"viseme_aa": 1}), then)


def test_a_slider_beside_a_viseme_has_the_last_word():
    maps, now = load_maps(40), np.zeros(40)
    then = requests.target(maps, now, {"viseme_aa": 1, "jawOpen": 0.1})
    assert abs(maps.sliders(then)[INDEX["jawOpen"]] - 0.1) < 0.15


def test_a_region_takes_what_is_its_own():
    maps, now = load_maps(30), faces(30)[0]
    smile = {"mouthSmile": 1}
    np.testing.assert_array_equal(requests.target(maps, now, smile, region="jaw"), now)
    both = requests.target(maps, now, smile, region="jaw+mouth")
    np.testing.assert_array_equal(both, requests.target(maps, now, smile))
    happy = requests.target(maps, np.zeros(30), {"happy": 0.5}, region="cheeks")
    cheeks = requests.target(maps, np.zeros(30), {"cheekSquint": 0.45})
    np.testing.assert_allclose(happy, cheeks, atol=1e-6)
    change = faces(30)[1] - now
    parts = [requests.move(maps, now, change / 4, region=r) - now for r in REGIONS]
    np.testing.assert_allclose(sum(parts), change / 4, atol=1e-4)


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("jaw_open", ("jawOpen",)),
        ("mouthSmile_L", ("mouthSmileLeft",)),
        ("EyeBlinkRight", ("eyeBlinkRight",)),
        ("mouthSmile", ("mouthSmileLeft", "mouthSmileRight")),
        ("mouthLeft", ("mouthLeft",)),
        ("happy", ("happiness",)),
        ("viseme_pp", ("viseme_PP",)),
        ("c3", ("component_3",)),
        ("expression_03", ("component_3",)),
        ("s2", ("speech_2",)),
    ],
)
def test_names_may_be_spelled_in_other_ways(spelled, meant):
    assert tuple(requests.canonical({spelled: 0.5}, parameters=40)) == meant


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"jawOpn": 1}, "nearest are jawOpen"),
        ({"hapy": 1}, "happ"),
        ({"speech_1": 1}, "no 'speech_1'"),
        ({"jawOpen": 1.2}, "0 to 1"),
        ({"jawOpen": -0.1}, "0 to 1"),
        ({"jawOpen": float("nan")}, "0 to 1"),
        ({"jawOpen": "wide"}, "0 to 1"),
        ({"component_31": 0}, "component_3"),
        ({"qqqq": 0}, "ARKit"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_the_way_out(wish, sentence):
    with pytest.raises(ValueError, match=sentence):
        requests.canonical(wish)


def test_unknown_modes_regions_and_models_are_refused():
    maps, now = load_maps(30), faces(30)[0]
    with pytest.raises(ValueError, match="choose from"):
        requests.target(maps, now, {}, mode="replace")
    with pytest.raises(ValueError, match="brows"):
        requests.target(maps, now, {}, region="ears")
    with pytest.raises(ValueError, match="30, or 40 with speech"):
        load_maps(5)


def test_ranges_are_those_of_the_sliders():
    assert requests.limits("browInnerUp") == (0.0, LIMITS[INDEX["browInnerUp"]])
    assert requests.limits("component_1") == (-1.0, 1.0)
    assert partner("mouthLeft") == "mouthRight"
