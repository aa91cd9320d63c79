"""GANimation and StarGAN train as twins in PyTorch do; configs fit their systems."""

import importlib
import json
import pathlib
import runpy
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from parity import quick
from small_game import assert_close, batches, one

from slider_jax import ops, prepare, settings, step, systems, torch_weights, train
from slider_jax.face import labels
from slider_jax.nets.generator import Painting

ROOT = pathlib.Path(__file__).parent.parent
NAMES = ("ganimation", "stargan")
CONFIGS = [
    f"{path.stem}:{variant}"
    for path in sorted((ROOT / "configs").glob("*.py"))
    for variant in runpy.run_path(str(path))["VARIANTS"]
]
SMALL = dict(size=16, width=8, blocks=1, depth=2)
CLASSES, BATCH, ROUNDS, RATE = 5, 4, 6, 1e-3


def noise(seed):
    """Two critic's batches whose conditions are classes."""
    b = batches(2, BATCH, seed=seed, size=SMALL["size"], parameters=CLASSES)
    pick = lambda x: np.eye(CLASSES, dtype=np.float32)[x.argmax(-1)]
    return b.replace(
        expression=pick(b.expression), target_expression=pick(b.target_expression)
    )


def as_torch(torch, batch):
    image = lambda x: torch.tensor(x.transpose(0, 3, 1, 2))
    return types.SimpleNamespace(
        image=image(batch.image),
        expression=torch.tensor(batch.expression),
        target_expression=torch.tensor(batch.target_expression),
    )


@pytest.fixture(scope="module", params=NAMES)
def game(request):
    """A system and its twin, with the same weights."""
    torch = pytest.importorskip("torch")
    twins = importlib.import_module("torch_baselines")
    torch.set_num_threads(1)
    twin = getattr(twins, request.param.capitalize())(CLASSES, rate=RATE, **SMALL)
    system = systems.create(request.param, parameters=CLASSES, **SMALL)
    with ops.using("plain"):  # compiles quickly; the others are as exact
        yield types.SimpleNamespace(torch=torch, system=system, twin=twin)


def as_ours(twin, values=None):
    """The twin's parameters, or others by the same names."""
    values = values or {
        player: {
            name: value.numpy()
            for name, value in getattr(twin, player).state_dict().items()
        }
        for player in step.PLAYERS
    }
    return {
        player: jax.tree.map(
            np.array, torch_weights.convert(named, twin.kinds[player])[0]
        )
        for player, named in values.items()
    }


@pytest.fixture(scope="module")
def first(game):
    """Edits, gradients and what is new in them, before any step: ours and theirs."""
    torch, twin, system = game.torch, game.twin, game.system
    params, batch = as_ours(twin), one(noise(0))
    keys = jax.random.split(jax.random.key(7), BATCH)
    weights = twin.weights(BATCH)

    def slope(player, params, batch):
        def objective(mine):
            losses_fn = getattr(system, f"{player}_losses")
            terms = losses_fn(params | {player: mine}, batch, keys, jnp.mean)
            means = {name: term.mean() for name, term in terms.items()}
            return step.weighted_sum(weights[player], means)

        return jax.grad(objective)(params[player])

    def everything(params, batch):
        edit = batch.image, batch.target_expression
        edited = system.paint(params["generator"], *edit)[:2]
        return edited, {player: slope(player, params, batch) for player in step.PLAYERS}

    b = as_torch(torch, batch)
    edited, new = twin.edit(b.image, b.target_expression)
    t = torch.tensor(np.array(jax.vmap(jax.random.uniform)(keys)))
    slopes = {}
    for player, inputs in dict(critic=(b, t), generator=(b,)).items():
        total = sum(getattr(twin, f"{player}_terms")(*inputs).values())
        leaves = dict(getattr(twin, player).named_parameters())
        found = torch.autograd.grad(total, leaves.values())
        slopes[player] = {k: x.numpy() for k, x in zip(leaves, found, strict=True)}
    back = lambda x: x.detach().numpy().transpose(0, 2, 3, 1)
    theirs = (back(edited), back(new)), as_ours(twin, slopes)
    return quick(everything)(params, batch), theirs


@pytest.fixture(scope="module")
def rounds(game, first):
    """(weighted terms, parameters) after every round: ours and theirs."""
    torch, twin, system = game.torch, game.twin, game.system
    weights = twin.weights(BATCH)
    optimizers = {p: optax.adam(RATE, b1=0.5, b2=0.999) for p in step.PLAYERS}
    state = step.init_state(system, optimizers, one(noise(0)), seed=0)
    state = state.replace(params=as_ours(twin))
    run = quick(step.make_step(system, optimizers))
    ours, theirs = [], []
    for number in range(ROUNDS):
        data = noise(number)
        state, metrics = run(state, data, weights)
        terms = {
            f"{player}/{name}": weight * metrics[f"{player}/{name}"]
            for player, named in weights.items()
            for name, weight in named.items()
        }
        ours.append((terms, state.params))
        *keys, _ = jax.random.split(jax.random.fold_in(jax.random.key(0), number), 3)
        seen = []
        for i, key in enumerate(keys):
            t = jax.vmap(jax.random.uniform)(step.example_keys(key, BATCH, None))
            b = as_torch(torch, jax.tree.map(lambda x, i=i: x[i], data))
            seen.append(twin.update("critic", b, torch.tensor(np.array(t))))
        made = twin.update("generator", b)
        terms = {f"critic/{name}": np.mean([s[name] for s in seen]) for name in seen[0]}
        terms |= {f"generator/{name}": term for name, term in made.items()}
        theirs.append((terms, as_ours(twin)))
    return ours, theirs


