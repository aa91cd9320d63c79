"""`slider bench train` is fair: the rival plays the same game, and all take turns."""

import dataclasses
import importlib.util
import inspect
import multiprocessing
import os
import sys
import threading
import time
import types
from multiprocessing.connection import Connection

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import close, quick
from small_game import one

from slider_jax import bench_jax, bench_train, step, torch_weights
from slider_jax.bench_train import WEIGHTS, Contender, Setting

SMALL = Setting(16, width=4, batch=2, blocks=1, depth=2, parameters=3, n_critic=2)


@pytest.fixture(scope="module")
def rivals():
    """Our system with PyTorch's weights, PyTorch's game, and a batch for each."""
    torch = pytest.importorskip("torch")
    from slider_jax import bench_torch

    torch.manual_seed(0)
    game = bench_torch.Game(SMALL)
    generator = {k: v.numpy() for k, v in game.generator.state_dict().items()}
    heads = generator.pop("heads.weight")
    generator["img_reg.0.weight"] = heads[:3]
    generator["attetion_reg.0.weight"] = -heads[3:]  # GANimation's mask is ours turned
    critic = {k: v.numpy() for k, v in game.critic.state_dict().items()}
    params = {
        player: torch_weights.convert(state, f"ganimation-{player}")[0]
        for player, state in dict(generator=generator, critic=critic).items()
    }
    params, batch = jax.tree.map(jnp.asarray, (params, one(bench_jax.noise(SMALL))))
    tensor = lambda x: torch.tensor(np.moveaxis(np.array(x), -1, 1).copy())
    theirs = types.SimpleNamespace(
        **{
            field.name: tensor(value) if value.ndim > 1 else torch.tensor(value)
            for field in dataclasses.fields(batch)
            for value in [np.array(getattr(batch, field.name))]
        }
    )
    return bench_jax.system(SMALL), params, batch, game, theirs


def losses_and_slopes(rivals, player, keys):
    """Ours by name, and the gradient of the weighted sum."""
    system, params, batch, *_ = rivals
    losses_fn = getattr(system, f"{player}_losses")

    def objective(mine):
        losses = losses_fn(params | {player: mine}, batch, keys, jnp.mean)
        means = {name: loss.mean() for name, loss in losses.items()}
        return step.weighted_sum(WEIGHTS[player], means), means

    slopes, means = quick(jax.grad(objective, has_aux=True))(params[player])
    return means, slopes["params"]


@pytest.mark.parametrize("player, layer", [("critic", "conv1"), ("generator", "heads")])
def test_the_rival_computes_our_losses_and_gradients(rivals, player, layer):
    import torch

    *_, game, batch = rivals
    keys = jax.random.split(jax.random.key(1), SMALL.batch)
    ours, slopes = losses_and_slopes(rivals, player, keys)
    if player == "critic":
        t = torch.tensor(np.array(jax.vmap(jax.random.uniform)(keys)))
        theirs = game.critic_losses(batch, t)
        mine = slopes["score"]["kernel"]
    else:
        theirs = game.generator_losses(batch)
        heads = slopes["heads"]
        mine = jnp.concatenate([heads["colour"], heads["mask"]], 3)
    weights = WEIGHTS[player]
    assert theirs.keys() == {name for name, weight in weights.items() if weight}
    for name, loss in theirs.items():
        np.testing.assert_allclose(ours[name], loss.item(), rtol=1e-4, atol=1e-6)
    total = sum(weights[name] * loss for name, loss in theirs.items())
    kernel = getattr(getattr(game, player), layer).weight
    (slope,) = torch.autograd.grad(total, kernel)
    close(mine, slope.numpy().transpose(2, 3, 1, 0), 1e-4)


@pytest.mark.parametrize("size", [64, 128])
def test_the_rival_has_as_many_weights(size):
    """Also where some of the usual ones would meet nothing but padding."""
    pytest.importorskip("torch")
    from slider_jax import bench_torch

    setting = Setting(size, width=4, batch=1, blocks=1)
    ours = jax.eval_shape(lambda: bench_jax.first_state(setting)).params
    for player, net in (
        ("generator", bench_torch.Generator(setting)),
        ("critic", bench_torch.Critic(setting)),
    ):
        theirs = sum(p.numel() for p in net.parameters())
        assert sum(x.size for x in jax.tree.leaves(ours[player])) == theirs


