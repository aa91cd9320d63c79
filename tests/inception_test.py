"""FID's Inception against PyTorch, two features wide, from a file of its weights."""

import numpy as np
import pytest
from parity import close

from slider_jax.judges import perceptual

torch = pytest.importorskip("torch")
f = torch.nn.functional
WIDE, TALL = ((1, 7), (0, 3)), ((7, 1), (3, 0))


def mean(x):
    return f.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def twin(picture):
    """Features of a picture, and the random weights that every layer took."""
    rng, state = np.random.default_rng(0), {}

    def layer(name, x, size=1, padding=0, stride=1):
        kernel = (size, size) if isinstance(size, int) else size
        draw = lambda *shape: torch.tensor(rng.uniform(0.5, 1.5, shape)).float()
        weight = draw(2, x.shape[1], *kernel) / kernel[0] / kernel[1] / x.shape[1]
        norm = dict(bias=draw(2) - 1, running_mean=draw(2) - 1, running_var=draw(2))
        norm["weight"] = draw(2)
        state[f"{name}.conv.weight"] = weight
        state.update({f"{name}.bn.{k}": v for k, v in norm.items()})
        y = f.conv2d(x, weight, stride=stride, padding=padding)
        return f.relu(f.batch_norm(y, **norm, eps=1e-3))

    def block(name, x, around, *chains):
        """A chain is a list of (end of the name, size, padding, stride)."""
        found = []
        for chain in chains:
            steps = [x]
            for end, *geometry in chain:
                before = steps[-2 if end.endswith("b") else -1]  # b stands beside a
                steps.append(layer(f"Mixed_{name}.branch{end}", before, *geometry))
            found += steps[-2 if end.endswith("b") else -1 :]
        if around is None:
            return torch.cat([*found, f.max_pool2d(x, 3, 2)], 1)
        return torch.cat([*found, layer(f"Mixed_{name}.branch_pool", around(x))], 1)

    x = torch.tensor(picture).permute(0, 3, 1, 2)
    x = f.interpolate(x, (299, 299), mode="bilinear", align_corners=False)
    x = layer("Conv2d_2a_3x3", layer("Conv2d_1a_3x3", x, 3, 0, 2), 3)
    x = f.max_pool2d(layer("Conv2d_2b_3x3", x, 3, 1), 3, 2)
    x = layer("Conv2d_4a_3x3", layer("Conv2d_3b_1x1", x), 3)
    x = f.max_pool2d(x, 3, 2)
    double = [("3x3dbl_1",), ("3x3dbl_2", 3, 1)]
    for name in ("5b", "5c", "5d"):
        five = [("5x5_1",), ("5x5_2", 5, 2)]
        x = block(name, x, mean, [("1x1",)], five, [*double, ("3x3dbl_3", 3, 1)])
    x = block("6a", x, None, [("3x3", 3, 0, 2)], [*double, ("3x3dbl_3", 3, 0, 2)])
    for name in ("6b", "6c", "6d", "6e"):
        seven = [("7x7_1",), ("7x7_2", *WIDE), ("7x7_3", *TALL)]
        twice = [("7x7dbl_1",), ("7x7dbl_2", *TALL), ("7x7dbl_3", *WIDE)]
        twice += [("7x7dbl_4", *TALL), ("7x7dbl_5", *WIDE)]
        x = block(name, x, mean, [("1x1",)], seven, twice)
    seven = [("7x7x3_1",), ("7x7x3_2", *WIDE), ("7x7x3_3", *TALL)]
    three = [("3x3_1",), ("3x3_2", 3, 0, 2)]
    x = block("7a", x, None, three, [*seven, ("7x7x3_4", 3, 0, 2)])
    for name, around in (("7b", mean), ("7c", lambda x: f.max_pool2d(x, 3, 1, 1))):
        sides = lambda end: [(end + "a", (1, 3), (0, 1)), (end + "b", (3, 1), (1, 0))]
        three = [("3x3_1",), *sides("3x3_2")]
        x = block(name, x, around, [("1x1",)], three, [*double, *sides("3x3dbl_3")])
    return x.mean((2, 3)), state


def test_the_features_are_those_of_pytorch(tmp_path):
    picture = np.random.default_rng(1).uniform(-1, 1, (1, 40, 40, 3)).astype(np.float32)
    expected, state = twin(picture)
    assert len(state) == 94 * 5
    torch.save(state | {"fc.weight": torch.zeros(1)}, tmp_path / "inception.pth")
    found = perceptual.features(f"inception:{tmp_path}/inception.pth")(picture)
    close(found, expected, 1e-5)


def test_another_file_is_refused_by_its_name(tmp_path):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pth")
    with pytest.raises(
        ValueError, match="resnet.pth is not FID's Inception v3: it lacks"
    ):
        perceptual.features(f"inception:{tmp_path}/resnet.pth")
    with pytest.raises(FileNotFoundError, match="There is no file .*none.pth"):
        perceptual.features(f"inception:{tmp_path}/none.pth")
