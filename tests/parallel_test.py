"""The step is the same function on every kind of machine."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import systems_test
from small_game import (
    WEIGHTS,
    SmallSystem,
    assert_close,
    assert_equal,
    batches,
    first_state,
    one,
    sgd,
)

from slider_jax import losses, ops, parallel, step, systems
from slider_jax.systems.slidergan import MEANS


def one_round(strategy, system=None):
    system = system or SmallSystem()
    make = step.make_step(system, sgd(), axis_name=strategy.axis_name)
    state = strategy.replicate(first_state())
    return strategy.compile(make)(state, strategy.split(batches()), WEIGHTS)


@pytest.fixture(scope="module")
def reference():
    """On one device, without any strategy."""
    assert jax.device_count() == 8
    run = jax.jit(step.make_step(SmallSystem(), sgd()))
    return run(first_state(), jax.tree.map(jnp.asarray, batches()), WEIGHTS)


@pytest.mark.parametrize("name", parallel.STRATEGIES)
def test_eight_devices_match_one(name, reference):
    state, metrics = one_round(parallel.STRATEGIES[name])
    assert_close(metrics, reference[1], rtol=1e-5, atol=1e-6)
    assert_close(state.params, reference[0].params, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def slidergan():
    """Runs a round of the real system, narrow, by a strategy or by none.

    With plain convolutions, which compile in a third of the time.
    """
    system = systems.create("slidergan", **systems_test.SMALL)
    optimizers = sgd(1e-4) | {"generator": sgd(1e-2)["generator"]}
    noise, weights = systems_test.noise(n_critic=1), systems_test.WEIGHTS
    state = step.init_state(system, optimizers, one(noise), seed=0)

    @ops.using("plain")
    def run(strategy=None):
        axis = strategy and strategy.axis_name
        of = step.make_step(system, optimizers, axis_name=axis)
        if strategy is None:
            return jax.jit(of)(state, jax.tree.map(jnp.asarray, noise), weights)
        there = strategy.replicate(state), strategy.split(noise)
        return strategy.compile(of)(*there, weights)

    return state, run, run()


@pytest.mark.slow
@pytest.mark.parametrize("name", parallel.STRATEGIES)
def test_slidergan_on_eight_devices_is_that_on_one(name, slidergan):
    first, run, (expected, expected_metrics) = slidergan
    state, metrics = run(parallel.STRATEGIES[name])
    assert_close(metrics, expected_metrics, rtol=1e-5, atol=1e-5)
    assert_close(state.params, expected.params, rtol=1e-5, atol=1e-5)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), first.params, state.params)
    assert min(jax.tree.leaves(moved)) > 1e-4, moved


def test_means_of_single_devices_would_be_another_loss(reference):
    """Otherwise the test above would prove nothing about the relative scores."""

    class Wrong(SmallSystem):
        def critic_losses(self, params, batch, keys, batch_mean):
            return super().critic_losses(params, batch, keys, jnp.mean)

    state, _ = one_round(parallel.STRATEGIES["pmap"], Wrong())
    wrong, right = state.params["critic"]["score"], reference[0].params["critic"]
    assert np.abs(wrong - right["score"]).max() > 1e-4


def test_gradients_flow_through_the_mean_of_all_devices(reference):
    """Stopping them there changes the parameters."""

    class Stopped(SmallSystem):
        def critic_losses(self, params, batch, keys, batch_mean):
            stop = lambda x: jax.lax.stop_gradient(batch_mean(x))
            return super().critic_losses(params, batch, keys, stop)

    state, _ = one_round(parallel.STRATEGIES["pmap"], Stopped())
    wrong, right = state.params["critic"]["score"], reference[0].params["critic"]
    assert np.abs(wrong - right["score"]).max() > 1e-4


@pytest.mark.parametrize("name", parallel.STRATEGIES)
def test_a_state_comes_back_to_the_host_as_it_went(name):
    state = first_state()
    there = parallel.STRATEGIES[name].replicate(state)
    assert_equal(parallel.to_host(there), state)


def test_a_batch_that_does_not_split_is_refused():
    parallel.check_batch(16)
    with pytest.raises(ValueError, match="does not split over 8 devices"):
        parallel.check_batch(12)


def test_means_by_position_run_over_all_devices():
    scores = np.random.default_rng(0).normal(size=(8, 2, 3)).astype(np.float32)
    batch_mean = lambda x: step.mean_over_devices(x.mean(), "devices")
    found = jax.pmap(losses.per_position(batch_mean), "devices")(scores[:, None])
    whole = losses.per_position(lambda x: x.mean())(scores)
    np.testing.assert_allclose(whole, scores.mean(axis=0, keepdims=True), rtol=1e-5)
    for mean in found:
        np.testing.assert_allclose(mean, whole, rtol=1e-5)


def test_relative_to_a_device_is_relative_to_its_own_faces():
    rng = np.random.default_rng(0)
    scores = jnp.asarray(rng.normal(size=(2, 8, 1, 2, 3)), jnp.float32)  # of two maps
    batch_mean = lambda x: step.mean_over_devices(x.mean(), "devices")
    play = lambda *maps, mean: losses.ra_expectation_critic(*maps, mean)

    def shared(relative_to):
        mean = MEANS[relative_to](batch_mean)
        return jax.pmap(functools.partial(play, mean=mean), "devices")(*scores)

    own = np.stack([play(*scores[:, i], mean=jnp.mean) for i in range(8)])
    np.testing.assert_allclose(shared("device"), own, rtol=1e-5)
    assert np.abs(shared("all") - own).min() > 1e-3


@pytest.mark.parametrize("player", ["critic", "generator"])
def test_the_system_asks_for_the_mean_that_it_is_relative_to(player):
    whole = systems_test.shapes(one(systems_test.noise(n_critic=1)))
    key = jax.eval_shape(lambda: jax.random.key(0))
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 8))
    asked = set()

    def mean(x, name):
        asked.add(name)
        return x.mean()

    for relative_to in MEANS:
        model = systems_test.SMALL | dict(relative_to=relative_to)
        system = systems.create("slidergan", **model)
        params = jax.eval_shape(system.init, key, whole)
        of = getattr(system, f"{player}_losses")
        of = functools.partial(of, batch_mean=functools.partial(mean, name=relative_to))
        jax.eval_shape(of, params, whole, keys)
    assert asked == {"all", "position"}
