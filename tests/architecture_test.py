"""The shape of the code, checked: imports point one way, and files stay small."""

import ast
import functools
import importlib.metadata
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "slider_jax"

# A module may import from the layers before its own, and from its own.
LAYERS = (
    ("batch", "face", "losses", "measures", "nets", "ops"),  # mathematics
    ("systems",),  # one paper each
    ("step",),  # one update
    (
        "card",
        "checkpoint",
        "data",
        "fetch",
        "files",
        "memory",
        "open_faces",
        "parallel",
        "programs",
        "report",
        "settings",
        "torch_weights",
        "stop",
        "provenance",
        "identity_weights",
        "judges",
        "landmarker",
        "patch",
        "photo_file",
        "photo_record",
        "photographic",
    ),  # world
    (
        "edit",
        "eyeball",
        "eyes",
        "film",
        "finish",
        "grain",
        "jobs",
        "model_file",
        "mouth",
        "onnx_graph",
        "orders",
        "outline",
        "painter",
        "readout",
        "recording",
        "session",
        "strips",
        "evaluate",
        "export",
        "photo",
        "photo_save",
        "prepare",
        "rehearsal",
        "runtime",
        "train",
        "verify",
        "window",
    ),  # what a person calls
    (
        "bench",
        "bench_edit",
        "bench_jax",
        "bench_torch",
        "bench_train",
        "cli",
        "cli_edit",
        "cli_evaluate",
        "cli_film",
        "cli_options",
        "cli_show",
        "cli_work",
        "doctor",
        "licences",
        "studio",
    ),  # outside
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
WORLD = RANK["data"]
DATA_PREP_MAY_IMPORT = {"card", "data", "face", "fetch", "open_faces", "ops"}
DATA_PREP_MAY_IMPORT |= {"landmarker"}
# It reads files that only PyTorch reads, when asked to.
MAY_WAIT_FOR = {"torch_weights": {"torch"}}
RIVAL = PACKAGE / "bench_torch.py"  # it is PyTorch, and runs by itself
UNWELCOME = {"anny", "mediapipe", "tensorflow", "torch"}
THROUGH_TENSORFLOW = ("clu.metric_writers", "clu.periodic_actions")
WORLDLY = {"absl", "clu", "ml_collections", "orbax", "tensorflow_datasets", "typer"}

MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(
    path for folder in ("data_prep", "launch") for path in (ROOT / folder).rglob("*.py")
)
CONFIGS = sorted((ROOT / "configs").glob("*.py"))
EVERYTHING = [
    *MODULES,
    *SCRIPTS,
    *CONFIGS,
    *(ROOT / "tests").rglob("*.py"),
    ROOT / "setup.py",
]


def each(paths):
    return pytest.mark.parametrize(
        "path", paths, ids=lambda path: str(path.relative_to(ROOT))
    )


def part(path):
    """The layer's name for a file: `face` for slider_jax/face/model.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@functools.cache
def tree(path):
    return ast.parse(path.read_text())


def imports(nodes):
    """Dotted names: `from slider_jax import data` is `slider_jax.data`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "Imports are absolute here."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def all_imports(path):
    return set(imports(ast.walk(tree(path))))


def imports_at_import_time(path):
    """Without those inside functions, which wait until they are needed."""
    waiting = {
        inner
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
    }
    return set(imports(node for node in ast.walk(tree(path)) if node not in waiting))


def imported_parts(path):
    names = (name.split(".") for name in all_imports(path))
    return {name[1] for name in names if name[0] == "slider_jax" and len(name) > 1}


@each(MODULES)
def test_imports_point_down(path):
    if path == PACKAGE / "__init__.py":
        assert all_imports(path) <= {"importlib", "typing.Any"}
        return
    assert part(path) in RANK, f"Give {part(path)} its layer in {__file__}."
    for other in imported_parts(path):
        assert RANK[other] <= RANK[part(path)], f"{path.name} may not import {other}."


@each(SCRIPTS)
def test_scripts_import_only_what_they_may(path):
    parts = imported_parts(path)
    if path.is_relative_to(ROOT / "data_prep"):
        assert parts <= DATA_PREP_MAY_IMPORT
    else:
        assert all(RANK[other] < RANK["cli"] for other in parts)


@each(CONFIGS)
def test_configs_import_nothing_of_ours(path):
    ours = {"configs", "data_prep", "launch", "slider_jax"}
    assert not {name.split(".")[0] for name in all_imports(path)} & ours


@each(EVERYTHING)
def test_files_fit_in_a_head(path):
    assert len(path.read_text().splitlines()) <= 400


@each(MODULES + SCRIPTS)
def test_no_tensorflow_and_no_pytorch(path):
    if path == RIVAL:
        return
    may_wait = MAY_WAIT_FOR.get(path.stem, set())
    assert not {name.split(".")[0] for name in imports_at_import_time(path)} & may_wait
    for name in all_imports(path):
        assert name.split(".")[0] not in UNWELCOME - may_wait
        assert not name.startswith(THROUGH_TENSORFLOW), "It imports TensorFlow."


@each([path for path in MODULES if RANK.get(part(path), 0) < WORLD])
def test_mathematics_knows_no_flags_configs_and_disks(path):
    assert not {name.split(".")[0] for name in all_imports(path)} & WORLDLY


@each(MODULES + [path for path in SCRIPTS if path.parent.name == "launch"])
def test_public_functions_are_typed(path):
    if path.is_relative_to(PACKAGE / "systems"):
        return  # the System protocol says it
    for owner in [tree(path), *_public_classes(path)]:
        for function in owner.body:
            public = isinstance(function, ast.FunctionDef) and function.name[0] != "_"
            if public:
                assert _is_typed(function), f"{path.name}: annotate {function.name}."


def _public_classes(path):
    nodes = tree(path).body
    return [n for n in nodes if isinstance(n, ast.ClassDef) and n.name[0] != "_"]


def _is_typed(function):
    arguments = function.args
    named = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
    return function.returns is not None and all(
        argument.annotation or argument.arg in ("self", "cls") for argument in named
    )


@each(MODULES + SCRIPTS)
def test_setup_asks_for_what_we_import(path):
    """The core for what every import needs, an extra for what may wait."""
    core, extras = _declared()
    if path in MODULES and path != RIVAL:
        missing = _undeclared(imports_at_import_time(path), core, path)
        assert not missing, f"{path.name}: {missing} must be in install_requires."
    missing = _undeclared(all_imports(path), core | extras, path)
    assert not missing, f"{path.name}: {missing} must be in setup.py."


@functools.cache
def _declared():
    """Names in setup.py: of the core, and of all extras."""
    call = next(
        node.value
        for node in tree(ROOT / "setup.py").body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    fields = {keyword.arg: keyword.value for keyword in call.keywords}
    core = ast.literal_eval(fields["install_requires"])
    extras = sum(ast.literal_eval(fields["extras_require"]).values(), [])
    return _bare(core), _bare(extras)


def _bare(requirements):
    names = (re.split("[=>[]", text)[0] for text in requirements)
    return {name.lower().replace("_", "-") for name in names}


def _undeclared(modules, declared, path):
    """The imports that are not Python's own, not ours, and in no package declared."""
    ours = {"slider_jax", *(sibling.stem for sibling in path.parent.glob("*.py"))}
    tops = {name.split(".")[0] for name in modules} - ours - sys.stdlib_module_names
    return {top for top in tops if not _bare(_installed().get(top, [top])) & declared}


@functools.cache
def _installed():
    return importlib.metadata.packages_distributions()
