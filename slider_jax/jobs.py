"""Many photos: where each goes, what was done before, and what went wrong."""

import csv
import dataclasses
import glob
import io
import math
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

from slider_jax import files, orders, photo, recording
from slider_jax.edit import Editor
from slider_jax.face import requests
from slider_jax.orders import Order
from slider_jax.photo_save import WRITES, check_letters

PICTURES = (*WRITES, ".bmp", ".gif", ".avif", ".jp2", ".ppm", ".tga")
ASIDE = ("photo", "out", "face", "box", "region", "strength")
# Columns of `slider measure --csv` that ask for nothing.
SEEN = ("x", "y", "w", "h", "yaw", "pitch", "roll", "score", "model")
STANDARD = "-"  # input or output
MOST = 2.0  # times the way from the measured face

Row = dict[str, Any]  # a line of the report, for --json


@dataclasses.dataclass(frozen=True)
class Job:
    source: str
    out: str
    order: Order


@dataclasses.dataclass(frozen=True)
class Writing:
    force: bool = False
    record: bool = True
    label: str | None = None
    quality: int | None = None

    def __post_init__(self):
        check_letters(self.label or "")

    def look(self) -> dict[str, Any]:
        """What of it shows in the picture, for its record."""
        given = {"label": self.label, "quality": self.quality}
        return {name: value for name, value in given.items() if value is not None}


def expand(names: Sequence[str]) -> list[str]:
    """Globs that the shell left as they are."""
    found = []
    for name in names:
        if name == STANDARD or pathlib.Path(name).exists() or not glob.has_magic(name):
            found.append(name)
            continue
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise FileNotFoundError(f"No file matches {name}: check the pattern.")
        found += matches
    return found


def targets(sources: Sequence[str], out: str | None) -> list[str]:
    """Where each photo goes: beside itself as NAME.edited.EXT, or as `out` says.

    With several photos `out` is a folder, in which they keep their names.
    """
    if out is None:
        beside = lambda s: str(pathlib.Path(s).parent / _name(s, ".edited"))
        return apart([STANDARD if s == STANDARD else beside(s) for s in sources])
    if out == STANDARD and len(sources) > 1:
        raise ValueError("Only one picture fits in standard output: --out a folder.")
    folder = out != STANDARD and (out.endswith("/") or pathlib.Path(out).is_dir())
    if len(sources) == 1 and not folder:
        return [out]
    if pathlib.Path(out).is_file() or not folder and pathlib.Path(out).suffix in WRITES:
        raise ValueError(f"{out} is one file for {len(sources)} photos: name a folder.")
    return apart([str(pathlib.Path(out, _name(s, ""))) for s in sources])


def _name(source, mark):
    if source == STANDARD:
        return "stdin.png"
    path = pathlib.Path(source)
    known = path.suffix.lower() in WRITES
    return path.stem + mark + (path.suffix if known else ".png")


def apart(outs: Sequence[str]) -> list[str]:
    """The second of two equal names gets a -2."""
    counts: dict[str, int] = {}
    found = []
    for out in outs:
        counts[out] = n = counts.get(out, 0) + 1
        path = pathlib.Path(out)
        again = n > 1 and out != STANDARD
        found.append(str(path.with_stem(f"{path.stem}-{n}")) if again else out)
    return found


def pictures(folder: pathlib.Path) -> list[str]:
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    if not found:
        raise FileNotFoundError(f"There is no picture in {folder}.")
    return [str(path) for path in found]


