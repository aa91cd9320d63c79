"""`launch/main.py`, the configs it reads, and the two lines of the README."""

import importlib.util
import pathlib
import subprocess
import sys
import types

import pytest
from absl import flags

import slider_jax

ROOT = pathlib.Path(__file__).parent.parent
DEMO = "python launch/main.py --config=configs/slidergan.py:demo"
RUN_LINE = f"pip install -e . && {DEMO}"
TEST_LINE = "pip install -e '.[test]' && pytest"


@pytest.fixture(scope="module")
def load():
    """Imports a script; once, because absl defines a flag once."""

    def load(path):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="module")
def main(load):
    return load(ROOT / "launch" / "main.py")


@pytest.fixture
def launch(main, monkeypatch, capsys):
    """Runs it; gives the exit code, what it said, and what it complained."""
    monkeypatch.chdir(ROOT)

    def run(*arguments):
        flags.FLAGS.unparse_flags()
        monkeypatch.setattr(sys, "argv", ["main.py", *arguments])  # read for --config.x
        try:
            code = main.main(main.parse_flags(sys.argv))
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def shown(monkeypatch):
    """What the card module was asked for."""
    asked = []

    def show(folder, out):
        asked.append((folder, out))
        return "The card."

    module = types.SimpleNamespace(show=show)
    monkeypatch.setitem(sys.modules, "slider_jax.card", module)
    monkeypatch.setattr(slider_jax, "card", module, raising=False)
    return asked


def test_the_demo_draws_the_tiny_set_into_the_workdir(launch, shown, tmp_path):
    workdir = tmp_path / "runs" / "demo"
    code, said, _ = launch("--config=configs/slidergan.py:demo", f"--workdir={workdir}")
    tiny = pathlib.Path(slider_jax.__file__).parent / "assets" / "tiny"
    assert code == 0
    assert shown == [(tiny, workdir / "contact_sheet.png")]
    assert workdir.is_dir()
    assert "The card." in said and "Training is not" in said


def test_a_config_may_name_another_folder(launch, shown, tmp_path):
    launch(
        "--config=configs/slidergan.py",
        "--config.data.folder=/data/faces",
        f"--workdir={tmp_path}",
    )
    assert shown[0][0] == pathlib.Path("/data/faces")


def test_without_a_workdir_results_go_to_runs(main):
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["main.py", f"--config={ROOT}/configs/slidergan.py:demo", "--workdir="])
    assert main.workdir() == pathlib.Path("runs/slidergan-demo")


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["slidergan.py"], "needs a data set: add --config.data.folder=DIR."),
        (["slidergan.py:demo", "--config.data.sze=3"], "the config has no 'sze'."),
        (["no_such_config.py"], "no_such_config.py"),
    ],
)
def test_a_users_mistake_stops_it_with_a_sentence(launch, shown, arguments, sentence):
    config, *rest = arguments
    code, _, complained = launch(f"--config=configs/{config}", *rest)
    assert code == 2
    assert complained.startswith("launch: ") and sentence in complained
    assert not shown


def test_the_full_config_is_the_papers(load):
    """Sec. 5.2."""
    config = load(ROOT / "configs" / "slidergan.py").get_config()
    assert (config.data.image_size, config.data.batch_size) == (128, 16)
    assert config.model.num_sliders == 30
    assert config.adam.to_dict() == {"b1": 0.5, "b2": 0.999}
    paired, unpaired = config.phases
    assert (paired.epochs, unpaired.epochs) == (20, 40)
    assert paired.weights.critic.to_dict() == {"adversarial": 30, "expression": 1000}
    generator = dict(
        adversarial=30, expression=1000, reconstruction=10, identity=4, attention=0.3
    )
    assert paired.weights.generator.to_dict() == generator | {"paired": 10}
    assert unpaired.weights.generator.to_dict() == generator | {"paired": 0}


def test_the_demo_is_the_tiny_set_at_64_pixels(load):
    get_config = load(ROOT / "configs" / "slidergan.py").get_config
    demo, full = get_config("demo"), get_config()
    assert (demo.data.folder, demo.data.image_size) == ("tiny", 64)
    assert demo.phases == full.phases
    with pytest.raises(ValueError, match="choose 'full' or 'demo'"):
        get_config("dmeo")


def test_the_readme_has_both_lines():
    lines = [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]
    assert RUN_LINE in lines and TEST_LINE in lines


def test_ci_ends_with_the_line_of_the_readme():
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == TEST_LINE


@pytest.mark.slow
def test_the_line_of_the_readme_draws_faces(tmp_path):
    command = [sys.executable, *DEMO.split()[1:], f"--workdir={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "contact_sheet.png").stat().st_size > 10_000
