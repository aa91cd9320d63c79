"""The generator: its size, its mask's polarity, and PyTorch's answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax import patch, torch_weights
from slider_jax.nets import generator, warp
from slider_jax.nets.generator import Generator
from slider_jax.nets.layers import TransposedConvolution

torch = pytest.importorskip("torch")
import torch_twin  # noqa: E402
import torch_twins as twins  # noqa: E402
from parity import close, draw, multiply_adds, quick  # noqa: E402

SMALL = dict(conditions=5, width=4, blocks=1)
# Of the largest value. PyTorch itself differs this much from its own float64.
FORWARD, GRADIENT = 2e-5, 2e-4


@pytest.mark.parametrize(
    "conditions, masked, count",
    [
        (17, True, 8_471_296),
        (30, True, 8_512_064),
        (40, True, 8_543_424),
        (5, False, 8_430_528),
        (8, False, 8_439_936),
        (30, False, 8_508_928),
        (40, False, 8_540_288),
    ],
)
def test_parameters_are_as_many_as_in_the_papers_tables(conditions, masked, count):
    network = Generator(conditions, masked=masked)
    image = jax.ShapeDtypeStruct((1, 128, 128, 3), "float32")
    condition = jax.ShapeDtypeStruct((1, conditions), "float32")
    params = jax.eval_shape(network.init, jax.random.key(0), image, condition)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_multiplications_are_as_many_as_the_dossier_counts():
    shapes = [jax.ShapeDtypeStruct(s, "float32") for s in ((1, 128, 128, 3), (1, 30))]
    of = lambda network: multiply_adds(
        network.apply,
        jax.eval_shape(network.init, jax.random.key(0), *shapes),
        *shapes,
    )
    whole, no_blocks = of(Generator(30)), of(Generator(30, blocks=0))
    spared = 7 * 7 * 30 * 64 * 128 * 128  # sliders are alike all over the picture
    assert round((whole + spared) / 1e9, 2) == 11.30
    assert round((whole - no_blocks) / 1e9, 2) == 7.25


def test_a_mask_of_one_shows_the_colour_and_of_zero_the_photo():
    image, colour = jnp.full((1, 2, 2, 3), 0.5), jnp.full((1, 2, 2, 3), -0.5)
    mask = jnp.array([[1.0, 0.0], [0.75, 0.25]])[None, :, :, None]
    shown = generator.compose(image, colour, mask)[0, :, :, 0]
    np.testing.assert_allclose(shown, [[-0.5, 0.5], [-0.25, 0.25]])


@pytest.fixture(scope="module")
def twin():
    """A twin in PyTorch, our parameters, image, condition."""
    theirs = twins.scrambled(twins.GanimationGenerator(**SMALL))
    params, fields = torch_weights.convert(twins.state(theirs), "ganimation-generator")
    assert fields == SMALL | {"down": 2, "masked": True}
    return theirs, params, draw(2, 16, 16, 3), draw(2, 5, seed=1)


def test_forward_matches_pytorch(twin):
    theirs, params, image, condition = twin
    colour, mask, *_ = quick(Generator(**SMALL).apply)(params, image, condition)
    expected = theirs(twins.to_torch(image), torch.tensor(np.asarray(condition)))
    close(colour, twins.from_torch(expected[0]), FORWARD)
    close(1 - mask, twins.from_torch(expected[1]), FORWARD)


def test_gradients_match_pytorch_to_second_order(twin):
    """Of a sum of squares, and of the squared size of its gradient to the image."""
    theirs, params, image, condition = twin

    def objective(params, image):
        colour, mask, *_ = Generator(**SMALL).apply(params, image, condition)
        return jnp.square(generator.compose(image, colour, mask)).sum()

    @quick
    def ours(params, image):
        slope = jax.grad(objective, 1)
        penalty = lambda p: jnp.square(slope(p, image)).sum()
        return jax.grad(objective)(params, image), jax.grad(penalty)(params)

    x = twins.to_torch(image).requires_grad_()
    colour, keep = theirs(x, torch.tensor(np.asarray(condition)))
    total = (((1 - keep) * colour + keep * x) ** 2).sum()
    weights = dict(theirs.named_parameters())
    first = torch.autograd.grad(total, weights.values(), retain_graph=True)
    (slope,) = torch.autograd.grad(total, x, create_graph=True)
    second = torch.autograd.grad((slope**2).sum(), weights.values())
    for order, gradient in zip(ours(params, image), (first, second), strict=True):
        named = {name: g.numpy() for name, g in zip(weights, gradient, strict=True)}
        expected, _ = torch_weights.convert(named, "ganimation-generator")
        jax.tree.map(lambda a, b: close(a, b, GRADIENT), order, expected)


def test_a_transposed_convolution_is_that_of_pytorch_to_second_order():
    x, layer = draw(2, 6, 10, 5), TransposedConvolution(7)
    params = layer.init(jax.random.key(0), x)
    kernel = params["params"]["kernel"]

    def objective(kernel, x):
        return jnp.tanh(layer.apply({"params": {"kernel": kernel}}, x)).sum()

    @quick
    def ours(kernel, x):
        slopes = jax.grad(objective, (0, 1))
        size = lambda kernel, x: sum(jnp.square(s).sum() for s in slopes(kernel, x))
        value = layer.apply(params, x)
        return value, slopes(kernel, x), jax.grad(size, (0, 1))(kernel, x)

    # PyTorch's weights are [in, out, ...]; ours are those of the way back.
    w, t = torch.tensor(np.array(kernel.transpose(3, 2, 0, 1))), twins.to_torch(x)
    leaves = w.requires_grad_(), t.requires_grad_()
    value = torch.nn.functional.conv_transpose2d(t, w, stride=2, padding=1)
    first = torch.autograd.grad(value.tanh().sum(), leaves, create_graph=True)
    second = torch.autograd.grad(sum(s.square().sum() for s in first), leaves)
    found = ours(kernel, x)
    close(found[0], twins.from_torch(value), FORWARD)
    for order, expected in zip(found[1:], (first, second), strict=True):
        close(order[0], expected[0].detach().numpy().transpose(2, 3, 1, 0), GRADIENT)
        close(order[1], twins.from_torch(expected[1]), GRADIENT)


def test_the_condition_changes_the_picture_from_the_start():
    """Dossier 0.3, rule 8: with reflected borders an instance norm would delete it."""
    network = Generator(conditions=30, width=16, blocks=6, initial="torch")
    image = draw(1, 64, 64, 3)
    params = quick(network.init)(jax.random.key(0), image, draw(1, 30))
    apply = quick(lambda c: network.apply(params, image, c).colour)
    change = np.abs(apply(draw(1, 30)) - apply(draw(1, 30, seed=1)))
    assert change.mean() > 1e-2
    assert change[:, 24:40, 24:40].mean() > 1e-3


def test_an_added_colour_starts_near_the_photo_and_stays_in_range():
    network = Generator(**SMALL, added=True)
    image, condition = draw(2, 16, 16, 3), draw(2, 5, seed=1)
    params = quick(network.init)(jax.random.key(0), image, condition)
    colour = quick(network.apply)(params, image, condition).colour
    assert 0 < np.abs(colour - image.clip(-1, 1)).max() < 0.2
    drawn = quick(Generator(**SMALL).apply)(params, image, condition).colour
    np.testing.assert_allclose(colour, (image + drawn).clip(-1, 1), atol=1e-6)


@pytest.mark.parametrize("tint", [1.0, 0.25])
def test_a_warped_generator_moves_the_photo_and_adds_its_colours(tint):
    image, condition = draw(2, 16, 16, 3), draw(2, 5, seed=1)
    network = Generator(**SMALL, warped=True, tint=tint)
    params = quick(network.init)(jax.random.key(0), image, condition)
    for name in ("flow", "cover"):
        params["params"]["heads"][name] *= 1000
    colour, mask, flow, cover = quick(network.apply)(params, image, condition)
    assert 0.24 < np.abs(flow).max() <= generator.FARTHEST
    drawn = quick(Generator(**SMALL).apply)(params, image, condition)
    assert (drawn.flow == 0).all()
    assert 0 <= cover.min() < 0.1 < 0.9 < cover.max() <= 1
    covered = drawn.colour * (tint + (1 - tint) * cover)
    expected = covered + (1 - cover) * warp.moved(image, flow)
    np.testing.assert_allclose(colour, expected.clip(-1, 1), atol=1e-6)
    np.testing.assert_array_equal(mask, drawn.mask)


def test_a_folded_generator_can_be_the_one_of_half_the_size():
    """Where each place of a square weighs a quarter, and all of them say the same."""
    image, condition = draw(2, 16, 16, 3), draw(2, 5, seed=1)
    small = Generator(**SMALL, initial="he", mapped=True)
    params = quick(small.init)(jax.random.key(0), image, condition)["params"]
    enter = params["enter"]["kernel"]
    places = jnp.tile(enter[:, :, :3] / 4, (1, 1, 4, 1))
    enter = jnp.concatenate([places, enter[:, :, 3:]], axis=2)
    heads = {name: jnp.tile(k, (1, 1, 1, 4)) for name, k in params["heads"].items()}
    wide = {"params": params | {"enter": {"kernel": enter}, "heads": heads}}
    large = lambda x: np.kron(x, np.ones((1, 2, 2, 1), np.float32))
    folded = Generator(**SMALL, initial="he", mapped=True, fold=2)
    ours = quick(folded.apply)(wide, large(image), condition)
    expected = quick(small.apply)({"params": params}, image, condition)
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, large(other), atol=1e-5)


def test_what_moves_is_what_pytorch_and_numpy_see():
    """Forward and gradient; the border is held."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 9, 12, 3)).astype(np.float32)
    flow = rng.uniform(-0.4, 0.4, (2, 9, 12, 2)).astype(np.float32)
    t_image, t_flow = (twins.to_torch(x).requires_grad_() for x in (image, flow))
    theirs = torch_twin.moved(t_image, t_flow)
    given = jnp.asarray(image), jnp.asarray(flow)
    ours = warp.moved(*given)
    close(ours, twins.from_torch(theirs), FORWARD)
    y, x = np.indices((9, 12))
    for i in range(2):
        seen = patch.look(image[i], x + 12 * flow[i, ..., 0], y + 9 * flow[i, ..., 1])
        np.testing.assert_allclose(ours[i], seen, atol=1e-5)
    slopes = jax.grad(lambda *a: jnp.square(warp.moved(*a)).sum(), (0, 1))(*given)
    theirs.square().sum().backward()
    for slope, leaf in zip(slopes, (t_image, t_flow), strict=True):
        close(slope, twins.from_torch(leaf.grad), FORWARD)


