"""The edit record in a picture's metadata (XMP), and what it is good for.

It tells people what was asked for. It also holds what the edited faces wear, and a hash
of the pixels: as long as they are the same, nobody has to guess it from the picture.
"""

import hashlib
import html
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

_NAMESPACE = "https://slider-jax.invalid/record/"  # a name, nothing to visit
_OURS = re.compile(
    rb"<rdf:Description[^>]*%s.*?</rdf:Description>" % _NAMESPACE.encode(), re.S
)

Face = dict[str, Any]  # model, box (x0, y0, x1, y1), expression, and asked: a request


def known(faces: Sequence[Face], pixels: UInt8[np.ndarray, "h w 3"]) -> dict[str, Any]:
    """`pixels` as they will be read from the file that this is written into."""
    return {"pixels": _hash(pixels), "faces": list(faces)}


def entry(
    record: dict[str, Any] | None,
    known: dict[str, Any] | None = None,
    most: float = np.inf,
) -> bytes | None:
    """What is ours in a packet; of many faces only as much as `most` bytes hold."""
    if record is None:
        return None
    short = {key: value for key, value in record.items() if key != "faces"}
    full = {"edit": record} | ({"faces": known} if known else {})
    for parts in (full, {"edit": record}, {"edit": short}):
        inside = "".join(
            f"<slider:{k}>{_text(v)}</slider:{k}>" for k, v in parts.items()
        )
        found = (
            f'<rdf:Description rdf:about="" xmlns:slider="{_NAMESPACE}">'
            f"{inside}</rdf:Description>"
        ).encode()
        if len(found) <= most:
            break
    return found


def packet(xmp: bytes | None, entry: bytes | None) -> bytes | None:
    """An XMP packet that holds the entry in the place of an earlier one."""
    packet = _OURS.sub(b"", xmp) if xmp else None
    if entry is None:
        return packet
    if packet and packet.count(b"</rdf:RDF>") == 1:
        return packet.replace(b"</rdf:RDF>", entry + b"</rdf:RDF>")
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        + entry
        + b"</rdf:RDF></x:xmpmeta>"
    )


def record_of(xmp: bytes | str | None) -> dict[str, Any] | None:
    return _read(xmp, "edit")


def faces_of(xmp: bytes | None, pixels: UInt8[np.ndarray, "h w 3"]) -> tuple[Face, ...]:
    """What edits left in the faces, if these are the pixels that were written."""
    known = _read(xmp, "faces") or {}
    faces = known.get("faces")
    if not isinstance(faces, list) or known.get("pixels") != _hash(pixels):
        return ()
    return tuple(face for face in faces if _is_face(face))


def _text(part):
    plain = json.dumps(part, ensure_ascii=False, sort_keys=True)
    return html.escape(plain, quote=False)


def _read(xmp, part):
    text = xmp.decode("utf-8", "replace") if isinstance(xmp, bytes) else xmp or ""
    found = re.search(f"<slider:{part}>(.*?)</slider:{part}>", text, re.S)
    try:
        record = json.loads(html.unescape(found[1])) if found else None
    except (ValueError, RecursionError):
        return None  # someone else wrote it
    return record if isinstance(record, dict) else None


def _is_face(face):
    """Files come from anywhere."""
    try:
        numbers = [*face["box"], *face["expression"], *face["asked"].values()]
        return len(face["box"]) == 4 and bool(np.isfinite(numbers).all())
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _hash(pixels):
    sha = hashlib.sha256(str(pixels.shape).encode())
    sha.update(np.ascontiguousarray(pixels))
    return sha.hexdigest()[:32]
