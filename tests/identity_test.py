"""Who is in the picture: the fixed crop, IResNet against PyTorch, and names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_shell
from PIL import Image

from slider_jax import identity_weights, losses, measures, open_faces, verify
from slider_jax.face.expressions import KINDS
from slider_jax.face.sliders import SLIDERS
from slider_jax.nets import identity
from slider_jax.nets.identity import BLOCKS, Crop, IResNet, Recogniser, warp_crop

WIDTHS, FEATURES = (8, 12, 16, 20), 10


def points(seed=0):
    """68 points of a face anywhere in the picture."""
    return np.random.default_rng(seed).uniform(0.2, 0.8, (68, 2)).astype(np.float32)


def test_a_face_that_fits_the_template_is_cropped_to_it():
    """Ours is the template, shrunk by 140 and moved: the crop undoes both."""
    template = identity.Template(
        112, ((0,), (1,), (2, 3)), ((30, 40), (80, 42), (5, 9))
    )
    ours = points()
    wanted = (np.array(template.points) + 0.5 + [3.0, -2.0]) / 140
    ours[[0, 1, 2]] = wanted
    ours[3] = wanted[2]
    crop = identity.fixed_crop(template, ours)
    found = [crop.scale, crop.x, crop.y]
    np.testing.assert_allclose(found, [140, -3, 2], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("n, near", [(16, 1e-5), (40, 1e-5), (64, 1e-3), (256, 1e-4)])
def test_a_crop_of_a_slope_is_the_slope(n, near):
    """A picture whose brightness is its place says where each pixel was read.

    Exactly where the crop enlarges; to a sixteenth of a pixel where it shrinks.
    """
    crop = Crop(30, 40.0, -5.0, -4.0)
    place = (np.arange(n) + 0.5) / n
    picture = np.stack(np.meshgrid(place, place), axis=-1)[None].astype(np.float32)
    found = np.asarray(warp_crop(jnp.array(picture), crop))[0]
    centres = np.arange(30) + 0.5
    expected = np.stack(
        np.meshgrid((centres - crop.x) / crop.scale, (centres - crop.y) / crop.scale),
        axis=-1,
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=near)


def test_a_crop_as_large_as_the_picture_is_the_picture():
    picture = jax.random.normal(jax.random.key(0), (2, 9, 9, 3))
    found = warp_crop(picture, Crop(9, 9.0, 0.0, 0.0))
    np.testing.assert_allclose(found, picture, atol=1e-6)


def test_a_crop_goes_on_beyond_the_edge():
    picture = jnp.arange(1.0, 5.0)[None, :, None, None] * jnp.ones((1, 4, 4, 1))
    found = warp_crop(picture, Crop(8, 4.0, 2.0, 2.0))[0, :, 0, 0]
    np.testing.assert_allclose(found, [1, 1, 1, 2, 3, 4, 4, 4], atol=1e-6)


def test_the_crop_does_not_depend_on_the_size_of_the_picture():
    """The same smooth face at 64, 128 and 256 pixels."""
    crop = Crop(30, 40.0, -5.0, -4.0)

    def picture(n):
        place = (jnp.arange(n) + 0.5) / n
        wave = jnp.sin(5 * place[:, None] + 3 * place[None, :])
        return wave[None, :, :, None]

    small, middle, large = (warp_crop(picture(n), crop) for n in (64, 128, 256))
    np.testing.assert_allclose(small, large, atol=1e-2)
    np.testing.assert_allclose(middle, large, atol=1e-2)


@pytest.mark.parametrize(
    "depth, count", [(18, 24_025_600), (50, 43_590_848), (100, 65_156_160)]
)
def test_iresnet_has_the_parameters_of_insightface(depth, count):
    shapes = jax.eval_shape(
        IResNet(BLOCKS[depth]).init,
        jax.random.key(0),
        jax.ShapeDtypeStruct((1, 112, 112, 3), jnp.float32),
    )
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count


@pytest.fixture(scope="module")
def twin():
    """InsightFace's IResNet-18 in PyTorch, narrow, with statistics of its own."""
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here.")
    nn = torch.nn
    norm = lambda width: nn.BatchNorm2d(width, eps=1e-5)

    class Block(nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.bn1, self.bn2, self.bn3 = norm(i), norm(o), norm(o)
            self.conv1 = nn.Conv2d(i, o, 3, 1, 1, bias=False)
            self.prelu = nn.PReLU(o)
            self.conv2 = nn.Conv2d(o, o, 3, stride, 1, bias=False)
            self.downsample = None
            if stride > 1:
                conv = nn.Conv2d(i, o, 1, stride, bias=False)
                self.downsample = nn.Sequential(conv, norm(o))

        def forward(self, x):
            y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
            y = self.bn3(self.conv2(y))
            return y + (x if self.downsample is None else self.downsample(x))

    class Twin(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
            self.bn1, self.prelu = norm(WIDTHS[0]), nn.PReLU(WIDTHS[0])
            before = WIDTHS[0]
            for stage, width in enumerate(WIDTHS, start=1):
                blocks = [Block(before, width, 2), Block(width, width, 1)]
                setattr(self, f"layer{stage}", nn.Sequential(*blocks))
                before = width
            self.bn2 = norm(before)
            self.fc = nn.Linear(before * 49, FEATURES)
            self.features = nn.BatchNorm1d(FEATURES, eps=1e-5)

        def forward(self, x):
            x = self.prelu(self.bn1(self.conv1(x)))
            for stage in range(1, 5):
                x = getattr(self, f"layer{stage}")(x)
            return self.features(self.fc(self.bn2(x).flatten(1)))

    torch.manual_seed(0)
    twin = Twin().eval()
    for name, value in twin.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.ndim == 1:
            value.uniform_(*((-0.3, 0.3) if "bias" in name else (0.2, 1.2)))
        elif value.ndim > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5)
    return twin


@pytest.fixture(scope="module")
def state(twin):
    return {name: value.numpy() for name, value in twin.state_dict().items()}


@pytest.fixture(scope="module")
def weights(state):
    return jax.device_put(identity_weights.import_iresnet(state))


def test_iresnet_and_its_gradients_are_those_of_pytorch(twin, weights):
    """To second order: also of a penalty on the slope of the squared embedding."""
    import torch

    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (2, 112, 112, 3)).astype(np.float32)
    cotangent = rng.normal(size=(2, FEATURES)).astype(np.float32)

    embed = lambda x: identity_weights.describe_iresnet(weights, x)
    slope_of = jax.grad(lambda x: jnp.square(embed(x)).sum())

    @jax.jit
    def ours(x):
        y, pull = jax.vjp(embed, x)
        penalty = jax.grad(lambda x: jnp.square(slope_of(x)).sum())(x)
        return y, pull(cotangent)[0], penalty

    # PyTorch 2.13 corrupts its memory when the channels come last here.
    theirs = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    expected = twin(theirs)
    expected.backward(torch.tensor(cotangent))
    y, slope, penalty = ours(x)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-4, atol=1e-4)
    expected = theirs.grad.numpy().transpose(0, 2, 3, 1)
    assert abs(y).mean() > 0.1 and abs(expected).mean() > 1e-3
    np.testing.assert_allclose(slope, expected, atol=1e-4 * abs(expected).max())
    squares = twin(theirs).square().sum()
    (slope,) = torch.autograd.grad(squares, theirs, create_graph=True)
    (expected,) = torch.autograd.grad(slope.square().sum(), theirs)
    expected = expected.numpy().transpose(0, 2, 3, 1)
    assert abs(expected).max() > 1e-3
    np.testing.assert_allclose(penalty, expected, atol=1e-3 * abs(expected).max())