def test_the_edit_and_what_is_new_in_it_are_those_of_pytorch(first):
    (ours, _), (theirs, _) = first
    assert_close(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("player", step.PLAYERS)
def test_the_gradient_is_that_of_pytorch(first, player):
    """Of all terms with the authors' weights; the penalty's is of second order."""
    (_, ours), (_, theirs) = first
    largest = max(np.abs(x).max() for x in jax.tree.leaves(theirs[player]))
    assert_close(ours[player], theirs[player], rtol=1e-3, atol=1e-4 * largest)


def test_one_round_is_that_of_pytorch(rounds):
    """Adam's first step is a sign: one weight in a thousand may go the other way."""
    (terms, params), (their_terms, their_params) = (side[0] for side in rounds)
    assert_close(terms, their_terms, rtol=1e-3, atol=1e-5)
    off = jax.tree.map(lambda a, b: np.abs(a - b) > RATE / 20, params, their_params)
    assert np.mean(np.concatenate([x.ravel() for x in jax.tree.leaves(off)])) < 1e-3


def test_six_rounds_stay_together(rounds):
    for (terms, _), (their_terms, _) in zip(*rounds, strict=True):
        assert_close(terms, their_terms, rtol=0.02, atol=0.02)


def test_a_smaller_mask_of_ganimation_paints_more(monkeypatch):
    """`kept` falls as more is painted, SliderGAN's attention rises."""

    class Even:
        def apply(self, opening, image, expression):
            even = jnp.full_like(image[..., :1], opening)
            return Painting(image, even, jnp.zeros_like(image[..., :2]), even)

    system = systems.create("ganimation", parameters=CLASSES, **SMALL)
    batch = jax.tree.map(jnp.asarray, one(noise(0)))
    critic = quick(system.init)(jax.random.key(0), batch)["critic"]
    monkeypatch.setattr(type(system), "generator", Even())

    def kept(opening):
        params = {"generator": opening, "critic": critic}
        return system.generator_losses(params, batch, None, jnp.mean)["kept"]

    np.testing.assert_allclose(kept(0.25), 1.5)
    np.testing.assert_allclose(kept(0.75), 0.5)


@pytest.mark.parametrize(
    "name, field", [("ganimation", "mask"), *((name, "distance") for name in NAMES)]
)
def test_an_unknown_mode_is_refused_with_those_there_are(name, field):
    with pytest.raises(ValueError, match=f"model.{field} is 'typo'; choose from"):
        systems.create(name, **{field: "typo"})


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_weighs_the_losses_of_its_system(name, monkeypatch):
    """By name, and its conditions are as wide as the data's. Shapes only."""
    monkeypatch.chdir(ROOT)
    file, variant = name.split(":")
    config = settings.read([f"--config=configs/{file}.py:{variant}"])
    config.data.folder = "tiny"
    prepare.check(config)
    system = systems.create(config.system, **config.model)
    told, size = prepare.condition(config), config.model.size
    b = jax.eval_shape(
        lambda: one(batches(1, 2, size=size, parameters=labels.width(**told)))
    )
    key = jax.eval_shape(lambda: jax.random.key(0))
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2))
    params = jax.eval_shape(system.init, key, b)
    for number in range(len(config.phases)):
        weights = prepare.weights_of(config, number)
        alone = None in weights.values()
        for player in [p for p in step.PLAYERS if weights[p]]:
            by_itself = dict(critic="reading", generator="painting")[player]
            losses_fn = getattr(system, f"{player}_losses")
            if alone:
                losses_fn = getattr(system, f"{by_itself}_losses", losses_fn)
            terms = jax.eval_shape(
                lambda *a, f=losses_fn: f(*a, jnp.mean), params, b, keys
            )
            asked = weights[player].keys() - {"identity"}
            assert asked <= terms.keys() if alone else asked == terms.keys()


def test_a_model_as_wide_as_other_labels_is_refused(monkeypatch):
    monkeypatch.chdir(ROOT)
    asked = ["--config=configs/ganimation.py:tiny", "--config.data.labels=components"]
    match = "model.parameters is 17; with data.labels=components, .* it is 30."
    with pytest.raises(ValueError, match=match):
        prepare.check(settings.read(asked))


@pytest.mark.slow
def test_ganimation_trains_both_phases(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = settings.read(["--config=configs/ganimation.py:tiny"])
    assert int(train.train(config, tmp_path).step) == 8
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    totals = [json.loads(line)["generator/total"] for line in lines]
    assert len(set(totals)) == len(totals) == 4
    assert (tmp_path / "samples" / "sheet_0000008.png").exists()