def test_a_mapped_condition_is_a_sum_of_maps():
    x, condition = draw(2, 4, 4, 3), draw(2, 5, seed=1)
    network = generator.ConditionMap()
    params = network.init(jax.random.key(0), x, condition)
    maps = np.asarray(params["params"]["kernel"])
    expected = x + 4 * np.tensordot(condition, maps, axes=1)
    np.testing.assert_allclose(network.apply(params, x, condition), expected, atol=1e-5)


def test_a_mapped_condition_reaches_the_middle_of_the_face():
    """The tiled one hardly does: that is what it is for."""
    image, condition = draw(1, 64, 64, 3), draw(1, 5, seed=1)

    def change(**options):
        network = Generator(5, width=8, blocks=1, initial="he", **options)
        params = quick(network.init)(jax.random.key(0), image, condition)
        ask = quick(lambda c: network.apply(params, image, c).colour)
        return np.abs(ask(condition) - ask(-condition))[:, 24:40, 24:40].mean()

    assert change(mapped=True) > 2 * change()


@pytest.mark.parametrize(
    "initial, gain", [("normal", None), ("torch", 1 / 3), ("he", 2.0)]
)
def test_initial_weights_have_the_stated_spread(initial, gain):
    network = Generator(**SMALL | {"width": 16, "blocks": 0}, initial=initial)
    params = quick(network.init)(jax.random.key(0), draw(1, 8, 8, 3), draw(1, 5))[
        "params"
    ]
    for name, fan_in in (("down_1", 16 * 32), ("up_0", 16 * 32)):
        kernel = params[name]["kernel"]
        expected = 0.02 if gain is None else (gain / fan_in) ** 0.5
        assert kernel.std() == pytest.approx(expected, rel=0.05)


def test_bfloat16_works_inside_and_float32_comes_out():
    image, condition = draw(1, 16, 16, 3), draw(1, 5)
    fields = dict(SMALL, warped=True)
    params = quick(Generator(**fields).init)(jax.random.key(0), image, condition)
    exact = quick(Generator(**fields).apply)(params, image, condition)
    rough = quick(Generator(**fields, dtype="bfloat16").apply)(params, image, condition)
    for a, b in zip(rough, exact, strict=True):
        assert a.dtype == jnp.float32
        assert 1e-6 < np.abs(a - b).max() < 0.1
