"""Expressions in files that people can read: one, or many over time.

JSON holds one expression or a list of them; CSV has a row for each and a column for
each name. Tables of ARKit's shapes, such as Live Link Face exports, are read as they
are, and so are lists of visemes (columns time, viseme and, if wanted, intensity).
"""

import csv
import dataclasses
import io
import json
import math
import os
import pathlib
import re
from typing import Any

import numpy as np

import slider_jax
from slider_jax import files
from slider_jax.batch import EXPRESSION, SPEECH
from slider_jax.face.requests import VISEME, Request, canonical, limits

PARAMETERS = EXPRESSION + SPEECH
LARGEST = 256 << 20  # bytes
LONGEST = 6 * 3600  # seconds
_TURNS = re.compile(r"(head|lefteye|righteye)(yaw|pitch|roll)")
_CLOCKS = ("time", "seconds", "timecode", "frame")
_OTHERS = ("blendshapecount", "model", "intensity")


@dataclasses.dataclass(frozen=True)
class Recording:
    """`times` are seconds, rising, one for each request; `notes` are sentences on what
    was left out when it was read."""

    requests: tuple[dict[str, float], ...]
    times: tuple[float, ...] | None = None
    model: str | None = None  # the id of the model that measured it
    notes: tuple[str, ...] = ()


def read(path: str | os.PathLike) -> Recording:
    """From a .json or a .csv file."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST >> 20} MiB: cut it in parts.")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text: give a .json or a .csv file.") from None
    try:
        return from_json(text) if _is_json(path) else from_csv(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write(path: str | os.PathLike, recording: Recording) -> None:
    """To a .json or a .csv file."""
    path = pathlib.Path(path)
    if path.suffix.lower() not in (".json", ".csv"):
        raise ValueError(f"{path} ends neither in .json nor in .csv.")
    text = to_json(recording) if _is_json(path) else to_csv(recording)
    with files.whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def _is_json(path):
    return path.suffix.lower() == ".json"


def to_json(recording: Recording) -> str:
    rows: list[dict[str, Any]] = [{"sliders": dict(r)} for r in recording.requests]
    for row, time in zip(rows, recording.times or (), strict=False):
        row["time"] = time
    head = {"slider_jax": slider_jax.__version__, "model": recording.model}
    whole = head | (rows[0] if len(rows) == 1 else {"frames": rows})
    return json.dumps(whole, indent=1) + "\n"


def from_json(text: str) -> Recording:
    """A dict of names and values alone will do."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is no JSON ({error}).") from error
    if not isinstance(whole, dict):
        raise ValueError("this is JSON, but no expression: it should be {...}.")
    if "sliders" not in whole and "frames" not in whole:
        whole = {"sliders": whole}
    rows = whole.get("frames", [whole])
    good = lambda row: isinstance(row, dict) and isinstance(row.get("sliders"), dict)
    if not isinstance(rows, list) or not all(map(good, rows)):
        raise ValueError('"frames" should be a list of {"sliders": {...}}.')
    requests = tuple(canonical(r["sliders"], parameters=PARAMETERS) for r in rows)
    times = None
    if rows and all(isinstance(row.get("time"), int | float) for row in rows):
        times = _rising([float(row["time"]) for row in rows])
    return Recording(requests, times, whole.get("model"))


def to_csv(recording: Recording) -> str:
    """A cell is empty where a request does not name the column."""
    names = list(dict.fromkeys(name for r in recording.requests for name in r))
    clock = ["time"] if recording.times else []
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([*clock, "model", *names])
    for i, request in enumerate(recording.requests):
        time = [recording.times[i]] if recording.times else []
        values = [request.get(name, "") for name in names]
        table.writerow([*time, recording.model or "", *values])
    return out.getvalue()