def test_imported_weights_are_all_that_the_network_asks_for(weights):
    net = IResNet(BLOCKS[18], WIDTHS, FEATURES)
    image = jax.ShapeDtypeStruct((1, 112, 112, 3), jnp.float32)
    wanted = jax.eval_shape(net.init, jax.random.key(0), image)["params"]
    shapes = lambda tree: jax.tree.map(lambda leaf: leaf.shape, tree)
    assert shapes(weights) == shapes(wanted)


def test_names_that_are_missing_or_unknown_are_named(state):
    wrong = state | {"layer5.0.conv1.weight": state["conv1.weight"]}
    del wrong["layer2.1.bn3.running_var"]
    with pytest.raises(ValueError) as error:
        identity_weights.import_iresnet(wrong, source="face.pth")
    assert "face.pth" in str(error.value)
    assert "lacks layer2.1.bn3.running_var" in str(error.value)
    assert "has layer5.0.conv1.weight too many" in str(error.value)


@pytest.mark.parametrize(
    "name, harm, said",
    [
        ("layer2.0.conv2.weight", lambda x: x[:, :3], "does not fit the other layers"),
        ("conv1.weight", lambda x: x[:, :2], "does not fit the other layers"),
        ("conv1.weight", lambda x: x[..., 0], "does not fit the other layers"),
        ("fc.weight", lambda x: x[:, 1:], "does not fit the other layers"),
        ("layer3.0.prelu.weight", lambda x: x[:1], "does not fit the other layers"),
        ("bn1.bias", lambda x: x[1:], "does not fit the other layers"),
        ("bn2.running_var", lambda x: x - 9, "numbers that are not finite"),
        ("layer1.0.conv1.weight", lambda x: x * np.nan, "numbers that are not finite"),
    ],
)
def test_a_layer_that_cannot_be_is_named(state, name, harm, said):
    layer = name.rsplit(".", 1)[0]
    with pytest.raises(ValueError, match=f"^face.pth: {layer} .*{said}"):
        wrong = state | {name: harm(state[name])}
        identity_weights.import_iresnet(wrong, source="face.pth")


