"""People who could be somebody, the same each time, and unlike each other."""

import numpy as np
import pytest

from slider_jax.face import people
from slider_jax.face.head import load_head

COUNT = 200
COLOURS = ("tone", "lips", "iris", "hair")
STRENGTHS = ("lip_strength", "blush", "bags", "eye_shadow", "freckles", "stubble")
STRENGTHS += ("roughness", "brow_density", "pupil", "curl", "long", "bald")


def draw(seed):
    rng = np.random.default_rng(seed)
    identity, traits = people.sample_identity(load_head(), rng)
    return identity, traits, people.sample_look(traits, rng)


@pytest.fixture(scope="module")
def crowd():
    identity, traits, looks = zip(*map(draw, range(COUNT)), strict=True)
    return np.array(identity), np.array(traits), looks


def of(looks, name):
    return np.array([getattr(look, name) for look in looks])


def test_a_seed_names_a_person():
    for one, other in zip(draw(7)[:2], draw(7)[:2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert vars(draw(7)[2]).keys() == vars(draw(8)[2]).keys()
    for name, value in vars(draw(7)[2]).items():
        np.testing.assert_array_equal(value, vars(draw(7)[2])[name])
    assert np.abs(draw(7)[0] - draw(8)[0]).max() > 0.5


def test_nobody_is_a_caricature_and_nobody_is_the_mean(crowd):
    """Whitened coefficients are bounded, and nearly as spread as the model's people."""
    identity, _, _ = crowd
    assert identity.shape == (COUNT, 96) and identity.dtype == np.float32
    assert np.abs(identity).max() <= 2.6
    assert 0.75 < identity.std(0).mean() < 1.05
    assert np.linalg.norm(identity, axis=1).min() > 4
    apart = np.linalg.norm(identity[:, None] - identity[None], axis=-1)
    assert apart[~np.eye(COUNT, dtype=bool)].min() > 2


def test_meshes_of_people_stay_human(crowd):
    """No vertex is more than five centimetres from the mean, eyes are eyes apart."""
    face, points = load_head().face, load_head().landmarks
    meshes = face.mean + np.tensordot(crowd[0][:40], face.identities, axes=1)
    offsets = meshes - face.mean
    assert np.abs(offsets).max() < 50
    eyes = meshes[:, points[42:48]].mean(1) - meshes[:, points[36:42]].mean(1)
    assert ((eyes[:, 0] > 45) & (eyes[:, 0] < 80)).all()


def test_traits_are_shares(crowd):
    """Male, old, and three shares that add up to one; every kind of person is there."""
    _, traits, _ = crowd
    assert traits.min() >= 0 and traits.max() <= 1
    np.testing.assert_allclose(traits[:, 2:].sum(1), 1, atol=2e-3)
    assert (traits.max(0) > 0.7).all() and (traits.min(0) < 0.3).all()
    assert 0.3 < (traits[:, 0] > 0.5).mean() < 0.7


def test_looks_are_finite_small_numbers_in_their_ranges(crowd):
    looks = crowd[2]
    for name in vars(looks[0]):
        values = of(looks, name)
        assert values.dtype == (np.uint32 if name == "seed" else np.float32)
        assert np.isfinite(values).all()
    for name in COLOURS:
        assert of(looks, name).shape == (COUNT, 3)
        assert of(looks, name).min() > 0.02 and of(looks, name).max() <= 1
    for name in STRENGTHS:
        assert of(looks, name).min() >= 0 and of(looks, name).max() < 1.5
    for name in ("long", "bald"):
        assert set(np.unique(of(looks, name))) == {0.0, 1.0}
    assert len(np.unique(of(looks, "seed"))) == COUNT


def test_skin_hair_and_beard_follow_the_traits():
    rng = np.random.default_rng(0)
    looks = lambda *traits: [
        people.sample_look(np.array(traits), rng) for _ in range(60)
    ]
    dark, fair = looks(0.0, 0.2, 1.0, 0.0, 0.0), looks(0.0, 0.2, 0.0, 0.0, 1.0)
    assert of(dark, "tone").mean() < of(fair, "tone").mean() - 0.15
    assert of(dark, "hair").mean() < of(fair, "hair").mean()
    old = looks(0.0, 1.0, 0.0, 0.0, 1.0)
    saturation = lambda looks: np.ptp(of(looks, "hair"), axis=1).mean()
    assert saturation(old) < 0.5 * saturation(fair)
    men = looks(1.0, 0.3, 0.0, 0.0, 1.0)
    assert of(men, "stubble").mean() > 0.1 and not of(fair, "stubble").any()
    assert of(men, "long").mean() < of(fair, "long").mean()
    # The bald have no hair to comb.
    assert not any(look.hair_top for look in men if look.bald)
