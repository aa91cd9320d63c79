"""One round of the game, whatever the machine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_game import (
    WEIGHTS,
    SmallSystem,
    assert_close,
    assert_equal,
    batches,
    first_state,
    sgd,
)

from slider_jax import step


def run(optimizers, rounds, *, state=None, weights=WEIGHTS, **options):
    system = SmallSystem()
    state = first_state(optimizers) if state is None else state
    return jax.jit(step.make_step(system, optimizers, **options))(
        state, rounds, weights
    )


@pytest.mark.parametrize("player, other", [step.PLAYERS, step.PLAYERS[::-1]])
def test_a_players_step_leaves_the_other_alone(player, other):
    optimizers = sgd() | {other: sgd(0.0)[other]}
    before = first_state(optimizers)
    after, _ = run(optimizers, batches(n_critic=1), state=before)
    assert_equal(after.params[other], before.params[other])
    moved = jax.tree.map(
        lambda a, b: bool(jnp.any(a != b)), after.params[player], before.params[player]
    )
    assert all(jax.tree.leaves(moved))


def test_unrolled_and_scanned_are_the_loop_that_they_replace():
    rounds = batches(n_critic=2, batch=2)
    by_hand = first_state()
    system, key = SmallSystem(), jax.random.key(0)
    *keys, _ = jax.random.split(jax.random.fold_in(key, 0), 3)
    for i, k in enumerate(keys):
        batch = jax.tree.map(lambda x, i=i: jnp.asarray(x[i]), rounds)

        def objective(critic, params=by_hand.params, batch=batch, k=k):
            params = params | {"critic": critic}
            losses = system.critic_losses(
                params, batch, step.example_keys(k, 2, None), jnp.mean
            )
            return step.weighted_sum(WEIGHTS["critic"], jax.tree.map(jnp.mean, losses))

        slope = jax.jit(jax.grad(objective))(by_hand.params["critic"])
        critic = jax.tree.map(
            lambda p, g: p - 0.01 * g, by_hand.params["critic"], slope
        )
        by_hand = by_hand.replace(params=by_hand.params | {"critic": critic})
    for unroll in (True, False):
        state, _ = run(sgd(), rounds, unroll=unroll)
        assert_close(
            state.params["critic"], by_hand.params["critic"], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize(("n_critic", "unroll"), [(1, True), (3, True), (1, False)])
def test_what_is_unrolled_holds_no_loop(n_critic, unroll):
    """A scan of one would be one, and five times as slow on a CPU."""
    of = step.make_step(SmallSystem(), sgd(), unroll=unroll)
    program = jax.make_jaxpr(of)(first_state(), batches(n_critic, 2), WEIGHTS)
    names = {equation.primitive.name for equation in program.eqns}
    assert ("scan" in names) is not unroll


def aged(state):
    """With an average that lies elsewhere."""
    return state.replace(ema=jax.tree.map(lambda x: x + 1, state.ema))


def test_a_frozen_entry_stays_and_needs_no_optimiser():
    state = first_state()
    state = state.replace(params=state.params | {"identity": jnp.ones(3)})
    after, _ = run(sgd(), batches(1, 2), state=state)
    np.testing.assert_array_equal(after.params["identity"], 1.0)
    assert after.opt_state.keys() == {"critic", "generator"}


@pytest.mark.parametrize(("steps", "decay"), [(0, 0.1), (8, 0.5), (10**6, 0.75)])
def test_what_is_shipped_is_smoothed_over_more_and_more_steps(steps, decay):
    """Both players, once a step, however often the critic learns in it."""
    before, n_critic = first_state(), 3
    opt_state = {
        "generator": jax.tree.map(lambda x: x + steps, before.opt_state["generator"]),
        "critic": jax.tree.map(
            lambda x: x + n_critic * steps, before.opt_state["critic"]
        ),
    }
    before = before.replace(opt_state=opt_state)
    after, _ = run(sgd(), batches(n_critic, 2), state=before, ema_decay=0.75)
    for player, old in before.ema.items():
        expected = jax.tree.map(
            lambda old, new: decay * old + (1 - decay) * new, old, after.params[player]
        )
        assert_close(after.ema[player], expected, rtol=1e-5, atol=1e-7)
    assert int(after.step) == 1


def test_a_generator_that_rests_stays_while_the_critic_learns_to_read():
    before = aged(first_state())
    reading = {"critic": {"expression": 1.0}, "generator": None}
    after, metrics = run(sgd(), batches(2, 2), state=before, weights=reading)
    assert_equal(after.params["generator"], before.params["generator"])
    assert_equal(after.ema["generator"], before.ema["generator"])
    assert (
        after.ema["critic"]["expression"] < before.ema["critic"]["expression"]
    ).all()
    assert_equal(after.params["critic"]["score"], before.params["critic"]["score"])
    moved = after.params["critic"]["expression"] - before.params["critic"]["expression"]
    assert float(jnp.abs(moved).max()) > 0
    names = ("expression", "total", "gradient_norm")
    assert metrics.keys() == {f"critic/{name}" for name in names}
    assert int(after.step) == 1


def test_a_critic_that_rests_goes_on_judging():
    before = aged(first_state())
    after, metrics = run(
        sgd(), batches(1, 2), state=before, weights=WEIGHTS | {"critic": None}
    )
    assert_equal(after.params["critic"], before.params["critic"])
    assert_equal(after.ema["critic"], before.ema["critic"])
    assert all(name.startswith("generator/") for name in metrics)
    assert metrics["generator/adversarial"] != 0


def test_a_generator_alone_pays_for_no_loss_but_its_own():
    class Dear(SmallSystem):
        def generator_losses(self, *inputs):
            losses = super().generator_losses(*inputs)
            matrix = jnp.ones((200, 200)) * losses["adversarial"].sum()
            return losses | {"adversarial": (matrix @ matrix)[:2, 0]}

    before, rounds = first_state(), batches(1, 2)
    alone = {"critic": None, "generator": {"paired": 2.0}}
    of = step.make_step(Dear(), sgd())
    compiled = lambda weights: jax.jit(of).lower(before, rounds, weights).compile()
    work = lambda weights: compiled(weights).cost_analysis()["flops"]
    assert work(alone) < 200**3 < work(WEIGHTS)
    after, metrics = jax.jit(of)(before, rounds, alone)
    assert metrics.keys() == {
        f"generator/{name}" for name in ("paired", "total", "gradient_norm")
    }
    assert_equal(after.params["critic"], before.params["critic"])
    watched = dict.fromkeys(WEIGHTS["generator"]) | {"paired": 2.0}
    other, _ = run(sgd(), rounds, state=before, weights=alone | {"generator": watched})
    assert_close(after.params["generator"], other.params["generator"], rtol=1e-6)


def test_while_the_critic_rests_there_can_be_more_to_learn_from():
    class Painter(SmallSystem):
        def painting_losses(self, *inputs):
            losses = self.generator_losses(*inputs)
            return losses | {"twice": 2 * losses["paired"]}

    before, rounds = first_state(), batches(1, 2)
    of = jax.jit(step.make_step(Painter(), sgd()))
    alone = lambda weights: {"critic": None, "generator": weights}
    found, other = (
        of(before, rounds, alone(weights))[0].params["generator"]
        for weights in ({"twice": 1.0}, {"paired": 2.0})
    )
    assert_close(found, other, rtol=1e-6)
    with pytest.raises(ValueError, match="twice"):
        of(before, rounds, WEIGHTS | {"generator": {"twice": 1.0}})


def test_a_system_whose_critic_cannot_read_alone_says_so():
    class Tint:
        critic_losses = generator_losses = None

    with pytest.raises(ValueError, match="no .reading_losses. for a critic alone"):
        step.make_step(Tint(), sgd())(
            first_state(), batches(1, 2), WEIGHTS | {"generator": None}
        )


def test_metrics_have_the_names_of_the_weights_a_total_and_a_norm():
    _, metrics = run(sgd(), batches(1, 2))
    extra = ("total", "gradient_norm")
    for player, weights in WEIGHTS.items():
        names = {name for name in metrics if name.startswith(player)}
        assert names == {f"{player}/{name}" for name in (*weights, *extra)}
        total = sum(w * metrics[f"{player}/{name}"] for name, w in weights.items())
        np.testing.assert_allclose(metrics[f"{player}/total"], total, rtol=1e-5)


def test_a_misspelt_weight_does_not_train():
    wrong = WEIGHTS | {"critic": {"adversarail": 1.0}}
    with pytest.raises(ValueError, match="adversarail"):
        run(sgd(), batches(), weights=wrong)


def test_what_has_no_weight_has_no_gradient():
    objective = lambda x: step.weighted_sum({"a": 2.0, "b": None}, {"a": x, "b": x / 0})
    assert jax.grad(objective)(1.0) == 2.0


@pytest.mark.parametrize("update, rate", [(0, 1.0), (59, 1.0), (75, 0.5), (90, 0.0)])
def test_the_rate_is_constant_and_then_falls_to_zero(update, rate):
    """Two thirds of 90 updates: dossier 1.6."""
    optimizer = step.adam(1.0, updates=90, constant=2 / 3)
    state = optimizer.init(jnp.zeros(()))
    state = jax.tree.map(lambda x: jnp.full_like(x, update), state)
    # Adam's own first moment is divided away: mu = count, nu = count.
    adam, schedule = state
    adam = adam._replace(
        mu=jnp.zeros(()), nu=jnp.zeros(()), count=jnp.zeros((), jnp.int32)
    )
    updates, _ = optimizer.update(jnp.ones(()), (adam, schedule))
    np.testing.assert_allclose(updates, -rate, atol=1e-4)


def test_keys_belong_to_examples():
    key = jax.random.key(0)
    whole = step.example_keys(key, 8, None)
    parts = jax.pmap(
        lambda _: jax.random.key_data(step.example_keys(key, 2, "devices")),
        "devices",
        devices=jax.devices()[:4],
    )(jnp.zeros(4))
    np.testing.assert_array_equal(
        parts.reshape(8, -1), jax.random.key_data(whole).reshape(8, -1)
    )
