"""`launch/main.py`, and the two lines of the README."""

import importlib.util
import os
import pathlib
import re
import shlex
import subprocess
import sys

import jax
import pytest
import yaml
from absl import flags

from slider_jax import stop, train

ROOT = pathlib.Path(__file__).parent.parent
SLURM = (ROOT / "launch" / "slurm.sh").read_text()
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
        for name in [name for name in flags.FLAGS if name.startswith("config.")]:
            delattr(flags.FLAGS, name)  # of the time before
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
    code, said, _ = launch(DEMO.split()[-1], f"--workdir={tmp_path}")
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
        (["slidergan.py:tiny", "--process=1"], "says nothing without --multihost."),
        (["slidergan.py:tiny", "--multihost", "--process=1"], "go together."),
        (
            ["slidergan.py:tiny", "--multihost", "--coordinator=here", "--processes=1"]
            + ["--process=0"],
            "--coordinator=here is no HOST:PORT.",
        ),
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
    "error, code, sentence",
    [
        (stop.Interrupted("Go on."), 75, "Go on."),
        (FloatingPointError("NaN."), 1, "NaN."),
        (KeyboardInterrupt(), 130, "Stopped; the same command goes on from "),
        (OSError(28, "No space left on device"), 2, "The disk of WORKDIR is full. "),
        (ValueError("RESOURCE_EXHAUSTED: Error writing x"), 2, "The disk of WORKDIR"),
    ],
)
def test_how_a_run_ended_is_its_exit_code(
    launch, monkeypatch, tmp_path, error, code, sentence
):
    def ended(config, workdir):
        raise error

    monkeypatch.setattr(train, "train", ended)
    found, _, complained = launch(
        "--config=configs/slidergan.py:tiny", f"--workdir={tmp_path}"
    )
    assert found == code and complained.count("\n") == 1
    assert complained.replace(str(tmp_path), "WORKDIR").startswith(
        f"launch: {sentence}"
    )


@pytest.fixture
def joined(monkeypatch):
    """The coordinator, the number of processes, and which one, of each call."""
    asked = []
    monkeypatch.setattr(
        jax.distributed, "initialize", lambda *place, **_: asked.append(place)
    )
    return asked


