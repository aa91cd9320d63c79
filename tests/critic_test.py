"""The critic: its size, its maps, and PyTorch's answers, gradient penalty included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax import torch_weights
from slider_jax.nets.critic import Critic
from slider_jax.nets.patchgan import PatchGan70

torch = pytest.importorskip("torch")
import torch_twins as twins  # noqa: E402
from parity import close, draw, multiply_adds, quick  # noqa: E402

SMALL = dict(parameters=5, width=8, depth=3, size=16)
# Of the largest value. PyTorch itself differs this much from its own float64.
FORWARD, GRADIENT = 1e-5, 5e-5


def abstract(network):
    image = jax.ShapeDtypeStruct((2, network.size, network.size, 3), "float32")
    return jax.eval_shape(network.init_with_output, jax.random.key(0), image)


@pytest.mark.parametrize(
    "parameters, count",
    [
        (5, 44_762_048),
        (8, 44_786_624),
        (17, 44_860_352),
        (30, 44_966_848),
        (40, 45_048_768),
    ],
)
def test_parameters_are_as_many_as_in_the_papers_tables(parameters, count):
    _, params = abstract(Critic(parameters))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_multiplications_are_as_many_as_the_dossier_counts():
    network = Critic(30)
    image = jax.ShapeDtypeStruct((1, 128, 128, 3), "float32")
    params = jax.eval_shape(network.init, jax.random.key(0), image)
    heads = 2 * 2 * 2048 * (3 * 3 + 30)
    all_ = multiply_adds(network.apply, params, image)
    assert round((all_ - heads) / 1e9, 2) == 0.68


@pytest.mark.parametrize(
    "size, depth, side", [(64, 6, 1), (64, 5, 2), (128, 6, 2), (256, 6, 4), (256, 7, 2)]
)
def test_the_last_map_follows_from_size_and_depth(size, depth, side):
    (score, parameters), _ = abstract(Critic(size=size, depth=depth))
    assert score.shape == (2, side, side)
    assert parameters.shape == (2, 30)


def test_a_folded_critic_can_be_the_one_of_half_the_size():
    network, image = Critic(**SMALL), draw(2, 16, 16, 3)
    params = quick(network.init)(jax.random.key(0), image)["params"]
    first = params["down_0"]
    wide = dict(first, kernel=jnp.tile(first["kernel"] / 4, (1, 1, 4, 1)))
    folded = Critic(**SMALL | {"size": 32}, fold=2)
    large = np.kron(image, np.ones((1, 2, 2, 1), np.float32))
    ours = quick(folded.apply)({"params": params | {"down_0": wide}}, large)
    expected = quick(network.apply)({"params": params}, image)
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def features(params, image):
    """The last ones, under the heads."""
    network = Critic(3, width=1, depth=6, size=512)
    _, seen = network.apply(params, image, mutable="intermediates")
    return jax.tree.leaves(seen)[-1][0, :, :, 0]


@pytest.mark.parametrize(
    "network, look, field",
    [
        (Critic(3, width=1, depth=6, size=512), None, 318),
        (Critic(3, width=1, depth=6, size=512), features, 190),
        (PatchGan70(3, width=1), None, 70),
    ],
    ids=["stargan", "features", "patchgan70"],
)
def test_a_score_sees_as_much_of_the_picture_as_the_dossier_says(network, look, field):
    """318 pixels are 190 of the last features, and a 3 x 3 head over them."""
    image = draw(1, 512, 512, 3)
    params = quick(network.init)(jax.random.key(0), image)
    look = look or (lambda params, image: network.apply(params, image)[0][0])
    scores = lambda image: look(params, image)
    middle = lambda image: scores(image)[tuple(n // 2 for n in scores(image).shape)]
    seen = np.abs(quick(jax.grad(middle))(image)[0]).sum(2) > 0
    rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == field


def test_the_critic_of_pix2pix_scores_14_by_14_patches():
    """Parameters by hand: 4 x 4 kernels and biases, and a head of 512 x 30."""
    image = jax.ShapeDtypeStruct((2, 128, 128, 3), "float32")
    init = PatchGan70().init_with_output
    (score, parameters), params = jax.eval_shape(init, jax.random.key(0), image)
    assert (score.shape, parameters.shape) == ((2, 14, 14), (2, 30))
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    biases = 64 + 128 + 256 + 512 + 1
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == kernels + biases + 512 * 30 + 30 == 2_780_127


def test_bounded_parameters_are_the_tanh_of_the_others(twin):
    _, params, image = twin
    free = quick(Critic(**SMALL).apply)(params, 9 * image)
    bounded = quick(Critic(**SMALL, bounded=True).apply)(params, 9 * image)
    np.testing.assert_array_equal(bounded[0], free[0])
    np.testing.assert_allclose(bounded[1], np.tanh(free[1]), rtol=1e-5)
    assert np.abs(free[1] - bounded[1]).max() > 0.1


@pytest.fixture(scope="module")
def twin():
    theirs = twins.scrambled(twins.Critic(**SMALL))
    params, fields = torch_weights.convert(twins.state(theirs), "stargan-critic")
    assert fields == SMALL
    return theirs, params, draw(2, 16, 16, 3)


def test_forward_matches_pytorch(twin):
    theirs, params, image = twin
    ours = quick(Critic(**SMALL).apply)(params, image)
    for a, b in zip(ours, theirs(twins.to_torch(image)), strict=True):
        close(a, b.detach(), FORWARD)


def test_gradients_match_pytorch_to_second_order(twin):
    """Of both heads, and of the gradient penalty (|∇C| - 1)²."""
    theirs, params, image = twin

    def objective(params):
        score, parameters = Critic(**SMALL).apply(params, image)
        return score.sum() + jnp.square(parameters).sum()

    def penalty(params):
        score = lambda x: Critic(**SMALL).apply(params, x)[0].sum()
        norm = jnp.sqrt(jnp.square(jax.grad(score)(image)).sum((1, 2, 3)) + 1e-12)
        return jnp.square(norm - 1).sum()

    ours = quick(lambda p: (jax.grad(objective)(p), jax.grad(penalty)(p)))(params)

    x = twins.to_torch(image).requires_grad_()
    score, parameters = theirs(x)
    weights = dict(theirs.named_parameters())
    total = score.sum() + (parameters**2).sum()
    first = torch.autograd.grad(total, weights.values(), retain_graph=True)
    (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    size = (((slope**2).sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().sum()
    second = torch.autograd.grad(size, weights.values(), materialize_grads=True)
    for order, gradient in zip(ours, (first, second), strict=True):
        named = {name: g.numpy() for name, g in zip(weights, gradient, strict=True)}
        expected, _ = torch_weights.convert(named, "stargan-critic")
        jax.tree.map(lambda a, b: close(a, b, GRADIENT), order, expected)


def test_the_torch_initialisation_draws_biases_too():
    network = Critic(**SMALL, initial="torch")
    params = quick(network.init)(jax.random.key(0), draw(1, 16, 16, 3))["params"]
    for i, fan_in in enumerate((3 * 16, 8 * 16, 16 * 16)):
        for leaf in params[f"down_{i}"].values():
            limit = fan_in**-0.5
            assert 0.6 * limit < np.abs(leaf).max() <= limit


def test_bfloat16_works_inside_and_float32_comes_out(twin):
    _, params, image = twin
    exact = quick(Critic(**SMALL).apply)(params, image)
    rough = quick(Critic(**SMALL, dtype="bfloat16").apply)(params, image)
    for a, b in zip(rough, exact, strict=True):
        assert a.dtype == jnp.float32
        assert 1e-6 < np.abs(a - b).max() < 0.1 * np.abs(b).max()
