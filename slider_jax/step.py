"""One training step: n_critic critic updates, then one generator update."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float, Int, Key

from slider_jax.batch import Batch
from slider_jax.systems.base import Losses, Params, System

PLAYERS = ("critic", "generator")
Metrics = dict[str, Float[Array, ""]]
# Of one player's losses; a loss of weight None is watched, not trained. A player
# whose weights are None rests.
Weights = dict[str, float | Float[Array, ""] | None] | None


@struct.dataclass
class TrainState:
    """All that changes while training, and all that a checkpoint holds."""

    step: Int[Array, ""]
    params: Params
    opt_state: dict[str, Any]
    ema: Params  # both players smoothed; what we ship and evaluate


def adam(rate: float, *, updates: int, constant: float) -> optax.GradientTransformation:
    """Adam (sec. 5.2), its rate constant at first and then linear to 0.

    `updates` is how many there will be, `constant` the fraction before the decay.
    """
    flat = round(constant * updates)
    schedule = optax.schedules.join_schedules(
        [
            optax.schedules.constant_schedule(rate),
            optax.schedules.linear_schedule(rate, 0.0, max(1, updates - flat)),
        ],
        [flat],
    )
    return optax.adam(schedule, b1=0.5, b2=0.999)


def init_state(
    system: System,
    optimizers: dict[str, optax.GradientTransformation],
    batch: Batch,
    *,
    seed: int,
    frozen: Params | None = None,
) -> TrainState:
    """`frozen` are further entries of `params`, which no optimiser touches."""
    params = jax.jit(system.init)(jax.random.key(seed), batch) | (frozen or {})
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state={name: tx.init(params[name]) for name, tx in optimizers.items()},
        ema={player: jax.tree.map(jnp.copy, params[player]) for player in PLAYERS},
    )


def make_step(
    system: System,
    optimizers: dict[str, optax.GradientTransformation],
    *,
    seed: int = 0,
    ema_decay: float = 0.999,
    axis_name: str | None = None,
    unroll: bool = False,
) -> Callable[[TrainState, Batch, dict[str, Weights]], tuple[TrainState, Metrics]]:
    """Returns the pure function `(state, batches, weights) -> (state, metrics)`.

    `weights` are those of the losses, by player: other numbers need no other program.
    Where the generator rests, the critic learns to read, and there are no edits; where
    the critic rests, the generator may learn from few of its losses, the cheap ones.
    Every leaf of `batches` has shape [n_critic, batch, ...]: one slice per critic
    update. The generator learns from the last slice, as in StarGAN's solver.
    Randomness is a function of (seed, step, example): a resumed run repeats it.
    Unrolled, the critic is compiled n_critic times and runs faster where loops are
    slow, which is on CPUs.
    """
    batch_mean = lambda x: mean_over_devices(x.mean(), axis_name)

    def update(player, losses_fn, weights, state, batch, key):
        """One gradient step for one player; the other's parameters stay put."""
        keys = example_keys(key, batch.image.shape[0], axis_name)

        def objective(player_params):
            params = state.params | {player: player_params}
            losses = losses_fn(params, batch, keys, batch_mean)
            means = {name: loss.mean() for name, loss in losses.items()}
            total = weighted_sum(weights, means)
            return total, means | {"total": total}

        grads, means = jax.grad(objective, has_aux=True)(state.params[player])
        grads, means = mean_over_devices((grads, means), axis_name)
        squares = sum(jnp.square(g).sum() for g in jax.tree.leaves(grads))
        means["gradient_norm"] = jnp.sqrt(squares)
        updates, opt_state = optimizers[player].update(
            grads, state.opt_state[player], state.params[player]
        )
        params = optax.apply_updates(state.params[player], updates)
        state = state.replace(
            params=state.params | {player: params},
            opt_state=state.opt_state | {player: opt_state},
        )
        return state, {f"{player}/{name}": mean for name, mean in means.items()}

    def step(state, batches, weights):
        n_critic = batches.image.shape[0]
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        *critic_keys, generator_key = jax.random.split(key, n_critic + 1)

        critic, generator = (weights[player] for player in PLAYERS)
        critic_losses = system.critic_losses
        if generator is None:
            critic_losses = getattr(system, "reading_losses", None)
            if critic_losses is None:
                raise ValueError(
                    "A phase has no weights for the generator, and this system no "
                    "`reading_losses` for a critic alone: see slider_jax/systems."
                )

        def critic_update(state, batch_and_key):
            return update("critic", critic_losses, critic, state, *batch_and_key)

        metrics = {}
        if critic is not None:
            # A scan of one step stays a loop, where convolutions are slow on CPUs.
            loop = _unrolled if unroll else jax.lax.scan
            state, each = loop(critic_update, state, (batches, jnp.stack(critic_keys)))
            norm = "critic/gradient_norm"  # the last one's: all cost a twentieth
            metrics |= jax.tree.map(jnp.mean, each) | {norm: each[norm][-1]}
        if generator is not None:
            last = jax.tree.map(lambda x: x[-1], batches)
            losses_fn = system.generator_losses
            if critic is None:
                losses_fn = getattr(system, "painting_losses", losses_fn)
                losses_fn = _those(generator, losses_fn)
            state, its = update(
                "generator", losses_fn, generator, state, last, generator_key
            )
            metrics |= its
        learnt = {"critic": critic is not None, "generator": generator is not None}
        ema = {
            player: smoothed(player, state, n_critic) if learnt[player] else old
            for player, old in state.ema.items()
        }
        return state.replace(step=state.step + 1, ema=ema), metrics

    def smoothed(player, state, n_critic):
        """Once a step, slower and slower.

        A mean over the last ninth of its steps at first, which forgets the random
        start, then over 1 / (1 - ema_decay) of them.
        """
        opt_state = state.opt_state[player]
        (_, count), *_ = optax.tree_utils.tree_get_all_with_path(opt_state, "count")
        steps = count / n_critic if player == "critic" else count
        decay = jnp.minimum(ema_decay, steps / (9 + steps))
        return optax.incremental_update(
            state.params[player], state.ema[player], 1 - decay
        )

    return step


