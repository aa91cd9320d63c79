"""Networks that measures lean on: MobileNet, expressions, points; and their names."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import close, quick

from slider_jax import fetch, judges
from slider_jax.data import open_split
from slider_jax.face.sliders import EMOTIONS
from slider_jax.judges import expressions, people, points
from slider_jax.licences import ASSETS, FOLDER
from slider_jax.measures import landmarks
from slider_jax.nets import mobilenet

RNG = np.random.default_rng(0)
draw = lambda *shape: RNG.normal(0, 0.5, shape).astype(np.float32)


def keras_tensors(width=2):
    """A narrow MobileNet, by the names of the file."""
    found = {
        "conv1/convolution/merged_input": draw(3, 3, 3, width) / 64,
        "conv1_bn/batchnorm_1/sub": draw(width),
    }
    for i in range(1, mobilenet.BLOCKS + 1):
        found[f"conv_dw_{i}/depthwise_kernel"] = 3 * draw(3, 3, width, 1)
        found[f"conv_dw_{i}_bn/batchnorm_1/mul"] = draw(width) + 1
        found[f"conv_dw_{i}_bn/batchnorm_1/sub"] = draw(width) + 2
        kernel = 3 * draw(1, 1, width, width + 1) / np.sqrt(width)
        found[f"conv_pw_{i}/convolution/merged_input"] = kernel.astype(np.float32)
        found[f"conv_pw_{i}_bn/batchnorm_1/sub"] = draw(width + 1) + 2
        width += 1
    return found


def twin(torch, tensors, faces):
    """MobileNet v1 in PyTorch, padded as TensorFlow pads."""
    f = torch.nn.functional

    def convolution(x, name, stride, groups=1):
        kernel = torch.tensor(tensors[name])
        kernel = (
            kernel.permute(2, 3, 0, 1) if groups > 1 else kernel.permute(3, 2, 0, 1)
        )
        if kernel.shape[-1] == 3:
            x = f.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))
        return f.conv2d(x, kernel, stride=stride, groups=groups)

    wide = lambda name: torch.tensor(tensors[name])[:, None, None]
    x = torch.tensor(np.array(faces)).permute(0, 3, 1, 2).flip(1)
    x = x * 127.5 + 127.5 - torch.tensor(mobilenet.MEAN)[:, None, None]
    x = convolution(x, "conv1/convolution/merged_input", 2)
    x = f.relu6(x + wide("conv1_bn/batchnorm_1/sub"))
    for i in range(1, 14):
        name, stride = f"conv_dw_{i}", 2 if i in (2, 4, 6, 12) else 1
        x = convolution(x, f"{name}/depthwise_kernel", stride, x.shape[1])
        x = x * wide(f"{name}_bn/batchnorm_1/mul") + wide(f"{name}_bn/batchnorm_1/sub")
        name = f"conv_pw_{i}"
        x = convolution(f.relu6(x), f"{name}/convolution/merged_input", 1)
        x = f.relu6(x + wide(f"{name}_bn/batchnorm_1/sub"))
    return x.mean((2, 3))


def test_the_net_of_faceres_is_mobilenet():
    torch = pytest.importorskip("torch")
    tensors = keras_tensors()
    colours = np.array([[1, 0.2, -1], [-1, 0.2, 1]])[:, None, None]
    faces = jnp.asarray(RNG.uniform(0, 1, (2, 64, 64, 3)) * colours, "float32")
    weights = jax.tree.map(jnp.asarray, people.mobilenet_weights(tensors))
    found = quick(mobilenet.describe)(weights, faces)
    assert np.ptp(found, axis=0).max() > 0.1  # no face is lost on the way
    close(found, twin(torch, tensors, faces), 1e-4)


def test_weights_of_tensorflow_js_are_read(tmp_path):
    half, whole = draw(2, 3).astype(np.float16), np.array([4, 5], np.int32)
    (tmp_path / "a.bin").write_bytes(half.tobytes()[:5])
    (tmp_path / "b.bin").write_bytes(half.tobytes()[5:] + whole.tobytes())
    entries = [
        dict(
            name="half",
            shape=[2, 3],
            dtype="float32",
            quantization={"dtype": "float16"},
        ),
        dict(name="whole", shape=[2], dtype="int32"),
    ]
    manifest = [dict(paths=["a.bin", "b.bin"], weights=entries)]
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"weightsManifest": manifest}))
    found = people.read_tfjs(path)
    assert found["half"].dtype == np.float32
    np.testing.assert_array_equal(found["half"], half)
    np.testing.assert_array_equal(found["whole"], whole)


def test_the_names_of_the_classes_are_those_of_our_emotions():
    assert sorted(expressions.CLASSES) == sorted(EMOTIONS)


def test_points_of_renders_are_where_they_were_drawn_and_noise_has_none():
    """Measured: 5.8 % of the distance between the eyes."""
    split = open_split(FOLDER / "tiny", "test_paired")
    truth = split.columns(["landmarks"])["landmarks"][:12].reshape(-1, 68, 2)
    found = points.points(split[np.arange(12)])
    assert np.median(landmarks.landmark_error(found, truth)) < 0.08
    noise = RNG.integers(0, 256, (1, 64, 64, 3), np.uint8)
    assert np.isnan(points.points(noise)).all()


def test_an_unknown_identity_judge_is_named():
    with pytest.raises(ValueError, match="Unknown identity judge 'x'; choose from"):
        people.recogniser("x")


def test_every_judge_has_its_licence():
    files = list(pathlib.Path(judges.__file__).parent.glob("*.py"))
    wanted = {
        name for name in fetch.PACKAGES for f in files if f'"{name}"' in f.read_text()
    }
    assert len(wanted) == 3 and wanted <= {asset.package for asset in ASSETS}


@pytest.mark.slow
@pytest.mark.parametrize("name", people.NAMES)
def test_a_fetched_judge_knows_a_face_from_another(name):
    judge = people.recogniser(name)
    faces = open_split(FOLDER / "tiny", "test_paired")
    who = faces.columns(["identity"])["identity"]
    rows = [0, 1, int(np.flatnonzero(who != who[0])[0])]
    images = jnp.asarray(faces[np.array(rows)] / 127.5 - 1, "float32")
    embedding = quick(lambda judge, images: judge(images))(judge, images)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-5)
    assert embedding[0] @ embedding[1] > embedding[0] @ embedding[2]


@pytest.mark.slow
def test_the_fetched_recogniser_gives_probabilities():
    faces = open_split(FOLDER / "tiny", "test_paired")
    images = jnp.asarray(faces[np.arange(3)] / 127.5 - 1, "float32")
    found = expressions.recogniser()(images)
    assert found.shape == (3, 7)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=0.02)  # it is quantised