def read_table(path: pathlib.Path, order: Order, out: pathlib.Path) -> list[Job]:
    """A row for each edit: `photo`, beside the table unless it is a full path; columns
    named after sliders; and, if wanted, out, face, box, region and strength."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text: give a .csv file.") from None
    table = csv.DictReader(io.StringIO(text))
    header = table.fieldnames or ()
    if "photo" not in header:
        raise ValueError(f"{path} has no column `photo`.")
    others = [name for name in header if name not in ASIDE + SEEN]
    rows = []
    for number, row in enumerate(table, 2):
        try:
            rows.append(_row(row, others, order))
        except ValueError as error:
            raise ValueError(f"{path}, row {number}: {error}") from error
    if not rows:
        raise ValueError(f"{path} has no row below its names.")
    sources = [str(path.parent / source) for source, _, _ in rows]
    given = [
        name or _name(s, "") for s, (_, name, _) in zip(sources, rows, strict=True)
    ]
    outs = apart([str(out / name) for name in given])
    wanted = [order for _, _, order in rows]
    return [Job(*job) for job in zip(sources, outs, wanted, strict=True)]


def _row(row, others, order):
    cell = lambda name: (row.get(name) or "").strip()
    if None in row or not cell("photo"):
        raise ValueError("there are more cells than names, or no photo.")
    asked = {name: number(cell(name), name) for name in others if cell(name)}
    wanted = requests.canonical(asked, parameters=recording.PARAMETERS)
    changes = {"set": dict(order.set) | wanted}
    if cell("face"):
        changes["face"] = face(cell("face"))
    if cell("box"):
        changes["box"] = box(cell("box"))
    if cell("region"):
        requests.region_mask(cell("region"))
        changes["region"] = cell("region")
    if cell("strength"):
        changes["strength"] = share(number(cell("strength"), "strength"))
    return cell("photo"), cell("out"), dataclasses.replace(order, **changes)


def number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, which is no number.") from None


def share(strength: float) -> float:
    if not 0 <= strength <= MOST:  # nor NaN
        raise ValueError(f"strength is {strength:g}: give 0 to {MOST:g}.")
    return strength


def face(text: str) -> int | tuple[float, float] | str:
    """ "2" is the third from the left, "120,80" the one there, "all" is every one."""
    if text == orders.EVERY:
        return text
    try:
        return int(text) if "," not in text else _numbers(text, 2)
    except ValueError:
        raise ValueError(
            f"face is {text!r}: give its number from the left (the first is 0), a "
            "point x,y on it, or all."
        ) from None


def box(text: str) -> tuple[float, float, float, float]:
    try:
        return _numbers(text, 4)
    except ValueError:
        raise ValueError(f"box is {text!r}: give x,y,w,h in pixels.") from None


def _numbers(text, count):
    values = tuple(float(v) for v in text.replace(" ", ",").split(","))
    if len(values) != count or not all(map(math.isfinite, values)):
        raise ValueError
    return values


def check(job: Job, writing: Writing) -> None:
    """Before any work: nobody's file is replaced unasked."""
    out = pathlib.Path(job.out)
    if job.out == STANDARD:
        return
    if out.suffix and out.suffix.lower() not in WRITES:
        raise ValueError(
            f"{out} would not hold a picture with its edit record: end its name in one "
            f"of {', '.join(WRITES)}."
        )
    if out.is_dir():
        raise ValueError(f"{out} is a folder: write {out}/ to mean a file in it.")
    files.check_free(out, writing.force)


def work(editor: Editor, job: Job, writing: Writing) -> Row:
    """One photo from file to file."""
    check(job, writing)
    source = sys.stdin.buffer if job.source == STANDARD else job.source
    results = orders.carry_out(editor, photo.open_photo(source), job.order)
    record = orders.record(results, job.order) | writing.look()
    content = photo.save(
        results[-1].photo,
        None if job.out == STANDARD else job.out,
        record=record if writing.record else None,
        label=writing.label,
        quality=writing.quality,
    )
    if job.out == STANDARD:
        put_out(content)
    return {"photo": job.source, "out": job.out} | orders.summary(results)


def put_out(content: bytes) -> None:
    """To standard output."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        # At its end Python would try to write the rest, and complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OSError(
            f"Standard output did not take the picture ({error.strerror}): "
            "name a file instead of `-`."
        ) from error


def is_done(editor: Editor, job: Job, writing: Writing) -> bool:
    """Whether the output is there, holds this very edit, and is not older."""
    out = pathlib.Path(job.out)
    try:
        if out.stat().st_mtime < pathlib.Path(job.source).stat().st_mtime:
            return False
        found = photo.read_record(out) or {}
    except (OSError, ValueError):
        return False
    wanted = dict(request=job.order.plain(), model=editor.model.id)
    wanted |= dict(label=writing.label, quality=writing.quality)
    wanted["finish"] = "drawn" if editor.finishes else None
    return writing.record and all(found.get(k) == v for k, v in wanted.items())


def resume(editor: Editor, job: Job, writing: Writing) -> Row:
    """As `work`, but not a second time. `force` does everything anew."""
    if not writing.force and is_done(editor, job, writing):
        return {"photo": job.source, "out": job.out, "skipped": True}
    return work(editor, job, writing)


def failure(item: Job | str, error: Exception) -> Row:
    """The line of the report for what went wrong."""
    expected = isinstance(error, ValueError | OSError)
    sentence = str(error) if expected else f"{type(error).__name__}: {error}"
    code = 3 if isinstance(error, photo.FaceError) else 2
    where = {"photo": item}
    if isinstance(item, Job):
        where = {"photo": item.source, "out": item.out}
    return where | {"error": sentence, "exit_code": code}


def attempt(
    do: Callable[[Any], Row], items: Sequence[Any], workers: int
) -> Iterator[tuple[int, Row | Exception]]:
    """Number and row, or what went wrong, of each item as it finishes."""
    with futures.ThreadPoolExecutor(workers) as pool:
        waiting = {pool.submit(do, item): i for i, item in enumerate(items)}
        try:
            for future in futures.as_completed(waiting):
                yield waiting[future], future.exception() or future.result()
        finally:
            pool.shutdown(cancel_futures=True)
