"""The faster of two programs paints, and once chosen it goes on painting."""

import json

import numpy as np
import pytest
import small_editor

from slider_jax import fetch, runtime
from slider_jax.edit import Editor


@pytest.fixture(scope="module")
def model():
    return small_editor.model()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The cache folder, with nobody's wish in the way of a measurement."""
    monkeypatch.delenv("SLIDER_RUNTIME")
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path)
    return tmp_path


def paint(model):
    crop = np.full((32, 32, 3), 100, np.uint8)
    return runtime.paint_fastest(model)(crop, np.full(30, 0.3))


def stand_ins(monkeypatch, **seconds):
    """Painters that only say who they are, and how long they take."""
    makers = {name: lambda m, n=name: lambda c, v: n for name in seconds}
    monkeypatch.setattr(runtime, "RUNTIMES", makers)
    monkeypatch.setattr(runtime, "paint_by_jax", makers["ours"])
    monkeypatch.setattr(runtime, "_measure", lambda *_: seconds)


def test_both_paint_the_same_within_a_hundredth_of_a_level(model, monkeypatch):
    painted = {}
    for name in runtime.RUNTIMES:
        monkeypatch.setenv("SLIDER_RUNTIME", name)
        painted[name] = paint(model)
    for a, b in zip(*painted.values(), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype == np.float32
        np.testing.assert_allclose(a, b, atol=0.01 / 127.5)


def test_the_faster_one_is_measured_once_and_kept(model, kept, monkeypatch):
    stand_ins(monkeypatch, ours=2.0, onnxruntime=1.0)
    assert paint(model) == "onnxruntime"
    (file,) = (kept / "runtimes").iterdir()
    found = json.loads(file.read_text())
    assert found["seconds"] == {"ours": 2.0, "onnxruntime": 1.0}
    stand_ins(monkeypatch, ours=1.0, onnxruntime=2.0)
    assert paint(model) == "onnxruntime"
    assert paint(small_editor.model(seed=1)) == "ours"  # another model


def test_a_real_measurement_ends_with_one_of_them(model, kept, monkeypatch):
    monkeypatch.setattr(runtime, "SECONDS", 0.001)
    edited, *_ = paint(model)
    np.testing.assert_array_equal(edited, paint(model)[0])
    (file,) = (kept / "runtimes").iterdir()
    found = json.loads(file.read_text())
    assert found["runtime"] == min(found["seconds"], key=found["seconds"].get)


def test_without_onnxruntime_nothing_is_measured(model, kept, monkeypatch):
    stand_ins(monkeypatch, ours=2.0, onnxruntime=1.0)
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    assert paint(model) == "ours" and not list(kept.iterdir())


def test_what_cannot_be_kept_is_not_used(model, kept, monkeypatch):
    stand_ins(monkeypatch, ours=2.0, onnxruntime=1.0)
    (kept / "runtimes").write_text("in the way")
    assert paint(model) == "ours"


def test_a_wish_wins_and_a_wrong_one_is_said(model, kept, monkeypatch):
    stand_ins(monkeypatch, ours=1.0, onnxruntime=2.0)
    monkeypatch.setenv("SLIDER_RUNTIME", "onnxruntime")
    assert paint(model) == "onnxruntime" and not list(kept.iterdir())
    monkeypatch.setenv("SLIDER_RUNTIME", "fastest")
    with pytest.raises(ValueError, match="SLIDER_RUNTIME is 'fastest'; choose from"):
        paint(model)


def test_nothing_is_chosen_before_the_first_picture(model, kept, monkeypatch):
    monkeypatch.setattr("slider_jax.edit.load_model", lambda path: model)
    monkeypatch.setattr(runtime, "_choose", lambda model: pytest.fail("too early"))
    editor = Editor.load()
    assert editor.painter.read(np.zeros((32, 32, 3), np.uint8)).shape == (30,)
