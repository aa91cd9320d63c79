"""StarGAN's and GANimation's own modules, built in PyTorch, answer as ours do."""

import functools
import pathlib

import jax
import numpy as np
import pytest
import safetensors.numpy
import small_shell

from slider_jax import torch_weights
from slider_jax.nets.critic import Critic
from slider_jax.nets.generator import Generator, compose

torch = pytest.importorskip("torch")
import torch_twins as twins  # noqa: E402
from parity import draw, quick  # noqa: E402

SIZES = dict(conditions=5, width=4, blocks=2)


@pytest.fixture(scope="module")
def stargan():
    return twins.scrambled(twins.StarganGenerator(**SIZES))


def imported(network, kind):
    return torch_weights.convert(twins.state(network), kind)


def test_stargans_generator(stargan):
    params, fields = imported(stargan, "stargan-generator")
    image, condition = draw(2, 16, 16, 3), draw(2, 5)
    ours, mask, *_ = quick(Generator(**fields).apply)(params, image, condition)
    theirs = stargan(twins.to_torch(image), torch.tensor(np.asarray(condition)))
    np.testing.assert_allclose(ours, twins.from_torch(theirs), atol=1e-4)
    assert (mask == 1).all()


@pytest.mark.parametrize("blocks, down", [(1, 1), (3, 2)])
def test_ganimations_generator_whose_mask_is_the_other_way(blocks, down):
    network = twins.scrambled(twins.GanimationGenerator(5, 8, blocks, down))
    params, fields = imported(network, "ganimation-generator")
    assert (fields["blocks"], fields["down"]) == (blocks, down)
    image, condition = draw(2, 16, 16, 3), draw(2, 5)
    painting = quick(Generator(**fields).apply)(params, image, condition)
    ours = compose(image, painting.colour, painting.mask)
    colour, keep = network(twins.to_torch(image), torch.tensor(np.asarray(condition)))
    theirs = keep * twins.to_torch(image) + (1 - keep) * colour
    np.testing.assert_allclose(ours, twins.from_torch(theirs), atol=1e-4)


@pytest.mark.parametrize("size", [32, 8])
@pytest.mark.parametrize("kind", ["stargan-critic", "ganimation-critic"])
def test_both_critics(kind, size):
    """The small one's last kernels are wider than what they look at."""
    network = twins.scrambled(twins.Critic(5, width=8, depth=3, size=size))
    params, fields = imported(network, kind)
    wide = lambda name: params["params"][name]["kernel"].shape[0]
    assert (wide("down_2"), wide("score")) == ((4, 3) if size == 32 else (2, 1))
    image = draw(2, size, size, 3)
    ours = quick(Critic(**fields).apply)(params, image)
    for a, b in zip(ours, network(twins.to_torch(image)), strict=True):
        np.testing.assert_allclose(a, b.detach(), atol=1e-4)


def test_the_parameters_have_the_shape_that_our_module_makes(stargan):
    params, fields = imported(stargan, "stargan-generator")
    made = jax.eval_shape(
        Generator(**fields).init, jax.random.key(0), draw(1, 16, 16, 3), draw(1, 5)
    )
    shapes = lambda tree: jax.tree.map(lambda leaf: leaf.shape, tree)
    assert shapes(params) == shapes(made)


def test_every_name_that_is_wrong_is_listed(stargan):
    state = twins.state(stargan)
    state["surprise.weight"] = state.pop("main.4.bias")
    state["extra"] = state.pop("main.9.main.0.weight")[0]
    with pytest.raises(ValueError) as error:
        torch_weights.convert(state, "stargan-generator")
    for name in ("main.4.bias", "surprise.weight", "extra"):
        assert name in str(error.value)


def test_another_network_is_refused(stargan):
    with pytest.raises(ValueError, match="Missing: .*attetion_reg.0.weight"):
        imported(stargan, "ganimation-generator")
    with pytest.raises(ValueError, match="conv2.weight is missing"):
        imported(stargan, "stargan-critic")
    with pytest.raises(ValueError, match="Unknown kind 'pix2pix'; choose from"):
        imported(stargan, "pix2pix")


@pytest.mark.parametrize(
    "name, spoil, sentence",
    [
        ("main.1.weight", lambda x: x * np.nan, "main.1.weight holds numbers"),
        ("main.1.bias", lambda x: x[:3], "main.1.bias does not go with the other"),
        ("main.3.weight", lambda x: x[:, :3], "main.3.weight does not go with"),
        ("main.0.weight", lambda x: x[0, 0, 0], "main.0.weight is of shape"),
    ],
)
def test_layers_that_do_not_go_together_are_refused(stargan, name, spoil, sentence):
    state = twins.state(stargan)
    state[name] = spoil(state[name])
    with pytest.raises(ValueError, match=sentence):
        torch_weights.convert(state, "stargan-generator")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_are_read_by_name_with_or_without_data_parallels_prefix(
    stargan, tmp_path, suffix
):
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        wrapped = {f"module.{k}": v for k, v in stargan.state_dict().items()}
        torch.save(wrapped, file)
    else:
        safetensors.numpy.save_file(twins.state(stargan), file)
    read = torch_weights.read(file)
    expected = twins.state(stargan)
    assert read.keys() == expected.keys()
    jax.tree.map(np.testing.assert_array_equal, dict(read), dict(expected))


class Trap:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path("sprung"),)


def test_no_file_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"main.0.weight": Trap()}, "trap.pth")
    with pytest.raises(ValueError, match="trap.pth is no plain PyTorch state dict"):
        torch_weights.read("trap.pth")
    assert not pathlib.Path("sprung").exists()


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]"])
def test_damaged_files_are_named(tmp_path, content):
    for suffix in (".safetensors", ".pt"):
        file = tmp_path / f"broken{suffix}"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=f"broken{suffix}"):
            torch_weights.read(file)
    with pytest.raises(FileNotFoundError, match="There is no file .*gone.pt"):
        torch_weights.read(tmp_path / "gone.pt")
    with pytest.raises(ValueError, match="ends neither in .safetensors nor"):
        torch_weights.read(__file__)


def test_the_command_writes_what_load_reads(
    stargan, tmp_path, monkeypatch, capsysbinary
):
    file, out = tmp_path / "200000-G.pth", tmp_path / "ours.npz"
    torch.save(stargan.state_dict(), file)
    arguments = ["import-torch", str(file), "--kind=stargan-generator", f"--out={out}"]

    slider = functools.partial(small_shell.run, monkeypatch, capsysbinary)
    code, said, _ = slider(*arguments)
    assert code == 0 and b"ours.npz" in said
    code, _, said = slider(*arguments)
    assert code == 2 and "ours.npz is there already: --force replaces it" in said
    code, _, said = slider(*arguments, "--kind=stargan-critic", "--force")
    assert code == 2 and "200000-G.pth: conv2.weight is missing" in said
    params, fields = torch_weights.load(out)
    expected = imported(stargan, "stargan-generator")
    jax.tree.map(np.testing.assert_array_equal, params, expected[0])
    assert fields == expected[1]
