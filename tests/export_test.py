"""What is exported does what the model does, and says what it is."""

import dataclasses
import json
import sys
import types

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
import small_editor

from slider_jax import export, model_file, onnx_graph, systems
from slider_jax.face.maps import load_maps
from slider_jax.face.sliders import SLIDERS
from slider_jax.painter import make_painter

MODELS = {
    "plain": dict(warped=False),
    "added": dict(warped=False, added=True),
    "full": {
        **dict(mapped=True, warped=True, bounded=True),
        **dict(parameters=40, size=64, depth=4, blocks=2, fold=2, tint=0.25),
    },
}


@pytest.fixture(scope="module")
def model():
    return small_editor.model(licence="CC0-1.0")


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    """A model and a folder with e.onnx, r.onnx and e.stablehlo.

    Channels have offsets of their own: equal ones would hide a mistake.
    """
    model = small_editor.model(fields=MODELS[request.param])
    rng = np.random.default_rng(1)
    shake = lambda x: x + rng.normal(0, 0.3, x.shape) if x.ndim == 1 else x
    for player in (model.generator, model.critic):
        player["params"] = jax.tree.map(
            lambda x: shake(x).astype(np.float32), player["params"]
        )
    folder = tmp_path_factory.mktemp(request.param)
    told = export.onnx(model, folder / "e.onnx")
    assert told["difference"] < export.CLOSE and told["opset"] == onnx_graph.OPSET
    export.onnx(model, folder / "r.onnx", reader=True)
    export.stablehlo(model, folder / "e.stablehlo")
    return model, folder


def run(path, **inputs):
    running = onnxruntime.InferenceSession(path)
    names = [output.name for output in running.get_outputs()]
    return dict(zip(names, running.run(None, inputs), strict=True))


def faces(model, count=2):
    """Bytes, the same as floats, and vectors."""
    rng = np.random.default_rng(3)
    crops = rng.integers(0, 256, (count, model.size, model.size, 3), np.uint8)
    vectors = rng.uniform(-1, 1, (count, model.parameters)).astype(np.float32)
    return crops, (crops / 127.5 - 1).astype(np.float32), vectors


def test_onnx_paints_and_reads_what_the_painter_does(exported):
    model, folder = exported
    painter = make_painter(model)
    crops, image, vectors = faces(model)
    painted = run(folder / "e.onnx", image=image, expression=vectors)
    worn = run(folder / "r.onnx", image=image)["expression"]
    for i, (crop, vector) in enumerate(zip(crops, vectors, strict=True)):
        for name, ours in zip(painted, painter.paint(crop, vector), strict=True):
            np.testing.assert_allclose(painted[name][i], ours, atol=1e-4)
        np.testing.assert_allclose(worn[i], painter.read(crop), atol=1e-4)


@pytest.mark.parametrize("name", ["e.onnx", "r.onnx"])
def test_onnx_has_plain_operators_and_a_free_batch(exported, name):
    found = onnx.load(exported[1] / name)
    onnx.checker.check_model(found, full_check=True)
    assert [(o.domain, o.version) for o in found.opset_import] == [("", 17)]
    assert found.ir_version <= 8 and not found.functions
    for node in found.graph.node:
        assert node.domain == "" and onnx.defs.has(node.op_type)
    for value in [*found.graph.input, *found.graph.output]:
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_stablehlo_paints_what_jax_does(exported):
    model, folder = exported
    back = jax.export.deserialize((folder / "e.stablehlo").read_bytes())
    assert back.platforms == ("cpu", "cuda", "tpu")
    _, image, vectors = faces(model)
    found = back.call(image, vectors)
    painted = run(folder / "e.onnx", image=image, expression=vectors)
    for a, b in zip(found, painted.values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert json.loads((folder / "e.stablehlo.json").read_text())["sliders"]


def test_a_generator_without_a_mask_is_exported_too(tmp_path):
    fields = dict(parameters=30, size=32, width=4, blocks=1, depth=3)
    system = systems.create("stargan", **fields)
    shapes = model_file.shapes_of(system)
    weights = jax.tree.map(lambda x: np.full(x.shape, 0.01, np.float32), shapes)
    model = model_file.make_model("stargan", fields, weights)
    told = export.stablehlo(model, tmp_path / "m.stablehlo")
    assert told["difference"] < export.CLOSE


def test_the_metadata_is_enough_to_ask_for_a_smile(model, tmp_path):
    export.onnx(model, tmp_path / "m.onnx")
    props = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    told = json.loads(props["slider_jax"])
    assert told["model"] == model.id and told["licence"] == "CC0-1.0"
    assert list(told["sliders"]) == [*SLIDERS] and told["opset"] == 17
    assert told["sliders"]["browInnerUp"] == [0, 1.5]
    maps = load_maps(30)
    np.testing.assert_allclose(
        told["maps"]["components_of"], maps.components_of, atol=1e-6
    )
    alignment = told["preprocessing"]["alignment"]
    assert len(alignment["goal"]) == len(alignment["of_mediapipe"]) == 68
    eyes = np.mean(alignment["goal"][36:48], 0)
    np.testing.assert_allclose(eyes, [0.5, 0.4], atol=1e-3)
    assert len(props["slider_jax"]) < 100_000


@pytest.mark.parametrize("kind", ["onnx", "stablehlo"])
def test_the_same_model_is_the_same_bytes(model, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(export, "_check", lambda *_: 0.0)
    for name in "ab":
        getattr(export, kind)(model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_differs_is_not_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "EPSILON", 0.1)
    with pytest.raises(ValueError, match="onnxruntime differs from JAX by .* nothing"):
        export.onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnxruntime_the_way_out_is_named(model, tmp_path, monkeypatch):
    for name in ("onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"pip install 'slider_jax\[export\]'"):
        export.onnx(model, tmp_path / "m.onnx")


def test_a_network_that_is_not_ours_is_said(model, tmp_path):
    other = dataclasses.replace(model, system=types.SimpleNamespace())
    for reader in (False, True):
        with pytest.raises(ValueError, match="take stablehlo"):
            export.onnx(other, tmp_path / "m.onnx", reader=reader)