def test_the_rival_moves_only_the_player_that_learns(rivals):
    import torch

    *_, game, batch = rivals
    copy = lambda net: [p.detach().clone() for p in net.parameters()]
    for player, other in (step.PLAYERS, step.PLAYERS[::-1]):
        learns, stands = getattr(game, player), getattr(game, other)
        before = copy(learns), copy(stands)
        getattr(game, f"update_{player}")(batch)
        after = copy(learns), copy(stands)
        assert not any(map(torch.equal, before[0], after[0]))
        assert all(map(torch.equal, before[1], after[1]))


def test_an_update_alone_is_that_of_the_step():
    """And the other player's is not computed: there are fewer operations."""
    tiny = dataclasses.replace(SMALL, blocks=0, depth=1)
    state, batches = bench_jax.first_state(tiny), bench_jax.noise(tiny)
    flops = {}
    for player in step.PLAYERS:
        update = quick(bench_jax.only(player, tiny))
        flops[player] = update.lower(state, batches).cost_analysis()["flops"]
        new, metrics = update(state, batches)
        assert all(name.startswith(player) for name in metrics)
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), state, new)
        for other in step.PLAYERS:
            assert any(jax.tree.leaves(moved.params[other])) == (other == player)
    whole = quick(bench_jax.round_of(tiny, unroll=True))
    whole = whole.lower(state, batches).cost_analysis()["flops"]
    np.testing.assert_allclose(sum(flops.values()), whole, rtol=0.02)


# ------------------------------------------------------------ taking turns


@pytest.fixture
def play(monkeypatch):
    """`play(**tasks)` has stand-ins compete, as threads; gives the findings."""
    monkeypatch.setattr(bench_train, "SECONDS", 0.0)

    class Thread(threading.Thread):
        def __init__(self, target, args, daemon):
            near, *others = args  # processes have a copy; the original gets closed
            copy = Connection(os.dup(near.fileno()))
            super().__init__(target=target, args=(copy, *others), daemon=daemon)

        def terminate(self):
            pass

    context = types.SimpleNamespace(Pipe=multiprocessing.Pipe, Process=Thread)
    monkeypatch.setattr(multiprocessing, "get_context", lambda kind: context)

    def stand_in(name, tasks):
        module = types.SimpleNamespace(
            prepare=lambda setting: tasks,
            facts=lambda setting: dict(
                dtype="float32", device="toy", flops=6e9, matrix={name: 100.0}
            ),
        )
        monkeypatch.setitem(sys.modules, f"slider_jax.toy_{name}", module)
        return Contender(name, f"toy_{name}")

    def play(turns, **players):
        some = [stand_in(name, tasks) for name, tasks in players.items()]
        return bench_train.compete(SMALL, some, turns=turns) | dict(threads=1)

    return play


def test_all_take_turns_and_the_first_one_rotates(play):
    calls = []
    player = lambda name: {
        task: lambda task=task: calls.append((name, task))
        for task in ("round", "critic")
    }
    found = play(3, a=player("a"), b=player("b"), c=player("c"))["contenders"]
    assert [len(row["round"]["wall"]) for row in found.values()] == [3, 3, 3]
    assert not found["a"]["generator"]["wall"]
    calls = calls[-54:]  # each one three times: what goes before does not count
    assert calls[::3] == calls[1::3] == calls[2::3]
    turns = [name for name, task in calls[::3] if task == "round"]
    assert "".join(turns) == "abcbcacab"


def test_the_start_that_compiles_is_told_and_another_one_timed(play):
    starts = []

    def compiles_once():
        if not starts:
            time.sleep(0.2)
        starts.append(threading.current_thread())

    row = play(1, ours=dict(round=compiles_once))["contenders"]["ours"]
    assert row["first"] >= 0.2 > row["round"]["wall"][0]
    assert starts[0] is not starts[-1]


