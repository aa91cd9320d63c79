"""Our side of `slider bench train`."""

import functools
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slider_jax import ops
from slider_jax.batch import Batch
from slider_jax.bench_train import WEIGHTS, Setting, fastest
from slider_jax.step import PLAYERS, TrainState, adam, init_state, make_step
from slider_jax.systems.slidergan import System


def prepare(
    setting: Setting,
    *,
    unroll: bool = True,
    style: str | None = None,
    dtype: str = "float32",
) -> dict[str, Callable[[], None]]:
    """By name, what trains once and waits until that is done."""
    style = style or ops.style()
    state = [first_state(setting, dtype)]
    batches = jax.tree.map(jnp.asarray, noise(setting))

    def task(program, batches):
        program = jax.jit(program, donate_argnums=0)

        def run():
            with ops.using(style):
                state[0], metrics = program(state[0], batches)
            jax.block_until_ready((state[0], metrics))

        return run

    whole = task(round_of(setting, dtype, unroll=unroll), batches)
    if not unroll:
        return {"round": whole}  # its updates are those of the other
    alone = {p: task(only(p, setting, dtype), _first(batches)) for p in PLAYERS}
    return {"round": whole, **alone}


def first_state(setting: Setting, dtype: str = "float32") -> TrainState:
    example = jax.tree.map(lambda x: x[0], noise(setting))
    return init_state(system(setting, dtype), _optimizers(), example, seed=0)


def noise(setting: Setting) -> Batch:
    """[n_critic, batch, ...], half of the faces paired."""
    r = np.random.default_rng(0)

    def draw(*shape):
        shape = (setting.n_critic, setting.batch, *shape)
        return r.uniform(-1, 1, shape).astype(np.float32)

    image, parameters = (setting.size, setting.size, 3), (setting.parameters,)
    return Batch(
        image=draw(*image),
        expression=draw(*parameters),
        target=draw(*image),
        target_expression=draw(*parameters),
        paired=draw() > 0,
    )


def only(player: str, setting: Setting, dtype: str = "float32") -> Callable:
    """One update of this player, while the other rests."""
    game = system(setting, dtype)
    playing = types.SimpleNamespace(
        # Its whole game, and not only what it reads.
        reading_losses=game.critic_losses,
        critic_losses=game.critic_losses,
        generator_losses=game.generator_losses,
    )
    weights = {p: WEIGHTS[p] if p == player else None for p in PLAYERS}
    return functools.partial(
        make_step(playing, _optimizers(), unroll=True), weights=weights
    )


def facts(setting: Setting, *, dtype: str = "float32", **_: Any) -> dict[str, Any]:
    """Work of a round in FLOP, and GFLOP/s of large matrix products, by library."""
    device = jax.devices()[0]
    found = dict(device=device.device_kind, dtype=dtype, flops=flops(setting))
    rows = 2048 if device.platform == "cpu" else 8192
    matrix = np.random.default_rng(0).standard_normal((rows, rows), np.float32)
    ours = jnp.asarray(matrix, dtype)
    product = jax.jit(jnp.matmul)
    found["matrix"] = {
        "JAX": fastest(lambda: product(ours, ours).block_until_ready(), rows)
    }
    if device.platform == "cpu":
        found["matrix"]["NumPy"] = fastest(lambda: matrix @ matrix, rows)
    else:
        found["memory"] = device.memory_stats()["peak_bytes_in_use"]
    return found


def flops(setting: Setting) -> float:
    """Of a round: additions and multiplications of the plain formulation."""
    state = jax.eval_shape(lambda: first_state(setting))
    batches = _first(noise(setting))
    with ops.using("plain"):
        critic, generator = (
            jax.jit(only(p, setting)).lower(state, batches).cost_analysis()["flops"]
            for p in PLAYERS
        )
    return setting.n_critic * critic + generator


def system(setting: Setting, dtype: str = "float32") -> System:
    return System(
        parameters=setting.parameters,
        size=setting.size,
        width=setting.width,
        blocks=setting.blocks,
        depth=setting.depth,
        initial="torch",
        dtype=dtype,
    )


def _optimizers():
    return {p: adam(1e-4, updates=10**6, constant=1.0) for p in PLAYERS}


def round_of(setting: Setting, dtype: str = "float32", *, unroll: bool) -> Callable:
    """The step as training takes it."""
    step = make_step(system(setting, dtype), _optimizers(), unroll=unroll)
    return functools.partial(step, weights=WEIGHTS)


def _first(batches):
    """Of the critic's batches the first one, with the axis kept."""
    return jax.tree.map(lambda x: x[:1], batches)
