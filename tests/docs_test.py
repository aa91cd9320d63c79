"""What docs/ shows, runs."""

import json
import pathlib
import re

import pytest

from slider_jax import settings, systems, train

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


def test_it_keeps_the_contract_in_thirty_lines(folder):
    assert isinstance(systems.create("tint.py"), systems.System)
    lines = [line for line in SYSTEM.splitlines() if line]
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 88


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(FileNotFoundError, match="no system in tnt.py"):
        systems.create("tnt.py")
