"""A model is one file that tells where it is from, or a sentence says why not."""

import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_editor
from small_game import assert_equal, sgd

from slider_jax import checkpoint, model_file, step


@pytest.fixture(scope="module")
def model():
    return small_editor.model(licence="Apache-2.0", default=True)


def test_what_is_saved_comes_back_with_its_card(model, tmp_path):
    model_file.save_model(tmp_path / "m.npz", model, dtype="float32")
    back = model_file.load_model(tmp_path / "m.npz")
    assert_equal(back.generator, model.generator)
    assert_equal(back.critic, model.critic)
    assert back.card == model.card and back.card["licence"] == "Apache-2.0"
    assert back.system == model.system
    assert (back.size, back.parameters) == (32, 30)


def test_half_precision_keeps_the_id_and_nearly_the_weights(model, tmp_path):
    model_file.save_model(tmp_path / "half.npz", model)
    model_file.save_model(tmp_path / "whole.npz", model, dtype="float32")
    half = model_file.load_model(tmp_path / "half.npz")
    assert half.id == model_file.load_model(tmp_path / "whole.npz").id == model.id
    assert half.id != small_editor.model(seed=1).id and len(half.id) == 12
    small = (tmp_path / "half.npz").stat().st_size
    assert small < 0.75 * (tmp_path / "whole.npz").stat().st_size
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6),
        *(half.generator, model.generator),
    )
    assert all(x.dtype == np.float32 for x in jax.tree.leaves(half.generator))


def test_the_same_model_is_the_same_bytes_and_nothing_is_left_beside(model, tmp_path):
    for name in ("a", "b"):
        model_file.save_model(tmp_path / name, model)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def rewritten(path, model, change):
    """The file with its arrays changed."""
    model_file.save_model(path, model)
    with np.load(path) as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(path, **arrays)
    return path


def recard(**changes):
    def change(arrays):
        card = json.loads(str(arrays["card"])) | changes
        arrays["card"] = np.array(json.dumps(card))

    return change


def spoil_weight(arrays):
    arrays[max(arrays)][...] = np.nan


def lose_weight(arrays):
    del arrays["generator/params/heads/mask"]


def word_weight(arrays):
    mask = arrays["generator/params/heads/mask"]
    arrays["generator/params/heads/mask"] = np.full(mask.shape, "word")


def pickle_weight(arrays):
    arrays["generator/params/heads/mask"] = np.array([{}], dtype=object)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (recard(format=3, slider_jax="9.0"), "slider_jax 9.0, newer than this one"),
        (recard(format=1), "older slider_jax, .* parameters meant something else"),
        (recard(system="slidergun"), "Unknown system"),
        (recard(model={"sise": 3}), "names no model .*sise"),
        (recard(model=dict(small_editor.FIELDS, size=0)), "names no model"),
        (recard(model=dict(small_editor.FIELDS, width="x")), "names no model"),
        (word_weight, "mask holds numbers that are not finite"),
        (recard(model=dict(small_editor.FIELDS, width=8)), "not those of the model"),
        (lambda a: a.update(card=np.array("{")), "card of .* cannot be read"),
        (lambda a: a.pop("card"), "no model of slider_jax"),
        (spoil_weight, "not finite"),
        (lose_weight, "not those of the model"),
        (pickle_weight, "plain arrays"),
    ],
)
def test_a_file_that_is_no_model_of_ours_is_one_sentence(
    change, sentence, model, tmp_path
):
    path = rewritten(tmp_path / "m.npz", model, change)
    with pytest.raises(ValueError, match=sentence) as refusal:
        model_file.load_model(path)
    assert "\n" not in str(refusal.value)


def test_damaged_files_are_one_sentence(model, tmp_path):
    path = tmp_path / "m.npz"
    model_file.save_model(path, model)
    whole = path.read_bytes()
    for content in (b"", b"no zip", whole[:-100], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="m.npz is .*no model of slider_jax"):
            model_file.load_model(path)
    flipped = bytearray(whole)
    for i in range(len(whole) // 2, len(whole) // 2 + 50):
        flipped[i] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(ValueError, match="m.npz"):
        model_file.load_model(path)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "LARGEST", 1000)
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("card.npy", bytes(100_000))
    with pytest.raises(ValueError, match="that is no model"):
        model_file.load_model(tmp_path / "m.npz")