def test_a_file_of_pytorch_becomes_a_recogniser(twin, tmp_path):
    import torch

    torch.save(twin.state_dict(), tmp_path / "face.pth")
    embed = identity_weights.load(f"insightface:{tmp_path / 'face.pth'}")
    images = jax.random.uniform(jax.random.key(0), (2, 64, 64, 3), minval=-1)
    found = jax.jit(lambda embed, images: embed(images))(embed, images)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_no_identity_is_none_and_an_unknown_one_is_refused():
    assert identity_weights.load("none") is None
    for name in ("arcface", "insightface", "insightface:"):
        with pytest.raises(ValueError, match="choose from .*dlib.*insightface:FILE"):
            identity_weights.load(name)


def test_the_loss_is_zero_for_a_face_and_itself_and_its_slope_is_finite():
    """Even where the crop is one grey and the embedding is nothing."""
    embed = Recogniser({}, Crop(4, 4.0, 0.0, 0.0), lambda _, x: x.reshape(len(x), -1))
    images = jnp.stack([jnp.zeros((4, 4, 3)), jnp.ones((4, 4, 3))])
    loss = lambda x: losses.identity_distance(embed(x), embed(images)).sum()
    np.testing.assert_allclose(loss(images), 1.0, atol=1e-5)  # nothing has no direction
    assert np.isfinite(jax.grad(loss)(images)).all()


def test_the_area_under_the_curve_is_a_count_of_pairs():
    rng = np.random.default_rng(0)
    same, different = rng.integers(2, 9, 31), rng.integers(0, 7, 17)  # with ties
    wins = same[:, None] > different[None]
    ties = same[:, None] == different[None]
    found = measures.area_under_curve(
        jnp.array(same, jnp.float32), jnp.array(different, jnp.float32)
    )
    np.testing.assert_allclose(found, (wins + ties / 2).mean(), rtol=1e-6)


def test_faces_of_one_session_are_no_pair():
    """Two people; the first in two sessions, of two faces and one."""
    embedding = np.eye(4)[[0, 0, 0, 1]]
    person, session = np.array([5, 5, 5, 6]), np.array([0, 0, 1, 0])
    same, different = verify.pairs(embedding, person, session)
    np.testing.assert_array_equal(same, [1, 1])
    np.testing.assert_array_equal(different, [0, 0, 0])


def test_a_folder_is_verified(tmp_path):
    """A face is its person's grey; whoever sees greys tells people apart."""
    recipe = open_faces.Recipe(identities=6, sessions=2, expressions=1, size=8)

    def render(split, identity, session):
        for take in range(2):
            yield dict(
                image=open_faces.jpeg(np.full((8, 8, 3), 40 * identity, np.uint8)),
                mask=open_faces.png(np.zeros((8, 8), np.uint8)),
                kind=KINDS[take],
                expression=np.zeros(30, np.float32),
                speech=np.zeros(10, np.float32),
                sliders=np.zeros(len(SLIDERS), np.float32),
                landmarks=np.zeros((68, 2), np.float32),
                pose=np.zeros(3, np.float32),
            )

    assert open_faces.generate(tmp_path, recipe, render)

    def grey(images):
        angle = images.mean(axis=(1, 2, 3))
        return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)

    blind = lambda images: jnp.ones((len(images), 2))
    assert verify.auc(grey, tmp_path) == 1.0
    assert verify.auc(blind, tmp_path) == 0.5
    same, different = verify.pairs(*verify.embeddings(grey, tmp_path))
    assert len(same) == 6 * 4 and len(different) == 15 * 16


def test_a_folder_that_shows_nobody_twice_is_refused():
    folder = identity_weights.__file__.replace("identity_weights.py", "assets/tiny")
    with pytest.raises(ValueError, match="shows nobody twice: render a set with"):
        verify.auc(lambda images: images.mean(axis=(1, 2)), folder)


def test_photos_are_verified(tmp_path):
    """Whoever sees brightness tells apart a person by day and one by night."""
    small_shell.write_photos(tmp_path)
    with Image.open(tmp_path / "one.png") as day:
        day.point(lambda level: level // 3).save(tmp_path / "night.png")
    people = {"day": ["one.png", "one.png"], "night": ["night.png", "night.png"]}
    people = {
        name: [tmp_path / file for file in files] for name, files in people.items()
    }
    bright = lambda image: np.sign(image.mean(axis=(1, 2, 3)) + 0.3)[:, None]
    same, different = verify.of_photos(bright, people, size=64)
    assert same.tolist() == [1, 1] and different.tolist() == [-1] * 4


@pytest.mark.slow
def test_dlib_is_fetched_and_looks_at_a_face():
    embed = identity_weights.load("dlib")
    images = jax.random.uniform(jax.random.key(0), (1, 64, 64, 3), minval=-1)
    found = jax.jit(lambda embed, images: embed(images))(embed, images)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
