"""The `slider` command in this process, and photos with faces that it finds."""

import io
import sys

import numpy as np
from PIL import Image

from slider_jax import cli, data
from slider_jax.licences import FOLDER


def run(monkeypatch, capsysbinary, *arguments, stdin=b""):
    """(exit code, standard output, standard error)."""
    monkeypatch.setattr(sys, "argv", ["slider", *map(str, arguments)])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    sys.stdout.flush()
    said, complained = capsysbinary.readouterr()
    return code, said, complained.decode()


def write_photos(folder):
    """one.png, other.jpg, couple.png (both), nobody.png and broken.jpg."""
    split = data.open_split(FOLDER / "tiny", "test_paired")
    pose = np.abs(split.columns(["pose"])["pose"]).max(1)
    first, *others = pose.argsort()
    rows = np.array([first, max(others[:8])])
    one, other = (Image.fromarray(x).resize((160, 160)) for x in split[rows])
    one.save(folder / "one.png")
    other.save(folder / "other.jpg", quality=95)
    couple = Image.new("RGB", (400, 200), (90, 110, 120))
    couple.paste(one, (20, 20))
    couple.paste(other, (220, 20))
    couple.save(folder / "couple.png")
    Image.new("RGB", (80, 60), (60, 90, 60)).save(folder / "nobody.png")
    (folder / "broken.jpg").write_bytes((folder / "other.jpg").read_bytes()[:300])
