"""Photographs into files, with an edit record that any program leaves in place."""

import html
import io
import json
import os
import pathlib
import re
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from slider_jax import files
from slider_jax.photo_file import (
    Photo,
    PhotoError,
    Source,
    one_sentence,
    opened,
    read,
    xmp_of,
)

WRITES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
QUALITY = 95
_XMP = 700  # where TIFF keeps it
_NAMESPACE = "https://slider-jax.invalid/record/"  # a name, nothing to visit


def read_record(source: Source) -> dict[str, Any] | None:
    """The edit record that `save` wrote into a picture, if there is one."""
    if isinstance(source, Image.Image | np.ndarray):
        return _record_of(getattr(source, "info", {}).get("xmp"))
    content, name = read(source)
    with one_sentence(name), opened(content, name) as image:
        image.load()  # PNG may carry text behind the picture
        return _record_of(xmp_of(image))


def save(
    photo: Photo,
    path: str | os.PathLike | None = None,
    *,
    record: dict[str, Any] | None = None,
    label: str | None = None,
    quality: int | None = None,
) -> bytes:
    """The file's bytes; also written to `path`, wholly or not at all.

    Its suffix decides the format, without one the photo's own does. A JPEG from a JPEG
    keeps its quantisation tables, unless a `quality` (1..100) is given.
    """
    format = photo.format if photo.format in WRITES.values() else "PNG"
    if path is not None and (suffix := pathlib.Path(path).suffix.lower()):
        if suffix not in WRITES:
            raise PhotoError(
                f"{path} would not hold a picture with its edit record: end its name "
                f"in one of {', '.join(WRITES)}."
            )
        format = WRITES[suffix]
    image = _to_image(photo, format, label)
    options = _options(photo, format, quality, record)
    file = io.BytesIO()
    with one_sentence(str(path or photo.name), "written as " + format):
        image.save(file, format, **options)
    if path is not None:
        _write(pathlib.Path(path), file.getvalue())
    return file.getvalue()


def _to_image(photo, format, label):
    image = Image.fromarray(photo.pixels)
    if label:
        _draw_label(image, label)
    if photo.grey:
        image = image.convert("L")
    if photo.alpha is None:
        return image
    alpha = Image.fromarray(photo.alpha)
    if format == "JPEG":  # has no alpha: on white
        white = Image.new(image.mode, image.size, "white")
        return Image.composite(image, white, alpha)
    if image.mode == "L" and format != "WEBP":
        return Image.merge("LA", (image, alpha))
    image = image.convert("RGB")
    image.putalpha(alpha)
    return image


def _draw_label(image, text):
    """White on a dark plate, in the lower right corner."""
    size = max(10, round(min(image.size) / 40))
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(image, "RGBA")
    pad = size // 2
    corner = (image.width - pad, image.height - pad)
    plate = draw.textbbox(corner, text, font, anchor="rb")
    grown = [v + d for v, d in zip(plate, (-pad, -pad, pad, pad), strict=True)]
    draw.rectangle(grown, fill=(0, 0, 0, 150))
    draw.text(corner, text, (255, 255, 255, 255), font, anchor="rb")


def _options(photo, format, quality, record):
    xmp = _with_record(photo.xmp, record)
    if format == "JPEG" and xmp and len(xmp) > 65_000:  # all that a segment holds
        xmp = _with_record(None, record)
    options = dict(icc_profile=photo.icc)
    if "dpi" in photo.encoder:
        options["dpi"] = photo.encoder["dpi"]
    if photo.exif and not (format == "JPEG" and len(photo.exif) > 65_000):
        options["exif"] = photo.exif
    if format == "PNG":
        text = PngInfo()
        if xmp:
            text.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        return options | dict(pnginfo=text)
    if format == "TIFF":
        known = photo.encoder.get("compression")
        lossless = known in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
        options["compression"] = known if lossless else "tiff_lzw"
        tags = Image.Exif()
        tags.load(photo.exif)
        if xmp:
            tags[_XMP] = xmp
        return options | dict(exif=tags)
    if xmp:
        options["xmp"] = xmp
    if format == "WEBP":
        lossless = photo.encoder.get("lossless", False) and quality is None
        return options | dict(
            lossless=lossless, exact=lossless, quality=quality or QUALITY
        )
    tables = photo.encoder.get("qtables")
    if tables and quality is None and (photo.grey or len(tables) > 1):
        options["qtables"] = tables
        if photo.encoder["subsampling"] >= 0 and not photo.grey:
            options["subsampling"] = photo.encoder["subsampling"]
        return options
    return options | dict(quality=quality or QUALITY, subsampling=0)


def _with_record(xmp, record):
    """An XMP packet that holds the record in the place of an earlier one."""
    ours = re.compile(
        rb"<rdf:Description[^>]*%s.*?</rdf:Description>" % _NAMESPACE.encode(), re.S
    )
    packet = ours.sub(b"", xmp) if xmp else None
    if record is None:
        return packet
    text = html.escape(json.dumps(record, ensure_ascii=False, sort_keys=True))
    entry = (
        f'<rdf:Description rdf:about="" xmlns:slider="{_NAMESPACE}">'
        f"<slider:edit>{text}</slider:edit></rdf:Description>"
    ).encode()
    if packet and packet.count(b"</rdf:RDF>") == 1:
        return packet.replace(b"</rdf:RDF>", entry + b"</rdf:RDF>")
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        + entry
        + b"</rdf:RDF></x:xmpmeta>"
    )


def _record_of(xmp):
    text = xmp.decode("utf-8", "replace") if isinstance(xmp, bytes) else xmp or ""
    found = re.search(r"<slider:edit>(.*?)</slider:edit>", text, re.S)
    try:
        record = json.loads(html.unescape(found[1])) if found else None
    except (ValueError, RecursionError):
        return None  # someone else wrote it
    return record if isinstance(record, dict) else None


def _write(path, content):
    """A reader, or a full disk, never sees half of it."""
    try:
        with files.whole(path) as scratch:
            scratch.write_bytes(content)
    except OSError as error:
        raise PhotoError(
            f"{path} cannot be written ({error.strerror}): check the folder, its "
            "permissions and the room on the disk."
        ) from error