def test_what_is_not_there_is_said(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no model at"):
        model_file.load_model(tmp_path / "m.npz")
    with pytest.raises(ValueError, match="no run.json"):
        model_file.load_model(tmp_path)
    monkeypatch.setattr(model_file, "DEFAULT", tmp_path / "default.npz")
    with pytest.raises(FileNotFoundError, match="train one"):
        model_file.load_model()


def test_another_file_in_the_place_of_the_default_is_refused(tmp_path, monkeypatch):
    there = model_file.DEFAULT
    (tmp_path / "SHA256SUMS").write_bytes((there.parent / "SHA256SUMS").read_bytes())
    monkeypatch.setattr(model_file, "DEFAULT", tmp_path / there.name)
    (tmp_path / there.name).write_bytes(there.read_bytes())
    model_file.load_model()
    (tmp_path / there.name).write_bytes(there.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match="is not the file that was released"):
        model_file.load_model()


@pytest.fixture
def run(tmp_path):
    """A run of SliderGAN with two checkpoints, as launch/main.py leaves one."""
    fields = small_editor.FIELDS | {"parameters": 30, "dtype": "bfloat16"}
    config = {"system": "slidergan", "model": fields, "seed": 3, "data": {"a": 1}}
    checkpoint.claim(tmp_path, config, {"commit": "abc", "versions": {}})
    with checkpoint.manager(tmp_path / "checkpoints", keep=3) as checkpoints:
        for number in (2, 4):
            params = jax.tree.map(jnp.asarray, small_editor.weights(seed=number))
            ema = jax.tree.map(lambda x, n=number: x + n, params)
            opt_state = {
                player: tx.init(params[player]) for player, tx in sgd().items()
            }
            state = step.TrainState(jnp.asarray(number), params, opt_state, ema)
            checkpoint.save(checkpoints, state, {})
    return tmp_path


def test_a_run_is_read_as_its_smoothed_players_and_exported(run, tmp_path):
    model = model_file.load_model(run)
    enter = model.generator["params"]["enter"]["kernel"]
    last = model.critic["params"]["parameters"]["kernel"]
    assert 3.9 < enter.mean() < 4.1 and 3.9 < last.mean() < 4.1  # the EMA of step 4
    assert model.card["trained"]["steps"] == 4
    assert model.card["trained"]["commit"] == "abc"
    assert model.system.dtype == "float32"
    model_file.save_model(run / "out.npz", model)
    back = model_file.load_model(run / "out.npz")
    assert back.id == model.id
    assert back.card["model"]["dtype"] == "bfloat16"  # as it was trained


def test_a_run_of_another_version_is_refused(run, monkeypatch, caplog):
    """And not read as zeros, wherever it lacks what is looked for."""
    shapes = model_file.shapes_of
    more = lambda system: shapes(system) | {"third": jax.ShapeDtypeStruct((2,), "f4")}
    monkeypatch.setattr(model_file, "shapes_of", more)
    with pytest.raises(ValueError, match="No checkpoint in .* can be read"):
        model_file.load_model(run)
    assert "ema/third holds numbers that are not finite" in caplog.text


def test_a_damaged_checkpoint_gives_way_to_the_one_before(run, caplog):
    for file in (run / "checkpoints" / "4" / "state").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    assert model_file.load_model(run).card["trained"]["steps"] == 2
    assert "4 is damaged" in caplog.text


def test_a_run_without_a_checkpoint_says_so(run):
    (run / "checkpoints").rename(run / "elsewhere")
    with pytest.raises(ValueError, match="No checkpoint"):
        model_file.load_model(run)


@pytest.mark.parametrize(
    "config",
    [3, {}, {"system": "nope", "model": {}}, {"system": "slidergan"}]
    + [{"system": "slidergan", "model": {"wid": 2}}]
    + [{"system": "slidergan", "model": {"width": "x"}}],
)
def test_a_run_whose_config_names_no_model_says_so(tmp_path, config):
    (tmp_path / "run.json").write_text(json.dumps({"config": config}))
    with pytest.raises(ValueError, match=f"^{tmp_path}/run.json names no model .*"):
        model_file.load_model(tmp_path)


def test_folders_that_are_no_steps_are_passed_over(run):
    for name in ("²", "4.damaged", "tmp"):
        (run / "checkpoints" / name).mkdir()
    assert model_file.load_model(run).card["trained"]["steps"] == 4
