"""`slider sweep`, `grid` and `export`."""

import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slider_jax import cli_options as options

if TYPE_CHECKING:
    from slider_jax.session import Session


FORMATS = ("npz", "onnx", "stablehlo")


def register(app: typer.Typer) -> None:
    for command in (sweep, grid, export):
        app.command()(command)


Slider = Annotated[
    str,
    typer.Argument(
        autocompletion=options.complete_name,
        help="A slider, an emotion, a viseme or a component.",
    ),
]
Low = Annotated[float, typer.Option(help="Below 0 is the opposite movement.")]
High = Annotated[float, typer.Option()]
Size = Annotated[int, typer.Option(min=32, max=1024, help="Pixels of one cell.")]
SheetOut = Annotated[
    str | None,
    typer.Option(
        "--out", "-o", help="The picture to write, or - for stdout. Else beside it."
    ),
]


def sweep(
    photo: options.Photo,
    slider: Slider,
    steps: Annotated[int, typer.Option(min=2, max=50)] = 11,
    low: Low = -1.0,
    high: High = 1.0,
    size: Size = 192,
    set_: options.Set = (),
    out: SheetOut = None,
    face: options.Face = "0",
    box: options.Box = None,
    model: options.Model = None,
    force: options.Force = False,
    no_record: options.NoRecord = False,
    label: options.Label = None,
    as_json: options.Json = False,
) -> None:
    """Draw one slider from -1 to 1, as a strip.

    The first picture of the strip is the photo itself.
    """
    import numpy as np

    from slider_jax import strips

    path = _sheet_path(photo, out, "sweep", force, label, as_json)
    names = _check_names(slider, low=low, high=high)
    values = np.linspace(low, high, steps).round(3).tolist()
    session, now = open_face(photo, set_, face, box, model)
    results = watched(strips.sweep(session, now, *names, values), steps)
    cells = [session.photo.pixels, *(result.photo.pixels for result in results)]
    cells = [strips.look(session, pixels, size) for pixels in cells]
    words = ["photo", *map(_signed, values)]
    sheet = strips.sheet(cells, words, [""], across=names[0])
    request = {
        "sweep": names[0],
        "values": values,
        "set": options.request(set_, "--set"),
    }
    _write_sheet(sheet, path, session, request, no_record, label, as_json)


def grid(
    photo: options.Photo,
    across: Slider,
    down: Slider,
    steps: Annotated[int, typer.Option(min=2, max=21)] = 5,
    low: Low = -1.0,
    high: High = 1.0,
    size: Size = 192,
    set_: options.Set = (),
    out: SheetOut = None,
    face: options.Face = "0",
    box: options.Box = None,
    model: options.Model = None,
    force: options.Force = False,
    no_record: options.NoRecord = False,
    label: options.Label = None,
    as_json: options.Json = False,
) -> None:
    """Draw two sliders together, as a grid.

    Both go from -1 to 1: the first across, the second down.
    """
    import numpy as np

    from slider_jax import strips

    path = _sheet_path(photo, out, "grid", force, label, as_json)
    names = _check_names(across, down, low=low, high=high)
    values = np.linspace(low, high, steps).round(3).tolist()
    session, now = open_face(photo, set_, face, box, model)
    made = strips.grid(session, now, *names, values, values)
    results = watched(made, steps * steps)
    cells = [strips.look(session, result.photo.pixels, size) for result in results]
    words = [*map(_signed, values)]
    head = dict(across=f"across: {names[0]}", down=f"down: {names[1]}")
    sheet = strips.sheet(cells, words, words, **head)
    request = {"across": names[0], "down": names[1], "values": values}
    request["set"] = options.request(set_, "--set")
    _write_sheet(sheet, path, session, request, no_record, label, as_json)


