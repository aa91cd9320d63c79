"""Edits over time, as GIF or MP4."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from slider_jax import files
from slider_jax.face.maps import Vector

MOST_GIF = 1500  # frames, all of them in memory
PALETTE_FROM = 12  # frames
Frame = UInt8[np.ndarray, "h w 3"]


def write_gif(
    path: str | os.PathLike,
    frames: Iterable[Frame],
    rate: float,
    *,
    record: dict[str, Any] | None,
) -> None:
    content = gif(frames, rate, record=record)
    with files.whole(path) as scratch:
        scratch.write_bytes(content)


def passages(stops: Sequence[Vector], seconds: float, rate: float) -> list[Vector]:
    """From stop to stop, `seconds` each, slowly at both ends."""
    steps = max(1, round(seconds * rate))
    share = np.arange(1, steps + 1) / steps
    share = share * share * (3 - 2 * share)
    found = [stops[0]]
    for a, b in zip(stops, stops[1:], strict=False):
        found += [(1 - t) * a + t * b for t in share]
    return found


def shrink(pixels: Frame, longest: int, *, even: bool = False) -> Frame:
    """To `longest` pixels at most; video has even sides."""
    height, width = pixels.shape[:2]
    scale = min(1, longest / max(height, width))
    sides = [max(1, round(v * scale)) for v in (width, height)]
    if even:
        sides = [max(2, v - v % 2) for v in sides]
    if sides == [width, height]:
        return pixels
    image = Image.fromarray(pixels)
    return np.asarray(image.resize(sides, Image.Resampling.LANCZOS))


def check_length(count: int) -> None:
    """Of a GIF, whose frames are all in memory."""
    if count > MOST_GIF:
        raise ValueError(
            f"{count} frames are too many for a GIF ({MOST_GIF}): name an .mp4, or "
            "lower --fps."
        )


def gif(
    frames: Iterable[Frame], rate: float, *, record: dict[str, Any] | None
) -> bytes:
    """One palette for all, and pixels that do not move keep their dots."""
    frames = list(frames)
    check_length(len(frames))
    palette = _palette(frames)
    dotted = [Image.fromarray(f).quantize(palette=palette) for f in frames]
    first, images = np.asarray(dotted[0]), [dotted[0]]
    for frame, image in zip(frames[1:], dotted[1:], strict=True):
        same = (frame == frames[0]).all(-1)
        still = Image.fromarray(np.where(same, first, np.asarray(image)), "P")
        still.putpalette(dotted[0].getpalette())
        images.append(still)
    # Hundredths of a second; rounded in sum, so that a long film keeps its time.
    ends = np.rint(100 * np.arange(len(frames) + 1) / rate).astype(int)
    comment = json.dumps(record).encode() if record else b""
    file = io.BytesIO()
    images[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=images[1:],
        duration=(10 * np.diff(ends)).tolist(),
        loop=0,
        comment=comment,
    )
    return file.getvalue()


def _palette(frames):
    chosen = frames[:: max(1, len(frames) // PALETTE_FROM)]
    small = [shrink(frame, 256) for frame in chosen]
    return Image.fromarray(np.concatenate(small)).quantize(256)


def ffmpeg() -> str:
    """On the PATH, or the one that the extra `video` brings."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise ValueError(
            "MP4 needs ffmpeg: install it, or `pip install 'slider_jax[video]'`; a "
            ".gif needs neither."
        ) from None


def write_mp4(
    path: str | os.PathLike,
    frames: Iterable[Frame],
    rate: float,
    *,
    count: int,
    record: dict[str, Any] | None,
    audio: str | None = None,
) -> None:
    """`count` frames go to ffmpeg as they come. The sound of `audio`, a sound or video
    file, ends where the pictures do."""
    program, frames = ffmpeg(), iter(frames)
    if audio is not None and not pathlib.Path(audio).is_file():
        raise FileNotFoundError(f"There is no {audio}: check the path.")
    first = next(frames)
    height, width = first.shape[:2]
    command = [program, "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{width}x{height}", "-r", f"{rate:g}", "-i", "-"]
    if audio is not None:
        command += ["-i", audio, "-map", "0:v:0", "-map", "1:a:0", "-c:a", "aac"]
        command += ["-af", "apad", "-t", f"{count / rate:.6f}"]
    command += ["-c:v", "libx264", "-crf", "17", "-pix_fmt", "yuv420p"]
    command += ["-vf", "scale=out_color_matrix=bt709:out_range=tv"]
    command += ["-colorspace", "bt709", "-color_primaries", "bt709"]
    command += ["-color_trc", "bt709", "-movflags", "+faststart", "-f", "mp4"]
    if record:
        command += ["-metadata", f"comment={json.dumps(record)}"]
    with files.whole(path) as scratch, tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [*command, str(scratch)], stdin=subprocess.PIPE, stderr=complaints
        )
        try:
            # When ffmpeg stops early, the pipe breaks, and what it says tells why.
            with contextlib.suppress(BrokenPipeError), process.stdin:
                for frame in _and(first, frames):
                    process.stdin.write(np.ascontiguousarray(frame).data)
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        if process.returncode:
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace")
            raise ValueError(_reason(said, path, audio))


def _and(first, others) -> Iterator[Frame]:
    yield first
    yield from others


def _reason(said, path, audio):
    if audio is not None and "matches no streams" in said:
        return f"{audio} has no sound: leave --audio out, or name another file."
    last = (said.strip().splitlines() or ["no reason given"])[-1]
    return f"ffmpeg could not write {path} ({last[:200]}); a .gif needs no ffmpeg."
