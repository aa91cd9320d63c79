"""`slider edit`, `neutralise`, `transfer`, `measure` and `batch`."""

import json
import os
import pathlib
import sys
from typing import Annotated

import typer

from slider_jax import cli_options as options
from slider_jax import cli_work


def register(app: typer.Typer) -> None:
    for command in (edit, neutralise, transfer, measure, batch):
        app.command()(command)


def edit(
    photos: options.Photos,
    set_: options.Set = (),
    add: options.Add = (),
    load: options.Load = None,
    save: Annotated[
        pathlib.Path | None,
        typer.Option(help="Also write the new expression to this .json or .csv file."),
    ] = None,
    out: options.Out = None,
    face: options.Face = "0",
    box: options.Box = None,
    region: options.Region = "all",
    strength: options.Strength = 1.0,
    model: options.Model = None,
    force: options.Force = False,
    no_record: options.NoRecord = False,
    label: options.Label = None,
    quality: options.Quality = None,
    as_json: options.Json = False,
) -> None:
    """Slide the expression of a face.

    For example: slider edit me.jpg --set jawOpen=.6 --set mouthSmile=.8 -o new.jpg

    Sliders are absolute: asking for what the face wears already changes nothing, and
    nothing outside the face's mask changes ever.
    """
    where = dict(face=face, box=box, region=region, strength=strength)
    order = options.order(set_, add, load, **where)
    if not order.set and not order.add:
        raise ValueError(
            "Say what the face shall do, such as --set jawOpen=.6; `slider measure` "
            "tells what it does now."
        )
    if save is not None:
        cli_work.check_expression_file(save, force)
    writing = dict(force=force, record=not no_record, label=label, quality=quality)
    cli_work.run(photos, out, order, model, writing, as_json, save=save)


def neutralise(
    photos: options.Photos,
    out: options.Out = None,
    strength: options.Strength = 1.0,
    face: options.Face = "0",
    box: options.Box = None,
    region: options.Region = "all",
    model: options.Model = None,
    force: options.Force = False,
    no_record: options.NoRecord = False,
    label: options.Label = None,
    quality: options.Quality = None,
    as_json: options.Json = False,
) -> None:
    """Bring a face to rest.

    With --strength .5 it goes half of the way.
    """
    order = options.order(face=face, box=box, region=region, strength=strength)
    writing = dict(force=force, record=not no_record, label=label, quality=quality)
    cli_work.run(photos, out, order, model, writing, as_json, rest=True)


def transfer(
    source: Annotated[
        str,
        typer.Argument(help="Whose expression: a photo, or a saved .json or .csv."),
    ],
    photos: options.Photos,
    out: options.Out = None,
    source_face: Annotated[
        str, typer.Option(metavar="N|x,y", help="Which face of the source.")
    ] = "0",
    source_box: options.Box = None,
    strength: options.Strength = 1.0,
    face: options.Face = "0",
    box: options.Box = None,
    region: options.Region = "all",
    model: options.Model = None,
    force: options.Force = False,
    no_record: options.NoRecord = False,
    label: options.Label = None,
    quality: options.Quality = None,
    as_json: options.Json = False,
) -> None:
    """Put one face's expression on another.

    For example: slider transfer smiling.jpg me.jpg --region mouth
    """
    saved = pathlib.Path(source).suffix.lower() in (".json", ".csv")
    load = pathlib.Path(source) if saved else None
    where = dict(face=face, box=box, region=region, strength=strength)
    order = options.order(load=load, **where)
    writing = dict(force=force, record=not no_record, label=label, quality=quality)
    giver = None if saved else (source, source_face, source_box)
    cli_work.run(photos, out, order, model, writing, as_json, giver=giver)


def measure(
    photos: options.Photos,
    as_json: options.Json = False,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Print CSV: a row for each face, for `batch`."),
    ] = False,
    save: Annotated[
        pathlib.Path | None,
        typer.Option(help="Write the expression of one face to this .json or .csv."),
    ] = None,
    face: Annotated[
        int, typer.Option(help="Which face --save takes, from the left.")
    ] = 0,
    box: options.Box = None,
    model: options.Model = None,
    force: options.Force = False,
) -> None:
    """Read what the faces of a photo wear.

    That is: the sliders that are not at rest, the pose, and where each face is.
    """
    from slider_jax import jobs, readout

    if as_json and as_csv:
        raise ValueError("--json and --csv both want standard output: choose one.")
    sources = jobs.expand(photos)
    if save is not None:
        cli_work.check_expression_file(save, force)
        if len(sources) > 1:
            raise ValueError(f"{save} holds one expression: name one photo.")
    around = None if box is None else jobs.box(box)
    editor = options.load_editor(model)

    def read(name):
        found = readout.faces(
            editor, sys.stdin.buffer if name == "-" else name, box=around
        )
        return {"photo": name, "faces": found}

    rows = cli_work.attempt(read, sources, 1)
    good = [row for row in rows if "faces" in row]
    if save is not None and good:
        cli_work.save_face(save, good[0]["faces"], face, editor)
    if as_csv:
        print(readout.table(good, editor.model.id), end="")
    elif not as_json:
        for row in good:
            print(readout.text(row["photo"], row["faces"]))
    if as_json:
        print(json.dumps(rows, indent=1))
    options.finish([row | {"out": "-"} for row in rows], False)


def batch(
    source: Annotated[
        pathlib.Path,
        typer.Argument(
            help="A folder of photos, or a .csv with a row for each edit: `photo`, "
            "columns named after sliders and, if wanted, out, face, box, region and "
            "strength."
        ),
    ],
    out: Annotated[
        pathlib.Path, typer.Option("--out", "-o", help="The folder to write into.")
    ],
    set_: options.Set = (),
    add: options.Add = (),
    load: options.Load = None,
    rest: Annotated[
        bool, typer.Option("--neutralise", help="Bring the faces to rest first.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Photos at a time; else the cores."),
    ] = None,
    face: options.Face = "0",
    region: options.Region = "all",
    strength: options.Strength = 1.0,
    model: options.Model = None,
    force: options.Force = False,
    no_record: options.NoRecord = False,
    label: options.Label = None,
    quality: options.Quality = None,
    as_json: options.Json = False,
) -> None:
    """Edit a folder of photos, or a table of edits.

    What goes wrong with one photo is told at the end, and the others are edited. Run
    it again to go on: a picture that holds the same edit already is left as it is.
    """
    from slider_jax import files, jobs

    order = options.order(set_, add, load, face=face, region=region, strength=strength)
    if not source.exists():
        raise FileNotFoundError(f"There is no {source}: name a folder or a .csv file.")
    if source.is_dir():
        if not (rest or order.set or order.add):
            raise ValueError(
                "Say what the faces shall do: --set jawOpen=.6, or --neutralise."
            )
        names = jobs.pictures(source)
        outs = jobs.targets(names, f"{out}/")
        work = [jobs.Job(n, o, order) for n, o in zip(names, outs, strict=True)]
    else:
        work = jobs.read_table(source, order, out)
    writing = jobs.Writing(force, not no_record, label, quality)
    editor = options.load_editor(model)
    if rest:
        work = [cli_work.at_rest(job, editor) for job in work]
    for job in work:
        files.make_folder(job.out)
    workers = workers or min(4, os.cpu_count() or 1)
    rows = cli_work.attempt(
        lambda job: jobs.resume(editor, job, writing), work, workers
    )
    options.finish(rows, as_json)
