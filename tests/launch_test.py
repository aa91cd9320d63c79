"""`launch/main.py`, the configs it reads, and the two lines of the README."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest
from absl import flags

from slider_jax import stop, train

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
def trained(monkeypatch):
    """What was to be trained, and where."""
    asked = []
    monkeypatch.setattr(train, "train", lambda *arguments: asked.append(arguments))
    return asked


def test_the_demo_trains_in_the_workdir(launch, trained, tmp_path):
    code, said, _ = launch(
        "--config=configs/slidergan.py:demo", f"--workdir={tmp_path}"
    )
    ((config, workdir),) = trained
    assert code == 0 and f"are in {tmp_path}" in said
    assert (config.data.folder, workdir) == ("tiny", tmp_path)


def test_every_field_can_be_overridden(launch, trained, tmp_path):
    launch(
        "--config=configs/slidergan.py",
        "--config.data.folder=/data/faces",
        "--config.phases[1].steps=7",
        "--config.phases[0].weights.generator.attention=0.5",
        "--config.model.size=64",
        "--config.unroll=False",
        f"--workdir={tmp_path}",
    )
    ((config, _),) = trained
    assert config.data.folder == "/data/faces"
    assert config.phases[1].steps == 7
    assert config.phases[0].weights.generator.attention == 0.5
    assert config.data.image_size == 64  # follows the model
    assert config.unroll is False


def test_without_a_workdir_results_go_to_runs(main):
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["main.py", f"--config={ROOT}/configs/slidergan.py:demo", "--workdir="])
    assert main.workdir() == pathlib.Path("runs/slidergan-demo")


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["slidergan.py"], "needs a data set: add --config.data.folder=DIR."),
        (["slidergan.py:demo", "--config.data.sze=3"], "the config has no 'sze'."),
        (["slidergan.py:dmo"], "Unknown variant 'dmo'; choose from ('full', 'default'"),
        (["no_such_config.py"], "No such file or directory: 'configs/no_such_config"),
        (["slidergan.py:tiny", "--config.seed=abc"], "--config.seed=abc: invalid"),
        (["slidergan.py:tiny", "--wrkdir=runs"], "Unknown command line flag 'wrkdir'"),
        (["slidergan.py:tiny", "--config.parallel=gpus"], "choose from"),
        (["slidergan.py:tiny", "tiny"], "Unexpected argument 'tiny'."),
    ],
)
def test_a_users_mistake_stops_it_with_a_sentence(
    launch, tmp_path, arguments, sentence
):
    config, *rest = arguments
    workdir = tmp_path / "run"
    code, _, complained = launch(
        f"--config=configs/{config}", *rest, f"--workdir={workdir}"
    )
    assert code == 2 and not workdir.exists()
    assert complained.startswith("launch: ") and sentence in complained
    assert complained.count("\n") == 1


def test_a_config_that_refuses_is_one_sentence_too(launch, tmp_path):
    path = tmp_path / "stubborn.py"
    path.write_text("def get_config():\n    raise ValueError('Not on Sundays.')\n")
    code, _, complained = launch(f"--config={path}", f"--workdir={tmp_path}")
    assert (code, complained) == (2, "launch: Not on Sundays.\n")


def test_a_misspelt_variant_stops_the_program_itself(tmp_path):
    command = [sys.executable, "launch/main.py", "--config=configs/slidergan.py:dmo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"launch: Unknown variant 'dmo'; choose from .*\n", done.stderr)


@pytest.mark.parametrize(
    "error, code", [(stop.Interrupted("Go on."), 75), (FloatingPointError("NaN."), 1)]
)
def test_how_a_run_ended_is_its_exit_code(launch, monkeypatch, tmp_path, error, code):
    def ended(config, workdir):
        raise error

    monkeypatch.setattr(train, "train", ended)
    found, _, complained = launch(
        "--config=configs/slidergan.py:tiny", f"--workdir={tmp_path}"
    )
    assert (found, complained) == (code, f"launch: {error}\n")


@pytest.fixture(scope="module")
def get_config(load):
    return load(ROOT / "configs" / "slidergan.py").get_config


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


@pytest.mark.parametrize("variant", ["demo", "tiny"])
def test_the_small_variants_need_no_download(get_config, variant):
    config = get_config(variant)
    assert (config.data.folder, config.data.image_size) == ("tiny", 64)
    assert config.identity == "none"


@pytest.mark.parametrize("script", ["tpu_pod.sh", "slurm.sh", "jobset.yaml"])
def test_a_cluster_script_calls_the_launcher_with_flags_that_exist(main, script):
    text = (ROOT / "launch" / script).read_text()
    if script.endswith(".sh"):
        subprocess.run(["bash", "-n", ROOT / "launch" / script], check=True)
    assert "python launch/main.py --multihost" in text
    command = text.split("launch/main.py")[-1].split("\nif ")[0]
    for name in re.findall(r"(?<= )--(\w+)(?=[= \n])", command):
        assert name in flags.FLAGS, name


def test_an_unknown_variant_is_refused_with_those_there_are(get_config):
    with pytest.raises(ValueError, match="choose from .*'demo'"):
        get_config("dmeo")


def test_the_readme_has_both_lines():
    lines = [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]
    assert RUN_LINE in lines and TEST_LINE in lines


def test_ci_ends_with_the_line_of_the_readme():
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == TEST_LINE


@pytest.mark.slow
def test_slidergan_itself_trains_both_phases(tmp_path):
    command = [sys.executable, "launch/main.py", "--config=configs/slidergan.py:tiny"]
    done = subprocess.run(
        [*command, f"--workdir={tmp_path}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4
    assert (tmp_path / "samples" / "sheet_0000008.png").stat().st_size > 10_000
