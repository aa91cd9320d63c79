"""What docs/ shows, runs."""

import importlib.util
import json
import pathlib
import re

import jax
import numpy as np
import pytest

from slider_jax import model_file, settings, systems, train
from slider_jax.face.head import load_head
from slider_jax.painter import make_painter

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "new_system.md").read_text()
SYSTEM, CONFIG = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A repository that holds both files of the page."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "tint.py").write_text(SYSTEM)
    (tmp_path / "tint_config.py").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLIDER_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_the_system_of_the_page_trains_both_phases(folder):
    (flag,) = re.findall(r"main.py (--config=\S+)", PAGE)
    config = settings.read([flag])
    state = train.train(config, folder / "runs")
    assert int(state.step) == 4
    text = (folder / "runs" / "metrics.jsonl").read_text()
    paired, unpaired = (json.loads(line) for line in text.splitlines())
    assert paired["generator/paired"] > 0 == unpaired["generator/paired"]
    assert (folder / "runs" / "samples" / "sheet_0000004.png").exists()
    painter = make_painter(model_file.load_model(folder / "runs"))
    face = np.full((64, 64, 3), 128, np.uint8)
    edited, mask, _ = painter.paint(face, painter.read(face))
    assert edited.shape == face.shape and (mask == 1).all()


def test_it_keeps_the_contract_in_thirty_lines(folder):
    assert isinstance(systems.create("tint.py"), systems.System)
    lines = [line for line in SYSTEM.splitlines() if line]
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 88


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(FileNotFoundError, match="no system in tnt.py"):
        systems.create("tnt.py")


def test_nobody_reads_better_than_the_limit_and_the_best_linear_reader_as_well():
    """On drawn faces; the person is a stranger, or not."""
    path = ROOT / "docs" / "reading_limit.py"
    spec = importlib.util.spec_from_file_location("reading_limit", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    head, noise, rng = load_head(), 0.8, np.random.default_rng(0)
    rows = np.asarray(head.dense_landmarks)
    covariance, _ = script.spread(head.face, count=400)
    flat = lambda shapes: np.float64(shapes)[..., :2].reshape(len(shapes), -1)
    root = np.linalg.cholesky(covariance).T
    moves = flat(jax.vmap(head.face.expression.offsets)(root)[:, rows])
    turns = flat(script.pose(np.float64(head.face.mean[rows])))
    people = flat(np.asarray(head.face.identities)[:, rows])
    for hidden in (turns, np.concatenate([turns, people])):
        whole = np.concatenate([moves, hidden, noise * np.eye(moves.shape[1])])
        drawn = rng.normal(size=(2000, len(whole)))
        reader = np.linalg.solve(whole.T @ whole, moves.T @ root)
        wrong = drawn[:, : len(root)] @ root - drawn @ whole @ reader
        left = script.posterior(head, covariance, noise, known=hidden is turns)
        spread = np.square(wrong).mean(0)
        np.testing.assert_allclose(spread, np.diag(left), rtol=0.15)
