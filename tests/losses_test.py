"""Losses: worked out by hand, and the same in PyTorch, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from slider_jax import losses

MODES = list(losses.ADVERSARIAL)
mean = lambda x: x.mean()


def both(mode, real, fake):
    """Means of the critic's loss and of the generator's."""
    return tuple(loss(real, fake, mean).mean() for loss in losses.ADVERSARIAL[mode])


@pytest.mark.parametrize(
    "mode, critic, generator",
    [
        ("ra_expectation", -0.741716, 0.741716),
        ("rasgan", 0.140152, 2.140152),
        ("ralsgan", 1.25, 9.25),
        ("wgan_gp", -2.0, 0.5),
    ],
)
def test_the_game_of_two_scores_against_two(mode, critic, generator):
    """C(real) = 1, 2 and C(fake) = 0, -1: worked out by hand."""
    real = jnp.array([1.0, 2.0])[:, None, None]
    fake = jnp.array([0.0, -1.0])[:, None, None]
    np.testing.assert_allclose(both(mode, real, fake), (critic, generator), rtol=1e-5)


def test_the_four_sigmas_of_two_scores_against_two():
    real, fake = jnp.array([[[1.0]], [[2.0]]]), jnp.array([[[0.0]], [[-1.0]]])
    critic, _ = losses.ADVERSARIAL["ra_expectation"]
    expected = [0.182426 - 0.817574, 0.075858 - 0.924142]
    np.testing.assert_allclose(critic(real, fake, mean), expected, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_patches_count_like_examples(mode):
    r = np.random.default_rng(0)
    real, fake = map(jnp.asarray, r.normal(size=(2, 3, 2, 2)))
    flat = lambda x: x.reshape(-1, 1, 1)
    whole, parts = both(mode, real, fake), both(mode, flat(real), flat(fake))
    np.testing.assert_allclose(whole, parts, rtol=1e-5)


def torch_game(torch, mode, real, fake):
    """After the definitions of Jolicoeur-Martineau, with PyTorch's own losses."""
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    r, f = real - fake.mean(), fake - real.mean()
    one, zero = torch.ones_like(r), torch.zeros_like(r)
    difference = torch.sigmoid(r).mean() - torch.sigmoid(f).mean()
    return {
        "ra_expectation": (-difference, difference),
        "rasgan": (
            (bce(r, one) + bce(f, zero)) / 2,
            (bce(r, zero) + bce(f, one)) / 2,
        ),
        "ralsgan": (
            (((r - 1) ** 2).mean() + ((f + 1) ** 2).mean()) / 2,
            (((r + 1) ** 2).mean() + ((f - 1) ** 2).mean()) / 2,
        ),
        "wgan_gp": (fake.mean() - real.mean(), -fake.mean()),
    }[mode]


