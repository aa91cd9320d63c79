"""A studio with the small random model, served on a free port, and photos for it."""

import io
import json
import pathlib
import shutil
import threading
import urllib.error
import urllib.request

import numpy as np
import small_editor
from PIL import Image

from slider_jax import data
from slider_jax.edit import Editor
from slider_jax.licences import FOLDER
from slider_jax.painter import make_painter
from slider_jax.studio.answers import Studio
from slider_jax.studio.server import make_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def studio():
    return Studio(Editor(make_painter(small_editor.model())), "small.npz")


class Server:
    """Runs in a thread until it is stopped."""

    def __init__(self, studio, browser=None):
        import uvicorn

        config = uvicorn.Config(
            make_app(studio, browser=browser),
            port=0,
            log_level="error",
            lifespan="off",
            ws="none",
        )
        self.studio = studio
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            pass
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"

    def stop(self):
        self._server.should_exit = True
        self._thread.join()

    def ask(self, path, body=None, **headers):
        """Status, headers and bytes; a dict is sent as JSON, None is a GET."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, body, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def json(self, path, body=None):
        return json.loads(self.ask(path, body)[2])

    def tab(self, photo):
        """A tab with a photo in it."""
        tab = self.json("/api/tab", {})["tab"]
        self.json(f"/api/photo?tab={tab}&name=me.png", photo)
        return tab


def frames(content):
    """The head of an answer, and its files."""
    line, _, rest = content.partition(b"\n")
    head, files = json.loads(line), []
    for size in head["sizes"]:
        files.append(rest[:size])
        rest = rest[size:]
    return head, files


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def png(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def faces(count, size=(400, 260)):
    """A picture with one or two people of the tiny set, as PNG.

    As in every photo, its first row is not its own mirror image: by that, and not by an
    edit, is decided which of the two is looked at.
    """
    split = data.open_split(FOLDER / "tiny", "test_paired")
    table = split.columns(["pose", "identity"])
    order = np.argsort(np.abs(table["pose"]).max(1), kind="stable")
    _, first = np.unique(table["identity"][order], return_index=True)
    rows = order[np.sort(first)]
    whole = Image.new("RGB", size, (120, 130, 140))
    whole.putpixel((0, 0), (121, 130, 140))
    for i, row in enumerate(rows[:count]):
        face = Image.fromarray(split[np.array([row])][0]).resize((150, 150))
        whole.paste(face, (20 + 200 * i, 50))
    return png(whole)


def write(folder: pathlib.Path, name, content):
    path = folder / name
    path.write_bytes(content)
    return str(path)
