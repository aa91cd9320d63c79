"""`slider sweep`, `grid`, `animate` and `export`."""

import json
import pathlib
import sys
from typing import Annotated

import typer

from slider_jax import cli_options as options


def register(app: typer.Typer) -> None:
    for command in (sweep, grid, animate, export):
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

    path = _sheet_path(photo, out, "sweep", force, as_json)
    names = _check_names(slider)
    values = np.linspace(low, high, steps).round(3).tolist()
    session, now = _open(photo, set_, face, box, model)
    results = _watched(strips.sweep(session, now, *names, values), steps)
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

    path = _sheet_path(photo, out, "grid", force, as_json)
    names = _check_names(across, down)
    values = np.linspace(low, high, steps).round(3).tolist()
    session, now = _open(photo, set_, face, box, model)
    made = strips.grid(session, now, *names, values, values)
    results = _watched(made, steps * steps)
    cells = [strips.look(session, result.photo.pixels, size) for result in results]
    words = [*map(_signed, values)]
    head = dict(across=f"across: {names[0]}", down=f"down: {names[1]}")
    sheet = strips.sheet(cells, words, words, **head)
    request = {"across": names[0], "down": names[1], "values": values}
    request["set"] = options.request(set_, "--set")
    _write_sheet(sheet, path, session, request, no_record, label, as_json)


def animate(
    photo: options.Photo,
    what: Annotated[
        list[str],
        typer.Argument(
            help="A table over time (.csv or .json: ARKit shapes as Live Link Face "
            "exports them, our sliders, or visemes with times). Or one face to go to "
            "from the measured one, or two and more to go through: photos, saved "
            "expressions, requests such as happiness=1, or the word measured."
        ),
    ],
    out: Annotated[
        pathlib.Path | None,
        typer.Option("--out", "-o", help="A .gif or an .mp4. Else NAME.gif beside it."),
    ] = None,
    audio: Annotated[
        str | None,
        typer.Option(help="Take the sound of this sound or video file (.mp4 only)."),
    ] = None,
    fps: Annotated[float, typer.Option(min=1, max=50)] = 25.0,
    seconds: Annotated[
        float, typer.Option(min=0.04, max=60, help="From one face to the next.")
    ] = 1.0,
    back: Annotated[
        bool, typer.Option("--back", help="Go back the same way at the end.")
    ] = False,
    longest: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=16,
            help="Longest side in pixels; else 640 in a GIF, 1920 in an MP4.",
        ),
    ] = None,
    face: options.Face = "0",
    box: options.Box = None,
    region: options.Region = "all",
    strength: options.Strength = 1.0,
    model: options.Model = None,
    force: options.Force = False,
    no_record: options.NoRecord = False,
    as_json: options.Json = False,
) -> None:
    """Move a face: a GIF, or an MP4 with sound.

    For example: slider animate me.jpg take.csv -o me.mp4 --audio take.mov
    or: slider animate me.jpg happiness=1 surprise=1 measured -o me.gif
    """
    from slider_jax import film, jobs, recording
    from slider_jax.face import requests

    path = out or pathlib.Path("stdin.gif" if photo == "-" else photo).with_suffix(
        ".gif"
    )
    kind = path.suffix.lower()
    if kind not in (".gif", ".mp4"):
        raise ValueError(f"{path} is neither a .gif nor an .mp4.")
    if kind == ".gif" and audio:
        raise ValueError("A GIF has no sound: name an .mp4 for --audio.")
    if kind == ".mp4":
        film.ffmpeg()
    options.check_free(path, force)
    requests.region_mask(region)
    how = dict(region=region, strength=jobs.share(strength))
    table = None
    if len(what) == 1 and pathlib.Path(what[0]).suffix.lower() in (".csv", ".json"):
        table = recording.read(what[0])
        options.note(table.notes, what[0])
    stops = None if table and len(table.requests) != 1 else _stops(what)
    if stops is None and not table.requests:
        raise ValueError(f"{what[0]} holds no frame.")
    session, now = _open(photo, (), face, box, model)
    if stops is None:
        wanted = recording.resample(table, fps)
    else:
        vectors = [_vector(session, stop, model) for stop in stops]
        vectors = [now, *vectors] if len(vectors) == 1 else vectors
        wanted = film.passages(vectors, seconds, fps)
    if back:
        wanted = [*wanted, *wanted[-2:0:-1]]
    longest = longest or (640 if kind == ".gif" else 1920)
    results = (session.edit(frame, **how) for frame in wanted)
    even = kind == ".mp4"
    frames = (
        film.shrink(result.photo.pixels, longest, even=even)
        for result in _watched(results, len(wanted), "frame")
    )
    record = {"animate": [pathlib.Path(w).name for w in what]} | how
    record = None if no_record else _record(session, record)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".gif":
        film.write_gif(path, frames, fps, record=record)
    else:
        about = dict(count=len(wanted), record=record, audio=audio)
        film.write_mp4(path, frames, fps, **about)
    _say(path, as_json, frames=len(wanted), seconds=round(len(wanted) / fps, 3))