def export(
    out: Annotated[
        pathlib.Path,
        typer.Option("--out", "-o", help="The file to write: .npz, .onnx, .stablehlo."),
    ],
    model: Annotated[
        str | None,
        typer.Argument(
            envvar="SLIDER_MODEL",
            metavar="[MODEL|RUN]",
            help="A model file, or the --workdir of a training; else the model in the "
            "package.",
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="npz, onnx or stablehlo; else as --out ends."),
    ] = None,
    reader: Annotated[
        bool,
        typer.Option(
            "--reader", help="Of onnx and stablehlo: what reads faces, not what edits."
        ),
    ] = False,
    licence: Annotated[
        str | None, typer.Option(help="Its licence, for the card in the file.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--float32", help="Of npz: keep all digits; twice the size.")
    ] = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Write a model as one file: for --model, or for other programs.

    The newest checkpoint of a run becomes an .npz, which --model takes. ONNX and
    StableHLO are compared with JAX first, and carry sliders, ranges and the way to
    align a face as JSON (StableHLO beside it).
    """
    import dataclasses

    from slider_jax import files, model_file

    kind = format_ or out.suffix.removeprefix(".")
    if kind not in FORMATS:
        where = (
            f"--format is {format_!r}" if format_ else f"{out} is of no known format"
        )
        raise ValueError(f"{where}: choose from {', '.join(FORMATS)}.")
    if kind == "npz" and reader:
        raise ValueError("--reader is of onnx and stablehlo: an .npz holds both nets.")
    if kind != "npz" and full:
        raise ValueError(f"--float32 is of npz: {kind} keeps all digits as it is.")
    for path in [out, pathlib.Path(f"{out}.json")][: 1 + (kind == "stablehlo")]:
        files.check_free(path, force)
    loaded = model_file.load_model(model)
    if licence is not None:
        card = loaded.card | {"licence": licence}
        loaded = dataclasses.replace(loaded, card=card)
    files.make_folder(out)
    facts = dict(model=loaded.id, pixels=loaded.size, parameters=loaded.parameters)
    if kind == "npz":
        model_file.save_model(out, loaded, dtype="float32" if full else "float16")
    else:
        from slider_jax import export

        facts |= getattr(export, kind)(loaded, out, reader=reader)
    say(out, as_json, **facts, bytes=out.stat().st_size)


def open_face(
    source: str, set_: Sequence[str], face: str, box: str | None, model: str | None
) -> tuple["Session", Any]:
    """The session, and the vector that it begins with."""
    order = options.order(set_, face=face, box=box)
    if order.face == "all":
        raise ValueError("--face is one face here: give its number, or a point.")
    editor = options.load_editor(model)
    source = sys.stdin.buffer if source == "-" else source
    session = editor.open(source, order.face, box=order.box)
    return session, order.vector(session)


def _signed(value):
    return f"{value:+g}" if value else "0"


def _check_names(*names, low, high):
    """In full, before the model is loaded; mouthSmile stands for both sides."""
    for name in names:
        options.request([f"{name}=0"], "--set")
        for option, end in (("--low", low), ("--high", high)):
            try:
                options.request([f"{name}={abs(end)}"], option)
            except ValueError as error:
                raise ValueError(f"{option} is {end:g}, too far: {error}") from error
    return names


def watched(results: Iterable, total: int, unit: str = "picture") -> Iterator:
    with options.progress(total, unit) as bar:
        for result in results:
            yield result
            bar.update()


def _sheet_path(photo, out, mark, force, label, as_json):
    if out is None:
        out = "-" if photo == "-" else None
    if out is None:
        path = pathlib.Path(photo)
        out = str(path.with_name(f"{path.stem}.{mark}.png"))
    options.check_stdout([out], as_json)
    from slider_jax import jobs, orders

    jobs.check(jobs.Job(photo, out, orders.NOTHING), jobs.Writing(force, label=label))
    return out


def record_of(session: "Session", request: dict[str, Any]) -> dict[str, Any]:
    rest = session.edit({}).record
    kept = ("software", "model", "finish", "box")
    return {key: rest[key] for key in kept if key in rest} | {"request": request}


def _write_sheet(sheet, path, session, request, no_record, label, as_json):
    from slider_jax import files, jobs, photo

    record = None if no_record else record_of(session, request)
    target = None if path == "-" else path
    if target:
        files.make_folder(target)
    if not session.photo.grey:  # a profile of greys is none of a sheet
        sheet = sheet.replace(icc=session.photo.icc)
    content = photo.save(sheet, target, record=record, label=label)
    if target is None:
        return jobs.put_out(content)
    height, width = sheet.pixels.shape[:2]
    say(path, as_json, width=width, height=height, request=request)


def say(path: object, as_json: bool, **facts: Any) -> None:
    if as_json:
        print(json.dumps({"out": str(path)} | facts, indent=1))
    else:
        plain = [f"{k} {v}" for k, v in facts.items() if not isinstance(v, dict)]
        print(f"{path} ({', '.join(plain)})")
