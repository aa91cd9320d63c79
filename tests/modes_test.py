"""The whole losses of both players, in every mode, are those of a twin in PyTorch."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import quick
from small_game import assert_close, batches, one

from slider_jax import losses, ops, step, systems
from slider_jax.systems import slidergan

torch = pytest.importorskip("torch")
from torch_twin import Twin, to_ours  # noqa: E402

SMALL = dict(parameters=5, size=32, width=4, blocks=1, depth=3, initial="torch")
WEIGHTS = {
    "critic": dict(adversarial=3.0, gradient_penalty=1.0, expression=1.0),
    "generator": dict(
        adversarial=3.0,
        expression=1.0,
        reconstruction=0.1,
        paired=0.1,
        colour=0.1,
        moved=0.1,
        attention=0.3,
    ),
}
# While the critic rests.
WEIGHTS["painting"] = dict(likeness=0.5, cover=0.5, revealed=0.3, edges=0.1)
WEIGHTS["painting"] |= WEIGHTS["generator"]
LITERAL = dict(penalty_at="fake", penalty_on="sigma")  # eq. 6 as printed
GAMES = [{"adversarial": mode} for mode in losses.ADVERSARIAL] + [
    {"relative_to": "position"},
    {"relative_to": "position", "adversarial": "ralsgan"},
    {"bounded": True},
    {"critic_kind": "patchgan70"},
]
PENALTIES = [{"penalty_at": place} for place in slidergan.PENALTY_POINTS[1:]] + [
    {"penalty_on": "sigma"},
    LITERAL,
    {"critic_kind": "patchgan70", "bounded": True} | LITERAL,
]


PLAYERS = {
    "critic": GAMES + PENALTIES,
    "generator": [*GAMES, {"warped": True}, {"distance": "squared"}],
    "painting": [{"warped": True, "tint": 0.25}, {"critic_kind": "patchgan70"}],
}
CASES = [(player, choice) for player in PLAYERS for choice in PLAYERS[player]]


def learner(player):
    return "critic" if player == "critic" else "generator"


def named(choice):
    """Choices of one name have the same weights."""
    return next((n for n in ("critic_kind", "warped") if n in choice), "usual")


@pytest.fixture(scope="module")
def scene():
    """A batch, keys, and parameters for the networks there are."""
    torch.set_num_threads(1)
    shape = dict(size=SMALL["size"], parameters=SMALL["parameters"])
    batch = jax.tree.map(jnp.asarray, one(batches(1, 3, **shape)))
    params = {
        named(choice): quick(systems.create("slidergan", **SMALL, **choice).init)(
            jax.random.key(1), batch
        )
        for choice in ({}, {"critic_kind": "patchgan70"}, {"warped": True})
    }
    # Half a pixel and more: at whole ones the slopes of a flow jump.
    for head, much in (("flow", 15), ("cover", 30)):
        params["warped"]["generator"]["params"]["heads"][head] *= much
    return batch, jax.random.split(jax.random.key(2), 3), params


@pytest.fixture(scope="module")
def ours(scene):
    """The gradient and the terms of every case, by one program for each player."""
    batch, keys, params = scene

    def of(player, choice, params, batch, keys):
        system = systems.create("slidergan", **SMALL, **choice)

        def objective(mine):
            losses_fn = getattr(system, f"{player}_losses")
            players = params | {learner(player): mine}
            terms = losses_fn(players, batch, keys, jnp.mean)
            means = {name: terms[name].mean() for name in WEIGHTS[player]}
            return step.weighted_sum(WEIGHTS[player], means), means

        return jax.grad(objective, has_aux=True)(params[learner(player)])

    def run(player):
        def every(params, batch, keys):
            return [
                of(player, c, params[named(c)], batch, keys) for c in PLAYERS[player]
            ]

        with ops.using("plain"):  # compiles quickly; the others are as exact
            return quick(every)(params, batch, keys)

    return {player: run(player) for player in PLAYERS}


def case_name(value):
    return value if isinstance(value, str) else "-".join(map(str, value.values()))


@pytest.mark.parametrize("player, choice", CASES, ids=case_name)
def test_what_a_player_minimises_is_what_it_does_in_pytorch(
    player, choice, scene, ours
):
    """Every term, and the gradient of their weighted sum."""
    batch, keys, params = scene
    slope, means = ours[player][PLAYERS[player].index(choice)]
    params = params[named(choice)]

    twin = Twin(params, SMALL | choice, WEIGHTS, 1e-3)
    tensor = lambda x: torch.tensor(np.array(x))
    image = lambda x: tensor(x).permute(0, 3, 1, 2)
    b = types.SimpleNamespace(
        image=image(batch.image),
        target=image(batch.target),
        expression=tensor(batch.expression),
        target_expression=tensor(batch.target_expression),
        paired=tensor(batch.paired),
    )
    if player == "critic":
        theirs = twin.critic_losses(b, tensor(jax.vmap(jax.random.uniform)(keys)))
    else:
        theirs = getattr(twin, f"{player}_losses")(b)
    for term, value in means.items():
        expected = theirs[term].detach().numpy()
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6, err_msg=term)
    leaves = getattr(twin, learner(player))
    total = sum(weight * theirs[term] for term, weight in WEIGHTS[player].items())
    gradient = torch.autograd.grad(total, leaves.values(), materialize_grads=True)
    expected = to_ours(dict(zip(leaves, gradient, strict=True)))
    largest = max(np.abs(x).max() for x in jax.tree.leaves(expected))
    assert_close(slope, expected, rtol=1e-3, atol=1e-4 * largest)
