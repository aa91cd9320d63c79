"""Draws studio.jpg and studio_browser.jpg: both pages, as a visitor sees them.

python docs/studio.py

Takes Chromium, and pip install 'slider_jax[studio,export]' playwright. The photo is a
render of a person whom no training sees, who is asked to be surprised.
"""

import contextlib
import io
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from PIL import Image
from playwright.sync_api import sync_playwright

from slider_jax.face.sessions import Renderer

DOCS = pathlib.Path(__file__).parent
DESK, PHONE = {"width": 1360, "height": 820}, {"width": 390, "height": 820}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@contextlib.contextmanager
def served(*options):
    """The address of a studio."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    slider = pathlib.Path(sys.executable).with_name("slider")
    command = [slider, "studio", "--no-browse", "--port", str(port), *options]
    process = subprocess.Popen(command)
    try:
        while not _answers(port):
            if process.poll() is not None:
                sys.exit("The studio did not start; what it said is above.")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def _answers(port):
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) == 0


def look(browser, address, photo, size, *, compared=False):
    """A screenshot."""
    page = browser.new_page(viewport=size)
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    page.set_input_files("#file", photo)
    page.wait_for_selector("body[data-shown]", timeout=120_000)
    page.wait_for_timeout(3000)
    page.get_by_text("Surprise", exact=True).dispatch_event("click")
    if compared:
        page.get_by_text("A|B", exact=True).click()
    page.wait_for_timeout(3000)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    return shot


def main():
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        photo = pathlib.Path(folder, "face.png")
        Image.fromarray(next(Renderer(512, 5).rows(11, 0, 1))["image"]).save(photo)
        args = ["--no-sandbox", *WEBGL]
        browser = play.chromium.launch(executable_path=CHROMIUM, args=args)
        with served() as address:
            page = look(browser, address, photo, DESK, compared=True)
            page.save(DOCS / "studio.jpg", quality=90)
        with served("--browser") as address:
            sizes = (DESK, PHONE)
            desk, phone = (look(browser, address + "browser", photo, s) for s in sizes)
        both = Image.new("RGB", (desk.width + 20 + phone.width, desk.height), "white")
        both.paste(desk, (0, 0))
        both.paste(phone, (desk.width + 20, 0))
        both.thumbnail((1170, 1170))
        both.save(DOCS / "studio_browser.jpg", quality=90)
        browser.close()


if __name__ == "__main__":
    main()