def _unrolled(update, state, xs):
    """As `lax.scan`."""
    leaves, tree = jax.tree.flatten(xs)
    metrics = []
    for slices in zip(*leaves, strict=True):
        state, its = update(state, tree.unflatten(slices))
        metrics.append(its)
    return state, jax.tree.map(lambda *each: jnp.stack(each), *metrics)


def _those(weights, losses_fn):
    """What has no weight is not named, and what nobody looks at XLA leaves out."""

    def few(*inputs):
        losses = losses_fn(*inputs)
        return {name: loss for name, loss in losses.items() if name in weights}

    return few


def weighted_sum(weights: Weights, losses: Losses) -> Float[Array, ""]:
    """Σ wᵢ·lossᵢ. The names must match: a typo in a config must not train.

    What has no weight is watched only: no gradient is computed for it.
    """
    if weights.keys() != losses.keys():
        raise ValueError(
            f"The weights of a phase name no losses of this system with "
            f"{sorted(weights.keys() - losses.keys())}, and leave out "
            f"{sorted(losses.keys() - weights.keys())}: in the config, give every loss "
            "a weight, or None to watch it only."
        )
    given = {name: weight for name, weight in weights.items() if weight is not None}
    return sum((w * losses[name] for name, w in given.items()), jnp.zeros(()))


def mean_over_devices(tree: Any, axis_name: str | None) -> Any:
    """Differentiable: the mean of the gradients is the gradient of the mean."""
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def example_keys(
    key: Key[Array, ""], local_batch: int, axis_name: str | None
) -> Key[Array, "b"]:
    """One key per example, the same whichever device the example lands on."""
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * local_batch
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(
        first + jnp.arange(local_batch)
    )
