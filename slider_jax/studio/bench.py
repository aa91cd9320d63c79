"""How long a slider's move takes to a new picture, and what a thousand moves leave.

    python -m slider_jax.studio.bench photo.jpg [--model PATH] [--browser]

Serves on a free port and asks as the page does, over one connection a user; with
--browser it moves the slider of the page itself, in headless Chromium.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import statistics
import threading
import time
from collections.abc import Callable

MOVES, WARM = 1000, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photo", type=pathlib.Path)
    parser.add_argument("--model")
    parser.add_argument("--moves", type=int, default=MOVES)
    parser.add_argument("--side", type=int, default=720, help="pixels of the preview")
    parser.add_argument("--browser", action="store_true")
    asked = parser.parse_args()

    from slider_jax import memory

    memory.keep()
    from slider_jax.edit import Editor
    from slider_jax.studio.answers import Studio

    editor = Editor.load(asked.model)
    editor.warm_up()
    port, stop = _serve(Studio(editor))
    print(f"{editor.model.size} px model {editor.model.id}, {os.cpu_count()} cores")
    print(f"load {os.getloadavg()[0]:.1f}")
    photo = asked.photo.read_bytes()
    try:
        one = _User(port, photo, asked.side)
        one.moves(WARM)
        before = _memory()
        print("one user:     ", _told(one.moves(asked.moves)))
        print(f"memory: {before:.0f} MB, after {asked.moves} moves {_memory():.0f} MB")
        users = [_User(port, photo, asked.side) for _ in range(4)]
        print("four at once: ", _told(_together(users, asked.moves // 10)))
        if asked.browser:
            print("in the page:  ", _told(_in_a_browser(port, asked.photo)))
    finally:
        stop()


def _serve(studio) -> tuple[int, Callable]:
    import uvicorn

    from slider_jax.studio.server import make_app

    server = uvicorn.Server(
        uvicorn.Config(
            make_app(studio), port=0, log_level="error", lifespan="off", ws="none"
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def stop():
        server.should_exit = True
        thread.join()

    return server.servers[0].sockets[0].getsockname()[1], stop


class _User:
    """A tab without a page: its connection stays open."""

    def __init__(self, port, photo, side):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.side, self.number = side, 0
        self.tab = json.loads(self.post("/api/tab", b"{}"))["tab"]
        self.post(f"/api/photo?tab={self.tab}", photo)

    def post(self, path, content):
        self.connection.request("POST", path, content)
        answer = self.connection.getresponse()
        whole = answer.read()
        if answer.status != 200:
            raise ValueError(json.loads(whole)["error"])
        return whole

    def move(self):
        self.number += 1
        value = 0.05 + 0.9 * (self.number * 37 % 100) / 100
        story = {"face": 0, "steps": [{"0": {"request": {"jawOpen": value}}}]}
        ask = {"tab": self.tab, "seq": self.number, "story": story, "side": self.side}
        self.post("/api/render", json.dumps(ask).encode())

    def moves(self, count):
        """Milliseconds of each."""
        times = []
        for _ in range(count):
            start = time.perf_counter()
            self.move()
            times.append(1e3 * (time.perf_counter() - start))
        return times


def _together(users, count):
    times = []
    hands = [
        threading.Thread(target=lambda u=user: times.extend(u.moves(count)))
        for user in users
    ]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    return times


_MOVE = """async (value) => {
  const slider = document.querySelector("#s-jawOpen"), page = document.body.dataset;
  const shown = page.shown, start = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  while (page.shown === shown) await new Promise((done) => setTimeout(done, 1));
  return performance.now() - start;
}"""


def _in_a_browser(port, photo, count=100):
    """From the input event to the picture on its canvas, with the 3D head beside it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--use-angle=swiftshader", "--use-gl=angle"],
        )
        page = browser.new_page(viewport={"width": 1360, "height": 820})
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("body[data-ready]")
        page.set_input_files("#file", photo)
        page.wait_for_selector("body[data-shown]")
        page.wait_for_timeout(3000)
        move = lambda i: page.evaluate(_MOVE, 0.05 + 0.9 * (i * 37 % 100) / 100)
        times = [move(i) for i in range(WARM + count)][WARM:]
        browser.close()
    return times


def _told(times):
    ordered = sorted(times)
    high = ordered[int(0.95 * (len(ordered) - 1))]
    return f"median {statistics.median(times):.0f} ms, 95 % within {high:.0f} ms"


def _memory():
    """Resident, in megabytes."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1e3
    return float("nan")


if __name__ == "__main__":
    main()
