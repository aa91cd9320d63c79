"""`configs/slidergan.py`: the paper, and how each variant differs from it."""

import pathlib
import runpy

import pytest

from slider_jax import prepare

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def get_config():
    return runpy.run_path(str(ROOT / "configs" / "slidergan.py"))["get_config"]


def test_the_full_config_is_the_papers(get_config):
    """Sec. 5.2."""
    config = get_config()
    assert (config.data.image_size, config.data.batch_size) == (128, 16)
    assert config.model.parameters == 30
    assert config.model.adversarial == "ra_expectation"
    paired, unpaired = config.phases
    assert (paired.epochs, unpaired.epochs) == (20, 40)
    critic = dict(adversarial=30, expression=1000, gradient_penalty=300, score_gap=0)
    assert paired.weights.critic.to_dict() == critic
    generator = dict(
        adversarial=30,
        expression=1000,
        reconstruction=10,
        identity=4,
        attention=0.3,
        colour=0,
        moved=0,
        mask=0,
        mask_entropy=0,
    )
    assert paired.weights.generator.to_dict() == generator | {"paired": 10}
    assert unpaired.weights.generator.to_dict() == generator | {"paired": 0}


def differences(a, b, prefix=""):
    """Names of the fields that differ."""
    for name in a:
        x, y = a[name], b[name]
        if hasattr(x, "keys"):
            yield from differences(x, y, f"{prefix}{name}.")
        elif isinstance(x, tuple):
            for i, (p, q) in enumerate(zip(x, y, strict=True)):
                yield from differences(p, q, f"{prefix}{name}.{i}.")
        elif x != y:
            yield prefix + name


@pytest.mark.parametrize(
    "variant, fields",
    [
        ("speech", {"data.speech", "model.parameters"}),
        ("wgp", {"model.adversarial"}),
        ("no_id", {"identity"}),
        ("no_gen", {"phases.0.weights.generator.paired"}),
        ("no_id_no_gen", {"identity", "phases.0.weights.generator.paired"}),
    ],
)
def test_a_variant_differs_from_the_paper_in_nothing_else(get_config, variant, fields):
    assert set(differences(get_config(), get_config(variant))) == fields


def test_variants_go_together(get_config):
    both = get_config("small,wgp")
    assert set(differences(get_config("small"), both)) == {"model.adversarial"}


def test_the_default_learns_without_a_game(get_config):
    """First the critic alone, then the generator; what needs a game is refused."""
    config = get_config("default")
    assert [phase.name for phase in config.phases] == ["reading", "painting", "asking"]
    read, paint, ask = (prepare.weights_of(config, number) for number in range(3))
    assert read["generator"] is paint["critic"] is ask["critic"] is None
    learnt = dict(paired=500.0, likeness=50.0, edges=250.0, cover=100.0)
    learnt |= dict(revealed=20000.0, colour=250.0, moved=500.0)
    learnt |= dict(mask=None, mask_entropy=None)
    assert paint["generator"] == learnt
    assert ask["generator"] == paint["generator"] | dict(expression=200.0)
    with pytest.raises(ValueError, match="`:default` plays no game"):
        get_config("default,wgp")


@pytest.mark.parametrize("asleep, expected", [(None, 200 + 2000), ("first", 2667)])
def test_the_rate_is_constant_for_forty_epochs(
    get_config, monkeypatch, asleep, expected
):
    """However long they are, or for two thirds of those in which a player learns."""
    asked = []
    monkeypatch.setattr(prepare, "adam", lambda *_, **told: asked.append(told))
    config = get_config("full")
    weights = prepare.weights_of(config, 0)
    first = weights | {"generator": None} if asleep else weights
    phases = (
        prepare.Phase(0, "paired", "train_paired", 0, 20 * 10, first),
        prepare.Phase(1, "unpaired", "train_unpaired", 200, 200 + 40 * 100, weights),
    )
    prepare.make_optimizers(config, phases)
    critic, generator = asked
    assert critic["updates"] * critic["constant"] == pytest.approx(5 * 2200)
    found = generator["updates"] * generator["constant"]
    assert found == pytest.approx(expected, abs=1)
    assert generator["updates"] == (4000 if asleep else 4200)


@pytest.mark.parametrize("variant", ["demo", "tiny"])
def test_the_small_variants_need_no_download(get_config, variant):
    config = get_config(variant)
    assert (config.data.folder, config.data.image_size) == ("tiny", 64)
    assert config.identity == "none"


def test_an_unknown_variant_is_refused_with_those_there_are(get_config):
    with pytest.raises(ValueError, match="choose from .*'demo'"):
        get_config("dmeo")
