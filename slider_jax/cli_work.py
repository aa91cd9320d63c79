"""What the editing commands do alike: many photos, one order, a report."""

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slider_jax import cli_options as options

if TYPE_CHECKING:
    from slider_jax.edit import Editor
    from slider_jax.jobs import Job
    from slider_jax.orders import Order


def run(
    photos: Sequence[str],
    out: str | None,
    order: "Order",
    model: str | None,
    writing: dict[str, Any],
    as_json: bool,
    *,
    rest: bool = False,
    giver: tuple[str, str, str | None] | None = None,
    save: pathlib.Path | None = None,
) -> None:
    """One order for every photo."""
    from slider_jax import files, jobs

    writing = jobs.Writing(**writing)
    sources = jobs.expand(photos)
    if save is not None and len(sources) > 1:
        raise ValueError(f"{save} holds one expression: name one photo.")
    if save is not None and order.face == "all":
        raise ValueError(f"{save} holds one expression: give --face a number.")
    outs = jobs.targets(sources, out)
    options.check_stdout(outs, as_json)
    work = [jobs.Job(s, o, order) for s, o in zip(sources, outs, strict=True)]
    if len(work) == 1:
        jobs.check(work[0], writing)  # before the model is loaded
    editor = options.load_editor(model)
    if rest:
        work = [at_rest(job, editor) for job in work]
    if giver is not None:
        work = _wearing(work, _measured(editor, *giver))
    if out is not None and out != "-":
        for job in work:
            files.make_folder(job.out)
    rows = attempt(lambda job: jobs.work(editor, job, writing), work, 1)
    if save is not None and "faces" in rows[0]:
        save_face(save, rows[0]["faces"], 0, editor)
    options.finish(rows, as_json)


def at_rest(job: "Job", editor: "Editor") -> "Job":
    return _wearing([job], [0.0] * editor.model.parameters)[0]


def _wearing(work, vector):
    wear = lambda job: dataclasses.replace(job.order, wear=list(vector))
    return [dataclasses.replace(job, order=wear(job)) for job in work]


def _measured(editor, source, face, box):
    from slider_jax import jobs

    pick = jobs.face(face)
    if pick == "all":
        raise ValueError("--source-face is one face: give its number, or a point.")
    around = None if box is None else jobs.box(box)
    source = sys.stdin.buffer if source == "-" else source
    return editor.open(source, pick, box=around).measured.expression.tolist()


def attempt(
    do: Callable[[Any], dict], items: Sequence[Any], workers: int
) -> list[dict[str, Any]]:
    """Rows in the order of `items`, with what failed among them."""
    from slider_jax import jobs

    rows = [None] * len(items)
    with options.progress(len(items), "photo") as bar:
        for i, found in jobs.attempt(do, items, workers):
            if isinstance(found, Exception):
                ours = not isinstance(found, ValueError | OSError)
                if ours and len(items) == 1:
                    raise found
                found = jobs.failure(items[i], found)
            rows[i] = found
            bar.update()
    return rows


def check_expression_file(path: pathlib.Path, force: bool) -> None:
    from slider_jax import files

    if path.suffix.lower() not in (".json", ".csv"):
        raise ValueError(f"{path} ends neither in .json nor in .csv.")
    files.check_free(path, force)
    files.make_folder(path)


def save_face(
    path: pathlib.Path, faces: Sequence[dict], index: int, editor: "Editor"
) -> None:
    from slider_jax import photo, recording

    if not 0 <= index < len(faces):
        raise photo.FaceError(
            f"There is no face {index}: choose 0 to {len(faces) - 1}."
        )
    sliders = faces[index]["sliders"]
    recording.write(path, recording.Recording((sliders,), model=editor.model.id))