@pytest.mark.parametrize("mode", MODES)
def test_the_game_is_that_of_pytorch(mode):
    torch = pytest.importorskip("torch")
    maps = 2 * np.random.default_rng(1).normal(size=(2, 3, 2, 2)).astype(np.float32)
    maps = jnp.asarray(maps)
    ours = both(mode, *maps)
    slopes = [
        jax.grad(lambda real, fake, i=i: both(mode, real, fake)[i], (0, 1))(*maps)
        for i in (0, 1)
    ]
    for i in (0, 1):
        real, fake = (torch.tensor(np.array(x), requires_grad=True) for x in maps)
        theirs = torch_game(torch, mode, real, fake)[i]
        (theirs + 0 * real.sum()).backward()
        np.testing.assert_allclose(ours[i], theirs.detach().numpy(), rtol=1e-5)
        for slope, leaf in zip(slopes[i], (real, fake), strict=True):
            np.testing.assert_allclose(slope, leaf.grad.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("slope, expected", [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_gradient_penalty_of_a_plane(slope, expected):
    """C(x) = slope * x[0] has gradient norm |slope| everywhere."""
    critic = lambda x: slope * x[:, :1, :1, 0]
    penalty = losses.gradient_penalty(critic, jnp.ones((2, 4, 4, 3)))
    np.testing.assert_allclose(penalty, expected, atol=1e-5)


def test_gradient_penalty_sums_the_patches_first():
    """Four patches of slope 1 in four pixels: a norm of 2."""
    penalty = losses.gradient_penalty(lambda x: x[..., 0], jnp.ones((1, 2, 2, 3)))
    np.testing.assert_allclose(penalty, 1.0, rtol=1e-6)


def test_a_flat_critic_has_a_finite_second_derivative():
    penalty = lambda w: losses.gradient_penalty(
        lambda x: w * x[..., 0], jnp.ones((1, 2, 2, 3))
    ).sum()
    assert jnp.isfinite(jax.grad(penalty)(0.0))


def test_gradient_penalty_is_that_of_pytorch_to_second_order():
    torch = pytest.importorskip("torch")
    r = np.random.default_rng(2)
    image = r.normal(size=(3, 4, 4, 2)).astype(np.float32)
    kernel = r.normal(size=(3, 3, 2, 5)).astype(np.float32)

    def critic(kernel, x):
        dimensions = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=dimensions
        )
        return jnp.tanh(y).sum(axis=3)

    def penalty(kernel):
        return losses.gradient_penalty(
            lambda x: critic(kernel, x), jnp.asarray(image)
        ).mean()

    value, slope = jax.value_and_grad(penalty)(kernel)
    x = torch.tensor(image.transpose(0, 3, 1, 2), requires_grad=True)
    w = torch.tensor(kernel.transpose(3, 2, 0, 1), requires_grad=True)
    score = torch.tanh(torch.nn.functional.conv2d(x, w)).sum()
    (dx,) = torch.autograd.grad(score, x, create_graph=True)
    theirs = ((dx.flatten(1).norm(dim=1) - 1) ** 2).mean()
    theirs.backward()
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-5)
    theirs = w.grad.numpy().transpose(2, 3, 1, 0)
    np.testing.assert_allclose(slope, theirs, rtol=1e-4, atol=1e-5)


def test_interpolates_lie_between_and_differ_by_example():
    keys = jax.random.split(jax.random.key(0), 4)
    x = losses.interpolates(jnp.ones((4, 2, 2, 3)), jnp.zeros((4, 2, 2, 3)), keys)
    assert jnp.all((x > 0) & (x < 1))
    assert len(np.unique(x)) == 4


def test_expression_error_is_a_mean_of_squares():
    error = losses.expression_error(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0]]))
    np.testing.assert_allclose(error, [2.5])


def test_pixel_distance_sums_the_channels():
    distance = losses.pixel_distance(jnp.ones((1, 4, 4, 3)), jnp.zeros((1, 4, 4, 3)))
    np.testing.assert_allclose(distance, [3.0])


def test_squared_distance_sums_the_channels_too():
    a = jnp.full((1, 4, 4, 3), 0.5)
    np.testing.assert_allclose(losses.squared_distance(a, -a), [3.0])
    np.testing.assert_allclose(losses.squared_distance(a, 0 * a), [0.75])


def test_without_a_ground_truth_the_paired_distance_is_zero():
    fake, target = jnp.ones((2, 4, 4, 3)), jnp.zeros((2, 4, 4, 3))
    distance = losses.paired_distance(fake, target, jnp.array([True, False]))
    np.testing.assert_allclose(distance, [3.0, 0.0])


def test_feature_distance_is_a_share_of_each_layer():
    """A tenth and a half of them, whatever their size; nothing without a truth."""
    truth = jnp.asarray(np.random.default_rng(4).normal(size=(2, 4, 4, 3)))
    layers = [(0.9 * truth, truth), (75 * truth, 50 * truth)]
    found = losses.feature_distance(layers, jnp.array([True, False]))
    np.testing.assert_allclose(found, [0.3, 0.0], rtol=1e-6)


def test_edges_are_steps_down_and_right():
    """One brighter pixel has two edges each way; a brighter picture has none."""
    image = jnp.zeros((2, 5, 6, 3)).at[0, 2, 2, 0].set(0.5).at[1].set(0.5)
    found = losses.edge_distance(image, jnp.zeros_like(image))
    np.testing.assert_allclose(found, [2 * 0.5 / (4 * 6) + 2 * 0.5 / (5 * 5), 0])


def differences(moved, side):
    """Of squares' means from black, by SciPy, summed over the channels."""
    mean = ndimage.uniform_filter(moved, (1, side, side, 1), mode="constant")
    return np.abs(mean).sum(axis=3, keepdims=True)


def test_a_cover_should_be_where_a_whole_square_is_wrong():
    """Not where one pixel is: that may be noise. Where there is doubt, as it likes."""
    target, moved = np.zeros((2, 1, 16, 16, 3), np.float32)
    moved[:, 3:11, 3:11], moved[:, 14, 14] = 0.4, 1
    wrong = differences(moved, 5) > 0.7
    assert wrong[0, 4:10, 4:10].all() and not wrong[0, 12:].any()
    doubt = np.zeros_like(wrong)
    doubt[:, :6] = True
    given = jnp.asarray(moved), jnp.asarray(target), jnp.asarray(doubt)
    either = jnp.where(wrong, 1.0, jnp.where(doubt, 0.6, 0.0))
    assert losses.cover_error(either, *given) < 1e-5
    quarter = losses.cover_error(jnp.full(wrong.shape, 0.25), *given)
    right = (~wrong & ~doubt).mean()
    expected = -wrong.mean() * np.log(0.25) - right * np.log(0.75)
    np.testing.assert_allclose(quarter, expected, rtol=1e-5)