def test_the_table_has_medians_and_the_fastest_rival(play):
    clock = lambda seconds: {task: lambda: None for task in seconds}
    rows = {
        "ours": dict(round=2.0, critic=0.3, generator=0.5),
        "PyTorch eager": dict(round=6.0, critic=0.8, generator=2.0),
        "PyTorch compiled": dict(round=5.0, critic=0.9, generator=0.5),
    }
    found = play(1, **{name: clock(row) for name, row in rows.items()})
    for name, row in rows.items():
        for task, seconds in row.items():
            found["contenders"][name][task] = dict(
                wall=[9 * seconds, seconds, 0.0], cpu=[seconds]
            )
        found["contenders"][name] |= dict(first=12.0, memory=3e9)
    said = bench_train.table(found)
    head, _, ours, *_, wall, cpu = said.splitlines()
    assert head == "16 px, width 4, batch 2, 1 threads, toy; medians, seconds"
    # 6 GFLOP in 2 s of 100 GFLOP/s; 2 faces in each of 2 updates of the critic.
    assert ours.split()[1:] == "0.300 0.500 2.000 2.000 12.0 3.0 3 3% 2.0".split()
    # 2 * 0.8 + 0.5 = 2.1
    assert wall == (
        "float32, by the clock: ours is 2.50 times as fast as PyTorch compiled, and "
        "1.05 times as the best critic and the best generator of PyTorch together."
    )
    assert cpu.startswith("float32, in processor time: ours is 2.50 times")
    # A rival that computes less exactly than any of ours is told apart.
    narrow = dict(dtype="bfloat16", round=dict(wall=[3.0], cpu=[3.0]))
    eager = found["contenders"]["PyTorch eager"]
    found["contenders"]["PyTorch narrow"] = eager | narrow
    *_, same, _, narrow, _ = bench_train.table(found).splitlines()
    assert same == wall
    assert narrow.startswith("bfloat16, by the clock: ours is 1.50 times as fast as Py")


def test_without_pytorch_there_are_only_our_rows_and_a_sentence(play, monkeypatch):
    monkeypatch.setattr(bench_train.importlib.util, "find_spec", lambda name: None)
    names = [contender.name for contender in bench_train.contenders("cpu")]
    assert names == ["ours", "ours, scanned"]
    found = play(1, ours=dict(round=lambda: None))
    assert bench_train.table(found).endswith(
        "PyTorch is not installed, so there is nobody to compare with."
    )
    monkeypatch.undo()
    if importlib.util.find_spec("torch"):
        assert "PyTorch took no part, so" in bench_train.table(found)


def test_a_worker_that_dies_is_named():
    near, far = multiprocessing.Pipe()
    far.close()
    for task in (None, "round"):  # while it prepares, and while others play
        with pytest.raises(ValueError, match="PyTorch eager stopped"):
            bench_train._receive("PyTorch eager", near, task)


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(size=100), "--size is 100"),
        (dict(threads=1000), "--threads is 1000"),
        (dict(only="ours; mine"), "--only has 'mine'; choose from ours; ours, scanned"),
        (dict(only="PyTorch eager"), "--only has none of ours to compare with"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        bench_train.train(**options)


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_contenders_have_names_of_their_own_and_known_options(backend):
    """On a GPU nothing here can run: at least the options exist."""
    some = bench_train.contenders(backend, styles=True)
    assert len({contender.name for contender in some}) == len(some)
    ours = inspect.signature(bench_jax.prepare).parameters
    for contender in some:
        if contender.module == "bench_jax":
            assert contender.options.keys() <= ours.keys()


def test_some_contenders_can_play_without_the_others():
    some = bench_train.contenders("cpu")
    names = [c.name for c in bench_train._named("ours, scanned; ours", some)]
    assert names == ["ours", "ours, scanned"]
    assert bench_train._named(None, some) == some


def test_the_workers_cache_goes_with_them():
    before = dict(os.environ)
    with bench_train._cache():
        folder = os.environ["JAX_COMPILATION_CACHE_DIR"]
        assert os.path.isdir(folder)
    assert not os.path.exists(folder) and dict(os.environ) == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:resource_tracker")
def test_real_workers_compete(monkeypatch):
    """Ours and PyTorch, each in a process of its own."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")  # to compile
    some = [
        c for c in bench_train.contenders("cpu") if c.name in ("ours", "PyTorch eager")
    ]
    with bench_train._cache():
        found = bench_train.compete(SMALL, some, turns=1) | dict(threads=1)
    said = bench_train.table(found)
    for row in found["contenders"].values():
        assert row["memory"] > 1e8 and row["first"] > 0
    if len(some) > 1:
        assert "times as fast as PyTorch eager" in said
