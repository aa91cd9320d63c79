"""`slider animate`."""

import pathlib
from typing import Annotated

import typer

from slider_jax import cli_options as options
from slider_jax import cli_show


def register(app: typer.Typer) -> None:
    app.command()(animate)


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
    crop: Annotated[
        bool, typer.Option("--crop", help="Show the square about the face only.")
    ] = False,
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
    from slider_jax import files, film, jobs, recording, strips
    from slider_jax.face import requests
    from slider_jax.photo_file import to_srgb

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
    files.check_free(path, force)
    requests.region_mask(region)
    how = dict(region=region, strength=jobs.share(strength))
    table = None
    if len(what) == 1 and pathlib.Path(what[0]).suffix.lower() in (".csv", ".json"):
        table = recording.read(what[0])
        options.note(table.notes, what[0])
    stops = None if table and len(table.requests) != 1 else _stops(what)
    if stops is None and not table.requests:
        raise ValueError(f"{what[0]} holds no frame.")
    session, now = cli_show.open_face(photo, (), face, box, model)
    if stops is None:
        wanted = recording.resample(table, fps)
    else:
        vectors = [_vector(session, stop, model) for stop in stops]
        vectors = [now, *vectors] if len(vectors) == 1 else vectors
        wanted = film.passages(vectors, seconds, fps)
    if back:
        wanted = [*wanted, *wanted[-2:0:-1]]
    if kind == ".gif":
        film.check_length(len(wanted))
    longest = longest or (640 if kind == ".gif" else 1920)
    results = (session.edit(frame, **how) for frame in wanted)
    seen = to_srgb(session.photo)  # no film holds a profile
    shots = (
        seen(result.photo.pixels)
        for result in cli_show.watched(results, len(wanted), "frame")
    )
    if crop:
        left, _, right, _ = strips.square(session)
        side = min(longest, round(right - left))
        shots = (strips.look(session, shot, side) for shot in shots)
    frames = (film.shrink(shot, longest, even=kind == ".mp4") for shot in shots)
    record = {"animate": [pathlib.Path(w).name for w in what]} | how
    record = None if no_record else cli_show.record_of(session, record)
    files.make_folder(path)
    if kind == ".gif":
        film.write_gif(path, frames, fps, record=record)
    else:
        about = dict(count=len(wanted), record=record, audio=audio)
        film.write_mp4(path, frames, fps, **about)
    cli_show.say(path, as_json, frames=len(wanted), seconds=round(len(wanted) / fps, 3))


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