def export(
    run: Annotated[pathlib.Path, typer.Argument(help="The --workdir of a training.")],
    out: Annotated[
        pathlib.Path, typer.Option("--out", "-o", help="The file to write, .npz.")
    ],
    licence: Annotated[
        str | None, typer.Option(help="Its licence, for the card in the file.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--float32", help="Keep all digits; twice the size.")
    ] = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Make a model file of a training run.

    Its newest checkpoint in one .npz, which --model takes.
    """
    from slider_jax import model_file

    if out.suffix != ".npz":
        raise ValueError(f"{out}: a model file ends in .npz.")
    if not run.is_dir():
        raise FileNotFoundError(f"There is no folder {run}: name the run's --workdir.")
    options.check_free(out, force)
    out.parent.mkdir(parents=True, exist_ok=True)
    card = {} if licence is None else {"licence": licence}
    dtype = "float32" if full else "float16"
    model = model_file.export_run(run, out, dtype=dtype, **card)
    facts = dict(model=model.id, pixels=model.size, parameters=model.parameters)
    _say(out, as_json, **facts, bytes=out.stat().st_size)


def _open(source, set_, face, box, model):
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


def _check_names(*names):
    """In full, before the model is loaded; mouthSmile stands for both sides."""
    for name in names:
        options.request([f"{name}=0"], "--set")
    return names


def _stops(words):
    """Checked before the model is loaded: None is the measured face, a dict a request,
    a path a photo."""
    found = []
    for word in words:
        path = pathlib.Path(word)
        if word == "measured":
            found.append(None)
        elif path.suffix.lower() in (".csv", ".json"):
            found.append(options.expression(path))
        elif "=" in word and not path.exists():
            found.append(options.request([word], "--set"))
        else:
            found.append(path)
    return found


def _vector(session, stop, model):
    if stop is None:
        return session.measured.expression
    if isinstance(stop, dict):
        return session.vector(stop)
    from slider_jax.edit import Editor

    return Editor(session.painter).open(stop).measured.expression


def _watched(results, total, unit="picture"):
    with options.progress(total, unit) as bar:
        for result in results:
            yield result
            bar.update()


def _sheet_path(photo, out, mark, force, as_json):
    if out is None:
        out = "-" if photo == "-" else None
    if out is None:
        path = pathlib.Path(photo)
        out = str(path.with_name(f"{path.stem}.{mark}.png"))
    options.check_stdout([out], as_json)
    if out != "-":
        from slider_jax import jobs, orders

        jobs.check(jobs.Job(photo, out, orders.NOTHING), jobs.Writing(force))
    return out


def _record(session, request):
    rest = session.edit({}).record
    return {key: rest[key] for key in ("software", "model", "box")} | {
        "request": request
    }


def _write_sheet(sheet, path, session, request, no_record, label, as_json):
    from slider_jax import photo

    record = None if no_record else _record(session, request)
    target = None if path == "-" else path
    if target:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = photo.save(sheet, target, record=record, label=label)
    if target is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    height, width = sheet.pixels.shape[:2]
    _say(path, as_json, width=width, height=height, request=request)


def _say(path, as_json, **facts):
    if as_json:
        print(json.dumps({"out": str(path)} | facts, indent=1))
    else:
        plain = [f"{k} {v}" for k, v in facts.items() if not isinstance(v, dict)]
        print(f"{path} ({', '.join(plain)})")
