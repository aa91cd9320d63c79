"""What was measured on the faces of a photo, for people and for programs."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from slider_jax import orders
from slider_jax.edit import Editor, Photo
from slider_jax.face.sliders import SLIDERS
from slider_jax.session import Measured

SHOWN = 0.02  # less is not told to people
BAR = 20  # characters


def faces(
    editor: Editor, source: Photo, *, box: Sequence[float] | None = None
) -> list[dict[str, Any]]:
    """For JSON: every face from left to right."""
    return [_face(found) for found in editor.measure(source, box=box)]


def _face(measured: Measured):
    face = measured.face
    yaw, pitch, roll = (round(v, 1) for v in face.pose)
    x0, y0, x1, y1 = face.box
    return {
        "box": [round(v, 1) for v in (x0, y0, x1 - x0, y1 - y0)],  # x, y, w, h
        "score": round(face.score, 3),
        "pose": {"yaw": yaw, "pitch": pitch, "roll": roll},
        "sliders": orders.rounded(measured.sliders),
        "expression": measured.expression.tolist(),
        "from_record": measured.asked is not None,
        "landmarks": face.landmarks.round(1).tolist(),
    }


def text(name: str, found: Sequence[dict[str, Any]]) -> str:
    """A line for each face, and under it the sliders that are not at rest."""
    lines = []
    for i, face in enumerate(found):
        x, y, w, h = face["box"]
        pose = ", ".join(f"{axis} {v:+.0f}" for axis, v in face["pose"].items())
        lines.append(f"{name}, face {i}: {w:.0f} x {h:.0f} at ({x:.0f}, {y:.0f})")
        lines[-1] += f", {pose} degrees"
        lines[-1] += ", as its edit record says" if face["from_record"] else ""
        strongest = sorted(face["sliders"].items(), key=lambda item: -item[1])
        for slider, value in strongest:
            if value >= SHOWN:
                bar = "#" * max(1, round(BAR * min(value, 1)))
                lines.append(f"  {slider:20} {value:5.2f}  {bar}")
    return "\n".join(lines)


def table(rows: Sequence[dict[str, Any]], model: str) -> str:
    """CSV, a row for each face. `slider batch` reads it as edits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["photo", "face", *"xywh", "yaw", "pitch", "roll", "score", "model"]
    writer.writerow([*head, *SLIDERS])
    for row in rows:
        for i, face in enumerate(row["faces"]):
            seen = [*face["box"], *face["pose"].values(), face["score"], model]
            values = [face["sliders"][name] for name in SLIDERS]
            writer.writerow([row["photo"], i, *seen, *values])
    return out.getvalue()
