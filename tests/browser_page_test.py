"""The page that runs the model by itself: the same picture, and nobody asked for it."""

import io
import pathlib

import numpy as np
import pytest
import small_studio
from PIL import Image, ImageOps
from small_page import drag, photograph, picture, settle, until, upload, value

pytest.importorskip("starlette", reason="the studio needs slider_jax[studio]")
pytest.importorskip("uvicorn", reason="the studio needs slider_jax[studio]")
pytest.importorskip("onnx", reason="the model is exported with slider_jax[export]")
pytest.importorskip("onnxruntime", reason="the export is checked with onnxruntime")
browsers = pytest.importorskip("playwright.sync_api", reason="needs playwright")

from slider_jax import fetch, photo  # noqa: E402
from slider_jax.face import requests  # noqa: E402
from slider_jax.studio import browser as studio_browser  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        small_studio.CHROMIUM is None, reason="no chromium on the PATH to open it with"
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    try:
        fetch.fetch("onnxruntime-web")
    except OSError as error:
        pytest.skip(f"onnxruntime-web: {error}")
    studio = small_studio.studio()
    folder = tmp_path_factory.mktemp("browser")
    given = studio_browser.prepare(studio.editor.model, folder)
    server = small_studio.Server(studio, given)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def chromium():
    with browsers.sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=small_studio.CHROMIUM, args=["--no-sandbox"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    one, two = small_studio.faces(1), small_studio.faces(2)
    mirrored = small_studio.png(ImageOps.mirror(Image.open(io.BytesIO(one))))
    large = Image.open(io.BytesIO(one)).resize((1600, 1040))
    plain = Image.new("RGB", (90, 90), (90, 120, 150))
    files = {
        "one": one,
        "mirrored": mirrored,
        "large": small_studio.png(large),
        "two": two,
        "none": small_studio.png(plain),
        "text": b"this is no picture",
    }
    return {
        name: small_studio.write(folder, f"{name}.png", content)
        for name, content in files.items()
    }


@pytest.fixture
def open_page(chromium, server):
    """Whatever a page complains of, or asks of others, fails the test."""
    contexts, complaints = [], []

    def open_page(width=1280, height=800, script=None, ready=True):
        context = chromium.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        if script:
            page.add_init_script(script)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda r: (
                r.url.startswith((server.address, "blob:", "data:"))
                or complaints.append(r.url)
            ),
        )
        page.goto(f"{server.address}/browser")
        if ready:
            page.wait_for_selector("body[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def download(page):
    with page.expect_download() as waiting:
        page.click("#download")
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


@pytest.mark.parametrize("name", ["one", "mirrored", "large"])
def test_the_picture_is_that_of_the_session(open_page, server, photos, name):
    """One level: what onnxruntime computes differs from JAX by less than 1e-4 of the
    range, far below a level of 255, but may be rounded to the other side."""
    page = open_page()
    upload(page, photos[name])
    drag(page, "jawOpen", 0.7)
    page.uncheck("#both")
    drag(page, "mouthSmileLeft", 0.9)
    request = {slider: value(page, slider) for slider in ("jawOpen", "mouthSmileLeft")}
    told, content = download(page)
    assert told == f"{name}.edited.png"
    expected = server.studio.editor.edit(photos[name], request)
    ours = small_studio.pixels(content)
    gap = abs(ours - expected.photo.pixels)
    assert gap.max() <= 1 and gap.mean() < 0.005
    changed = abs(ours - small_studio.pixels(pathlib.Path(photos[name]).read_bytes()))
    assert changed.max() > 24
    record = photo.read_record(content)
    np.testing.assert_allclose(record["expression"], expected.requested, atol=2e-6)
    assert {n: record["sliders"][n] for n in request} == pytest.approx(request)
    same = ("software", "model", "box")
    assert [record[key] for key in same] == [expected.record[key] for key in same]


def test_sliders_move_the_picture_when_the_server_is_out_of_reach(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    first, start = picture(page), value(page, "jawOpen")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    drag(page, "jawOpen", 0.6)
    moved = picture(page)
    assert moved != first
    assert " ms" in page.locator("#status").inner_text()
    page.locator("#s-jawOpen").focus()
    page.keyboard.press("0")
    settle(page)
    assert value(page, "jawOpen") < 0.02 and picture(page) != moved
    page.click("[data-emotion=happiness]")
    settle(page)
    assert value(page, "mouthSmileLeft") > 0.3
    page.click("#measured")
    settle(page)
    assert picture(page) == first and value(page, "jawOpen") == start
    assert page.locator("#status").inner_text().startswith("identical")
    assert small_studio.pixels(download(page)[1]).shape == (260, 400, 3)
    assert not [url for url in asked if not url.startswith("blob:")]


def test_a_whole_expression_is_that_of_the_session(open_page, server, photos):
    page = open_page()
    upload(page, photos["one"])
    page.click("[data-emotion=surprise]")
    settle(page)
    drag(page, "mouthPucker", 0.5)
    _, content = download(page)
    session = server.studio.editor.open(photos["one"])
    now = session.edit({"surprise": 1.0})
    step = {"mouthPucker": value(page, "mouthPucker")}
    then = requests.target(session.painter.maps, now.requested, step)
    expected = session.edit(then).photo.pixels
    assert abs(small_studio.pixels(content) - expected).max() <= 1


def test_each_face_keeps_what_it_wears(open_page, photos):
    page = open_page()
    upload(page, photos["two"])
    drag(page, "jawOpen", 0.7)
    first = picture(page)
    page.click("[title='Face 2']")
    settle(page)
    assert picture(page) == first
    page.click("[data-emotion=happiness]")
    settle(page)
    both = picture(page)
    page.click("[title='Face 1']")
    settle(page)
    assert picture(page) == both
    assert value(page, "jawOpen") == pytest.approx(0.7, abs=0.05)
    assert len(photo.read_record(download(page)[1])["earlier"]) == 1
    page.click("#measured")
    page.click("[title='Face 2']")
    settle(page)
    page.click("#measured")
    settle(page)
    untouched = pathlib.Path(photos["two"]).read_bytes()
    content = download(page)[1]
    assert photo.read_record(content) is None
    np.testing.assert_array_equal(
        small_studio.pixels(content), small_studio.pixels(untouched)
    )


def test_before_shows_while_it_is_held(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    first = picture(page)
    drag(page, "jawOpen", 0.6)
    moved = picture(page)
    page.hover("#compare")
    page.mouse.down()
    assert picture(page) == first
    page.mouse.up()
    assert picture(page) == moved


def test_wrong_files_are_sentences_and_nothing_is_lost(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    before = picture(page)
    page.set_input_files("#file", photos["text"])
    until(page, "!document.getElementById('toast').hidden")
    assert "text.png is not a picture" in page.locator("#toast").inner_text()
    assert picture(page) == before
    drag(page, "jawOpen", 0.3)
    assert picture(page) != before
    page.set_input_files("#file", photos["none"])
    until(page, "document.getElementById('toast').innerText.includes('draw a box')")
    assert page.locator("#s-jawOpen").is_disabled()
    upload(page, photos["one"])
    assert picture(page) == before


def test_without_webassembly_it_says_so(open_page):
    page = open_page(script="delete globalThis.WebAssembly", ready=False)
    until(page, "!document.getElementById('toast').hidden")
    assert "no WebAssembly" in page.locator("#status").inner_text()
    assert page.locator("#open").is_disabled()


def test_it_may_run_in_threads(open_page):
    assert open_page().evaluate("crossOriginIsolated")


def test_an_example_is_there_on_a_phone_too(open_page):
    page = open_page(390, 844)
    photograph(page, "browser_phone_empty")
    page.click("#example")
    until(page, "document.body.dataset.shown")
    settle(page)
    before = picture(page)
    drag(page, "browInnerUp", 0.9)
    assert picture(page) != before
    for panel in ("sliders", "looks", "about"):
        page.click(f"[data-show={panel}]")
        page.wait_for_timeout(150)
        photograph(page, f"browser_phone_{panel}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator(f"[data-of={panel}]").is_visible()
