"""Photographs into files, with an edit record that any program leaves in place."""

import io
import os
import pathlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from slider_jax import files, photo_record
from slider_jax.photo_file import (
    Photo,
    PhotoError,
    Source,
    one_sentence,
    open_photo,
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
_LEGIBLE = 7  # pixels of a letter
_XMP = 700  # where TIFF keeps it
_TABLES = {34665, 34853}  # EXIF's and GPS's own, within a TIFF
MOST_XMP = 64_500  # bytes of ours in a JPEG, whose segment holds 65,504 in all


def read_record(source: Source) -> dict[str, Any] | None:
    """The edit record that `save` wrote into a picture, if there is one."""
    if isinstance(source, Image.Image | np.ndarray):
        return photo_record.record_of(getattr(source, "info", {}).get("xmp"))
    content, name = read(source)
    with one_sentence(name), opened(content, name) as image:
        image.load()  # PNG may carry text behind the picture
        return photo_record.record_of(xmp_of(image))


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

    def encode(entry):
        file = io.BytesIO()
        image.save(file, format, **_options(photo, format, quality, entry))
        return file.getvalue()

    with one_sentence(str(path or photo.name), "written as " + format):
        known = None
        if record is not None and photo.faces:
            lossy = format in ("JPEG", "WEBP")
            as_read = open_photo(encode(None)).pixels if lossy else image.convert("RGB")
            known = photo_record.known(photo.faces, np.asarray(as_read))
        most = MOST_XMP if format == "JPEG" else np.inf
        content = encode(photo_record.entry(record, known, most))
    if path is not None:
        _write(pathlib.Path(path), content)
    return content


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


def check_letters(label: str) -> None:
    """Pillow draws a box for what its font lacks, most of what is not ASCII."""
    font = ImageFont.load_default(20)
    box = bytes(font.getmask("\ue000"))
    for letter in "".join(label.split()):
        if bytes(font.getmask(letter)) == box:
            raise PhotoError(
                f"The label has {letter!r}, which its font has not: write it otherwise."
            )


def _draw_label(image, text):
    """White on a dark plate, in the lower right corner."""
    check_letters(text)
    text = " ".join(text.split())
    size = max(10, round(min(image.size) / 40))
    font = ImageFont.load_default(size)
    pad = size // 2
    room = image.width - 3 * pad
    if font.getlength(text) > room:
        size = int(size * room / font.getlength(text))
        if size < _LEGIBLE:
            raise PhotoError("The label is too long for this picture: shorten it.")
        font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(image, "RGBA")
    corner = (image.width - pad, image.height - pad)
    plate = draw.textbbox(corner, text, font, anchor="rb")
    grown = [v + d for v, d in zip(plate, (-pad, -pad, pad, pad), strict=True)]
    draw.rectangle(grown, fill=(0, 0, 0, 150))
    draw.text(corner, text, (255, 255, 255, 255), font, anchor="rb")


def _options(photo, format, quality, entry):
    xmp = photo_record.packet(photo.xmp, entry)
    if format == "JPEG" and xmp and len(xmp) > MOST_XMP + 500:
        xmp = photo_record.packet(None, entry)
    # A grey WebP has three channels, which a profile of one says nothing of.
    options = dict(icc_profile=None if photo.grey and format == "WEBP" else photo.icc)
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
        if _TABLES & {*tags}:  # which Pillow writes by itself alone, uncompressed
            options["compression"] = "raw"
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


def _write(path, content):
    """A reader, or a full disk, never sees half of it."""
    try:
        with files.whole(path) as scratch:
            scratch.write_bytes(content)
    except OSError as error:
        raise PhotoError(str(error)) from error