def from_csv(text: str) -> Recording:
    """Values beyond their range are clipped; turns of head and eyes are left out."""
    table = csv.reader(io.StringIO(text))
    rows = [(table.line_num, row) for row in table if any(map(str.strip, row))]
    if len(rows) < 2:
        raise ValueError("a table needs a row of names and a row of values.")
    (_, header), *rows = rows
    keys = [re.sub(r"[\s_]", "", cell).lower() for cell in header]
    columns, turns = {}, 0
    for i, (cell, key) in enumerate(zip(header, keys, strict=True)):
        turns += bool(_TURNS.fullmatch(key))
        if key in (*_CLOCKS, *_OTHERS, "viseme") or _TURNS.fullmatch(key):
            continue
        columns[i] = tuple(canonical({cell.strip(): 0.0}, parameters=PARAMETERS))
    if not columns and "viseme" not in keys:
        raise ValueError("no column is named after a slider.")
    at = {key: i for i, key in enumerate(keys)}
    requests, kept, clipped, lost = [], [], 0, 0
    for number, row in rows:
        row = row + [""] * (len(header) - len(row))
        if "blendshapecount" in at and row[at["blendshapecount"]].strip() in ("0", ""):
            lost += 1
            continue
        request = _visemes(row, at, number)
        for i, names in columns.items():
            if row[i].strip():
                value = _number(row[i], number, header[i])
                low, high = limits(names[0])
                clipped += not low <= value <= high
                request |= dict.fromkeys(names, min(max(value, low), high))
        requests.append(request)
        kept.append((number, row))
    if not kept:
        raise ValueError("no row has a tracked face.")
    notes = [
        sentence
        for count, sentence in (
            (turns, f"{turns} columns of head and eye turns are left out."),
            (lost, f"{lost} rows without a tracked face are left out."),
            (clipped, f"{clipped} values were beyond their range and are clipped."),
        )
        if count
    ]
    model = kept[0][1][at["model"]].strip() or None if "model" in at else None
    return Recording(tuple(requests), _times(kept, at), model, tuple(notes))


def resample(recording: Recording, rate: float) -> list[Request]:
    """`rate` requests a second, linear in between. Without times, as they are.

    A name that one request has and another has not is 0 in the other.
    """
    if recording.times is None or not recording.requests:
        return list(recording.requests)
    names = list(dict.fromkeys(name for r in recording.requests for name in r))
    times = np.array(recording.times) - recording.times[0]
    frames = np.arange(math.floor(times[-1] * rate + 1e-6) + 1) / rate
    table = [
        np.interp(frames, times, [r.get(name, 0.0) for r in recording.requests])
        for name in names
    ]
    return [
        dict(zip(names, values, strict=True)) for values in np.transpose(table).tolist()
    ]


def _visemes(row, at, number):
    if "viseme" not in at or not row[at["viseme"]].strip():
        return {}
    amount = row[at["intensity"]] if "intensity" in at else ""
    value = _number(amount, number, "intensity") if amount.strip() else 1.0
    name = VISEME + row[at["viseme"]].strip().removeprefix(VISEME)
    return canonical({name: value}, parameters=PARAMETERS)


def _number(cell, row, column):
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"row {row}, column {column}: {cell!r} is no number.")
    return value


def _times(rows, at):
    if "timecode" in at:
        cells = [(number, row[at["timecode"]]) for number, row in rows]
        return _rising(_seconds(np.array([_timecode(*cell) for cell in cells])))
    for key in ("time", "seconds"):
        if key in at:
            return _rising([_number(row[at[key]], n, key) for n, row in rows])
    return None


def _timecode(number, cell):
    try:
        hours, minutes, seconds, frames = map(float, cell.split(":"))
    except ValueError:
        raise ValueError(
            f"row {number}: the timecode {cell!r} is not hours:minutes:seconds:frames."
        ) from None
    return hours, minutes, seconds, frames


def _seconds(timecodes):
    """Frames are of 30 or, where they go so high, 60 a second."""
    rate = 60 if timecodes[:, 3].max() >= 30 else 30
    return (timecodes @ [3600, 60, 1, 1 / rate]).tolist()


def _rising(times):
    if not all(map(math.isfinite, times)) or times[-1] - times[0] > LONGEST:
        raise ValueError(
            f"times go beyond {LONGEST // 3600} hours: cut it in parts, or mend them."
        )
    for i, (one, other) in enumerate(zip(times, times[1:], strict=False)):
        if not one <= other:
            raise ValueError(f"time goes backwards after {one:g} (frame {i + 1}).")
    return tuple(times)
