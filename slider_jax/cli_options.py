"""Options that the editing commands share. Nothing heavy is imported before it runs."""

import contextlib
import json
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import tqdm

    from slider_jax.edit import Editor
    from slider_jax.orders import Order


def complete_name(incomplete: str) -> list[str]:
    """For the shell: what a model takes, without loading one."""
    from slider_jax.face.sliders import EMOTIONS, SLIDERS, VISEMES

    names = [*SLIDERS, *EMOTIONS, *(f"viseme_{v}" for v in VISEMES)]
    return [name for name in names if name.lower().startswith(incomplete.lower())]


def complete_value(incomplete: str) -> list[str]:
    return [f"{name}=" for name in complete_name(incomplete)]


def complete_region(incomplete: str) -> list[str]:
    from slider_jax.face.sliders import REGIONS

    return [name for name in ("all", *REGIONS) if name.startswith(incomplete)]


Photos = Annotated[
    list[str],
    typer.Argument(help="Photos, patterns such as 'in/*.jpg', or - for stdin."),
]
Photo = Annotated[str, typer.Argument(help="A photo, or - for stdin.")]
Set = Annotated[
    list[str],
    typer.Option(
        "--set",
        "-s",
        metavar="NAME=VALUE",
        autocompletion=complete_value,
        help="What the face shall wear, such as jawOpen=.6, mouthSmile=.8 (both "
        "sides), happiness=.7, viseme_aa=1 or component_3=-.5. Repeat it, or join "
        "with commas. What is not named stays as measured.",
    ),
]
Add = Annotated[
    list[str],
    typer.Option(
        "--add",
        metavar="NAME=VALUE",
        autocompletion=complete_value,
        help="The same on top of what the face wears.",
    ),
]
Load = Annotated[
    pathlib.Path | None,
    typer.Option(help="Begin with the expression in this .json or .csv file."),
]
Region = Annotated[
    str,
    typer.Option(
        autocompletion=complete_region,
        help="all, brows, eyes, cheeks, nose, mouth, jaw, or some joined with +.",
    ),
]
Strength = Annotated[
    float,
    typer.Option(help="Share of the way: 0 leaves the photo as it is, 1 goes all."),
]
Face = Annotated[
    str,
    typer.Option(
        metavar="N|x,y|all",
        help="Which face: its number from the left (0 is the first), a point on it, "
        "or all.",
    ),
]
Box = Annotated[
    str | None,
    typer.Option(
        metavar="x,y,w,h", help="Where the face is, in pixels, when it is not found."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        envvar="SLIDER_MODEL",
        help="A model file, or the folder of a run; else the one in the package.",
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        help="The picture to write, a folder for several, or - for stdout. Else "
        "NAME.edited.EXT beside the photo.",
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force", "-f", help="Replace files that are there, even the photo itself."
    ),
]
NoRecord = Annotated[
    bool,
    typer.Option(
        "--no-record",
        help="Leave the record of the edit (sliders, model, version) out of the "
        "metadata.",
    ),
]
Label = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Words in the lower right corner.")
]
Quality = Annotated[
    int | None,
    typer.Option(min=1, max=100, help="Of JPEG and WebP; else as the photo was."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def request(words: Sequence[str], option: str) -> dict[str, float]:
    """["jawOpen=.6", "happy=1,c3=-.5"], checked and in full names."""
    from slider_jax import jobs, recording
    from slider_jax.face import requests

    asked = {}
    for word in (part for whole in words for part in whole.split(",")):
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(
                f"{option} {word}: write NAME=VALUE, such as {option} jawOpen=.6."
            )
        asked[name.strip()] = jobs.number(value.strip(), f"{option} {name}")
    mode = "add" if option == "--add" else "set"
    return requests.canonical(asked, parameters=recording.PARAMETERS, mode=mode)


def expression(path: pathlib.Path) -> dict[str, float]:
    """The one that is saved in a file."""
    from slider_jax import recording

    found = recording.read(path)
    if not found.requests:
        raise ValueError(f"{path} holds no expression.")
    if len(found.requests) != 1:
        raise ValueError(
            f"{path} holds {len(found.requests)} expressions, not one: give it to "
            "`slider animate`."
        )
    note(found.notes, path)
    return found.requests[0]


def note(sentences: Sequence[str], path: object) -> None:
    for sentence in sentences:
        print(f"slider: {path}: {sentence}", file=sys.stderr)


def order(
    set_: Sequence[str] = (),
    add: Sequence[str] = (),
    load: pathlib.Path | None = None,
    **others: Any,
) -> "Order":
    """`others`: region, strength, and face and box as words."""
    from slider_jax import jobs, orders
    from slider_jax.face import requests

    requests.region_mask(others.get("region", "all"))
    others["strength"] = jobs.share(others.get("strength", 1.0))
    others["face"] = jobs.face(others.get("face", "0"))
    box = others.get("box")
    others["box"] = None if box is None else jobs.box(box)
    loaded = {} if load is None else expression(load)
    wanted = loaded | request(set_, "--set")
    return orders.Order(set=wanted, add=request(add, "--add"), **others)


def load_editor(path: str | None) -> "Editor":
    from slider_jax import memory

    memory.keep()
    from slider_jax import edit

    return edit.Editor.load(path)


def check_stdout(outs: Sequence[str], as_json: bool) -> None:
    """A picture to standard output leaves no room for text, and wants a pipe."""
    if "-" not in outs:
        return
    if as_json:
        raise ValueError("--json and the picture both want standard output: use --out.")
    if sys.stdout.isatty():
        raise ValueError(
            "A terminal cannot show the picture: name a file with --out, or pipe it on."
        )


@contextlib.contextmanager
def progress(total: int, unit: str) -> Iterator["tqdm.tqdm"]:
    """A bar on standard error, in a terminal and of several things only."""
    import tqdm

    hidden = True if total < 2 else None
    with tqdm.tqdm(total=total, unit=unit, file=sys.stderr, disable=hidden) as bar:
        yield bar


def finish(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Says what became of each photo, and exits with what that means."""
    failed = [row for row in rows if "error" in row]
    if as_json:
        print(json.dumps(rows, indent=1))
    for row in rows:
        if as_json or "error" in row or row["out"] == "-":
            continue
        skipped = row.get("skipped")
        what = (
            "there already" if skipped else f"{row['pixels_changed']:,} pixels changed"
        )
        print(f"{row['photo']} -> {row['out']} ({what})")
    for row in failed:
        print(f"slider: {row['error']}", file=sys.stderr)
    if failed and len(rows) > 1:
        print(f"slider: {len(failed)} of {len(rows)} failed.", file=sys.stderr)
    if failed:
        raise typer.Exit(1 if len(rows) > 1 else failed[0]["exit_code"])
