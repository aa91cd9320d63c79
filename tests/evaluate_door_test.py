"""The door of `evaluate`: what it is asked for arrives, and mistakes are sentences."""

import dataclasses
import importlib.util

import pytest
import small_shell
from evaluate_test import JUDGES, nothing
from open_faces_test import RECIPE
from open_faces_test import rows as drawn

from slider_jax import evaluate, open_faces
from slider_jax.evaluate import tables, weights
from slider_jax.licences import FOLDER


def occupied(folder):
    (folder / "mine.txt").write_text("")
    return dict(out=folder)


def file(folder):
    (folder / "file").touch()
    return folder / "file"


@pytest.mark.parametrize(
    "given, said",
    [
        (lambda f: dict(runs=[]), "Name at least one run"),
        (lambda f: dict(runs=["nowhere"]), "no model at nowhere"),
        (lambda f: dict(runs=[str(f)]), "has no run.json"),
        (lambda f: dict(runs=["default", "default"]), "named twice"),
        (lambda f: dict(suite="faces"), "Unknown suite 'faces'"),
        (lambda f: dict(data=f), "there is no recipe.json"),
        (lambda f: dict(pairs=1), "--pairs=1 is too few"),
        (lambda f: dict(seed=-1), "--seed=-1 is below 0"),
        (lambda f: dict(features="inception"), "Unknown features 'inception'"),
        (lambda f: dict(features="vgg19"), "choose vgg16 or inception:FILE"),
        (lambda f: dict(features=f"inception:{f}/x.pt"), "no file .*x.pt, named by"),
        (lambda f: dict(out=file(f) / "x"), "cannot be made a folder .Not a directory"),
        (occupied, r"holds other files \(mine.txt\)"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(tmp_path, given, said):
    (tmp_path / "given").mkdir()
    asked = dict(runs=["default"], out=tmp_path / "out", judges=JUDGES)
    asked |= given(tmp_path / "given")
    if "features" in asked:
        asked["judges"] = None
    with pytest.raises((ValueError, OSError), match=said) as error:
        evaluate.evaluate(**asked)
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_a_set_without_test_people_is_refused(tmp_path):
    few = dataclasses.replace(RECIPE, identities=5)
    open_faces.generate(tmp_path / "few", few, drawn)
    with pytest.raises(ValueError, match="no pairs of test people"):
        evaluate.evaluate(["default"], tmp_path / "out", data=tmp_path / "few")


def test_the_command_passes_all_on(monkeypatch, capsysbinary):
    asked = []
    monkeypatch.setattr(evaluate, "evaluate", lambda *a, **k: asked.append((a, k)))
    monkeypatch.setattr("slider_jax.programs.keep_programs", nothing)
    words = "--runs a,b --out r --pairs 7 --fast --seed 2".split()
    code, said, _ = small_shell.run(monkeypatch, capsysbinary, "evaluate", *words)
    assert code == 0 and b"r/index.html" in said
    (runs, out), options = asked[0]
    assert runs == ["a", "b"] and str(out) == "r"
    expected = dict(pairs=7, fast=True, seed=2, suite="open_faces", data=None)
    assert options == expected | dict(fetch=False, features="vgg16")


def test_a_stopped_command_says_how_to_go_on(monkeypatch, capsysbinary):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "evaluate", stop)
    monkeypatch.setattr("slider_jax.programs.keep_programs", nothing)
    words = "evaluate --runs a --out r".split()
    code, _, complained = small_shell.run(monkeypatch, capsysbinary, *words)
    assert code == 130
    assert complained == "slider: stopped; again, it goes on from r/parts.\n"


def test_the_script_passes_all_on_and_says_a_mistake_in_one_line(
    monkeypatch, capsys, tmp_path
):
    path = FOLDER.parents[1] / "launch" / "evaluate.py"
    spec = importlib.util.spec_from_file_location("launch_evaluate", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr("slider_jax.programs.keep_programs", nothing)
    asked = []
    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "evaluate", lambda *a, **k: asked.append((a, k)))
        assert script.main(["--runs=a,b", "--out=r"]) == 0
    expected = dict(pairs=200, fast=False, seed=0, suite="open_faces", data=None)
    expected |= dict(fetch=False, features="vgg16")
    assert asked == [((["a", "b"], "r"), expected)]
    capsys.readouterr()
    assert script.main(["--runs=nowhere", "--out=nowhere/report"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("evaluate: There is no model at nowhere: give a file made ")
    assert said.count("\n") == 1
    looked = ["--runs=later", f"--out={tmp_path}", "--check"]
    assert script.main(looked) == 0 and not any(tmp_path.iterdir())
    assert script.main([*looked, "--features=vgg19"]) == 2
    assert "choose vgg16" in capsys.readouterr().err


def test_inception_by_path_is_what_fid_leans_on(tmp_path, monkeypatch):
    file = tmp_path / "net.pt"
    file.write_bytes(b"weights")
    asked = []
    monkeypatch.setattr(weights.fetch, "is_here", lambda package: False)
    monkeypatch.setattr(weights.perceptual, "features", asked.append)
    found = weights.load(fetch_all=False, features=f"inception:{file}")
    assert asked == [f"inception:{file}"] and found.network.startswith("Inception v3, ")
    table = tables.Table("x", "x", "", "", ("fid", "lpips"))
    fid, lpips = tables.fill(table, [], [], 0, features=found.network)["columns"]
    assert fid["leans_on"] == found.network and lpips["leans_on"] == "LPIPS net"