@pytest.fixture
def submit(tmp_path):
    """Runs slurm.sh where `srun` ends with a code; what srun and scontrol were told."""

    def submit(code=0, *, saves=False, **environment):  # to its first checkpoint
        save = f"mkdir -p {tmp_path}/checkpoints/$$" if saves else ":"
        for name, end in ("srun", f"{save}; exit {code}"), ("scontrol", "exit 0"):
            stub = tmp_path / name
            stub.write_text(f'#!/bin/sh\nprintf "%s " {name} "$@"\n{end}\n')
            stub.chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        job = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "32"}
        done = subprocess.run(
            ["bash", "-c", re.sub(r"(?<=WORKDIR=)\S+", str(tmp_path), SLURM, count=1)],
            env=os.environ | job | environment | {"PATH": path},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (code, "")
        return done.stdout

    return submit


def read_jobset():
    """The JobSet, its job, and that one's pod."""
    jobset = yaml.safe_load((ROOT / "launch" / "jobset.yaml").read_text())
    (job,) = jobset["spec"]["replicatedJobs"]
    return jobset, job, job["template"]["spec"]["template"]["spec"]


def started_by_tpu_pod():
    return subprocess.run(
        ["bash", ROOT / "launch" / "tpu_pod.sh"],
        env=os.environ | {"DRY_RUN": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.removeprefix("cd slider_jax && ")


def started_by_jobset():
    """In the second of three pods; as Kubernetes does it with each $(NAME)."""
    prefix = "metadata.annotations['jobset.sigs.k8s.io/"
    told = {prefix + "replicatedjob-replicas']": "3", prefix + "job-index']": "1"}
    (container,) = read_jobset()[2]["containers"]
    values = {
        entry["name"]: entry.get("value")
        or told[entry["valueFrom"]["fieldRef"]["fieldPath"]]
        for entry in container["env"]
    }
    command = shlex.join(container["command"])
    return re.sub(r"\$\((\w+)\)", lambda name: values[name[1]], command)


@pytest.mark.parametrize(
    "script, place",
    [
        ("tpu_pod", (None, None, None)),  # JAX knows both
        ("slurm", (None, None, None)),
        ("jobset", ("slider-train-0-0.slider:8476", 3, 1)),
    ],
)
def test_a_cluster_script_starts_the_launcher(
    launch, trained, joined, submit, script, place
):
    """With the very command: a flag that is none, or a config, would be refused."""
    command = {
        "tpu_pod": started_by_tpu_pod,
        "slurm": submit,
        "jobset": started_by_jobset,
    }[script]()
    before, arguments = command.split("python launch/main.py")
    assert before.strip() == "" or script == "slurm"
    code, _, complained = launch(*shlex.split(arguments))
    assert code == 0, complained
    assert joined == [place]
    ((config, workdir),) = trained
    assert config.data.folder.startswith("/") and workdir.is_absolute()
    assert config.data.workers == 8  # :gpu


def test_slurm_gives_its_cores_to_the_processes(submit):
    assert submit().startswith("srun --cpus-per-task=32 ")  # not by itself since 22.05


@pytest.mark.parametrize("saves", [False, True])
@pytest.mark.parametrize("code", [0, 1, 2, 75, 134, 137, 143])
def test_slurm_queues_again_what_was_stopped_or_killed(submit, code, saves):
    again = code == 75 or code > 128 and saves
    assert submit(code, saves=saves).endswith("scontrol requeue 7 ") == again
    assert "scontrol" not in submit(code, saves=saves, SLURM_RESTART_COUNT="100")


def test_a_jobset_counts_its_pods_in_one_place():
    jobset, job, _ = read_jobset()
    assert job["replicas"] == 2
    spec = job["template"]["spec"]
    assert spec["parallelism"] == spec["completions"] == 1
    text = (ROOT / "launch" / "jobset.yaml").read_text()
    first = f"{jobset['metadata']['name']}-{job['name']}-0-0"
    assert f"--coordinator={first}.{jobset['metadata']['name']}:" in text


def test_a_jobset_does_not_start_a_users_mistake_again():
    jobset, job, pod = read_jobset()
    spec = job["template"]["spec"]
    assert (pod["restartPolicy"], spec["backoffLimit"]) == ("Never", 0)
    (rule,) = spec["podFailurePolicy"]["rules"]
    name = pod["containers"][0]["name"]
    mistakes = {"containerName": name, "operator": "In", "values": [1, 2]}
    assert rule == {"action": "FailJob", "onExitCodes": mistakes}
    (rule,) = jobset["spec"]["failurePolicy"]["rules"]
    assert rule["action"] == "FailJobSet"
    assert rule["onJobFailureReasons"] == ["PodFailurePolicy"]


def test_a_pod_has_room_for_the_processes_that_read():
    pod = read_jobset()[2]
    mounts = {m["mountPath"]: m["name"] for m in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes.keys() == {*mounts.values()}
    assert volumes[mounts["/dev/shm"]]["emptyDir"] == {"medium": "Memory"}


def test_a_process_whose_others_are_gone_says_so(launch, joined, monkeypatch, tmp_path):
    """And leaves at once: at its exit JAX would wait for them, and abort."""

    def lost(config, workdir):
        raise jax.errors.JaxRuntimeError("UNKNOWN: Connection closed by peer\nat x.cc")

    monkeypatch.setattr(train, "train", lost)
    monkeypatch.setattr(os, "_exit", sys.exit)
    arguments = ["--config=configs/slidergan.py:tiny", f"--workdir={tmp_path}"]
    code, _, complained = launch(*arguments, "--multihost")
    assert code == stop.RESUMABLE and complained.count("\n") == 1
    assert "Another process is gone." in complained and "closed by peer" in complained
    with pytest.raises(jax.errors.JaxRuntimeError):
        launch(*arguments)  # alone, it is another matter


def test_where_jax_knows_no_cluster_it_says_what_is_needed(
    launch, monkeypatch, tmp_path
):
    def unknown(coordinator, *_, **__):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", unknown)
    arguments = ["--config=configs/slidergan.py:tiny", f"--workdir={tmp_path / 'run'}"]
    code, _, complained = launch(*arguments, "--multihost")
    assert code == 2 and not (tmp_path / "run").exists()
    assert "no cluster here: --multihost needs --coordinator" in complained


def test_the_readme_has_both_lines():
    lines = [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]
    assert RUN_LINE in lines and TEST_LINE in lines


def test_ci_ends_with_the_line_of_the_readme():
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == TEST_LINE