def test_what_neither_the_photo_nor_the_moved_one_shows_is_revealed():
    """Teeth and three pixels around; no glasses, which the photo shows; no dots."""
    image, moved, target = np.full((3, 1, 24, 24, 3), -1, np.float32)
    moved[:, 2:8, 2:20] = target[:, 12:16, 8:16] = target[:, 20, 20] = 0.2
    found = losses.revealed(*map(jnp.asarray, (image, moved, target)))
    differs = np.minimum(*(differences(x - target, 3) for x in (image, moved))) > 0.45
    expected = ndimage.maximum_filter(differs, (1, 7, 7, 1))
    np.testing.assert_array_equal(found, expected)
    assert found[0, 9:19, 5:19].all() and not found[0, :7].any()


def test_identity_distance_sees_directions_only():
    a = jnp.array([[3.0, 4.0], [1.0, 0.0], [1.0, 0.0]])
    b = jnp.array([[6.0, 8.0], [0.0, 5.0], [-2.0, 0.0]])
    np.testing.assert_allclose(losses.identity_distance(a, b), [0, 1, 2], atol=1e-6)


def test_identity_distance_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    a, b = map(jnp.asarray, np.random.default_rng(3).normal(size=(2, 4, 8)))
    slope = jax.grad(lambda a: losses.identity_distance(a, b).sum())(a)
    leaf = torch.tensor(np.array(a), requires_grad=True)
    cosine = torch.nn.functional.cosine_similarity(leaf, torch.tensor(np.array(b)))
    (1 - cosine).sum().backward()
    ours = losses.identity_distance(a, b)
    np.testing.assert_allclose(ours, 1 - cosine.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(slope, leaf.grad.numpy(), atol=1e-6)


def test_an_embedding_of_zero_has_a_finite_gradient():
    slope = jax.grad(lambda a: losses.identity_distance(a, jnp.ones((1, 4))).sum())
    assert jnp.all(jnp.isfinite(slope(jnp.zeros((1, 4)))))


def test_attention_adds_both_passes():
    mask, back = jnp.full((1, 2, 2, 1), 0.25), jnp.full((1, 2, 2, 1), 0.5)
    np.testing.assert_allclose(losses.attention(mask, back), [0.75])


@pytest.mark.parametrize("value, bits", [(0.5, 1.0), (0.0, 0.0), (1.0, 0.0)])
def test_an_undecided_mask_has_one_bit_a_pixel(value, bits):
    entropy = losses.mask_entropy(jnp.full((1, 2, 2, 1), value))
    np.testing.assert_allclose(entropy, [bits], atol=1e-4)


@pytest.mark.parametrize("power, expected", [(1, 1 + 3 + 2), (2, 1 + 9 + 4)])
def test_a_masks_roughness_is_the_sum_of_its_steps(power, expected):
    """Steps of 1 and 3 down and of 2 to the right, in the first of two examples."""
    mask = jnp.array([[[0.0, 0.0], [1.0, 3.0]], [[4.0, 4.0], [4.0, 4.0]]])[..., None]
    np.testing.assert_allclose(losses.mask_roughness(mask, power), [expected, 0])


def test_a_masks_norm_is_euclids_and_its_slope_finite():
    mask = jnp.array([3.0, 4.0])[None, None, :, None]
    np.testing.assert_allclose(losses.mask_norm(mask), [5.0])
    slope = jax.grad(lambda m: losses.mask_norm(m).sum())(0 * mask)
    assert np.isfinite(slope).all()


def test_of_two_classes_that_are_as_likely_either_costs_log_two():
    logits, wanted = jnp.array([[7.0, 7.0], [0.0, 50.0]]), jnp.array([[0.0, 1.0]] * 2)
    found = losses.classification_error(logits, wanted)
    np.testing.assert_allclose(found, [np.log(2), 0.0], atol=1e-6)


def test_the_score_gap_is_real_minus_fake():
    gap = losses.score_gap(jnp.ones((2, 2, 2)), jnp.zeros((2, 2, 2)))
    np.testing.assert_allclose(gap, [1.0, 1.0])
