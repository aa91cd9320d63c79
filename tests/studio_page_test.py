"""The studio in a real browser: open, upload, drag, undo, download, and what fails."""

import json
import re

import pytest
import small_studio
from small_page import (
    drag,
    photograph,
    picture,
    press,
    settle,
    shown,
    until,
    upload,
    value,
)

pytest.importorskip("starlette", reason="the studio needs slider_jax[studio]")
pytest.importorskip("uvicorn", reason="the studio needs slider_jax[studio]")
browsers = pytest.importorskip("playwright.sync_api", reason="needs playwright")

from PIL import Image  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        small_studio.CHROMIUM is None, reason="no chromium on the PATH to open it with"
    ),
]
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def server():
    server = small_studio.Server(small_studio.studio())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser():
    with browsers.sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=small_studio.CHROMIUM, args=["--no-sandbox", *WEBGL]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    plain = small_studio.png(Image.new("RGB", (90, 90), (90, 120, 150)))
    return {
        "one": small_studio.write(folder, "one.png", small_studio.faces(1)),
        "two": small_studio.write(folder, "two.png", small_studio.faces(2)),
        "none": small_studio.write(folder, "none.png", plain),
        "text": small_studio.write(folder, "text.png", b"this is no picture"),
    }


@pytest.fixture
def open_page(browser, server):
    """A new person each time; whatever the page complains of fails the test."""
    contexts, complaints = [], []

    def open_page(width=1280, height=800):
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda r: (
                r.url.startswith((server.address, "blob:")) or complaints.append(r.url)
            ),
        )
        page.goto(server.address)
        page.wait_for_selector("body[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def test_sliders_start_where_the_face_is_and_move_the_picture(open_page, photos):
    page = open_page()
    photograph(page, "desk_empty")
    assert page.locator("#s-jawOpen").is_disabled()
    upload(page, photos["one"])
    start, first = value(page, "jawOpen"), picture(page)
    assert page.locator("#status").inner_text().startswith("identical")
    tick = page.locator("#s-jawOpen").locator("xpath=../i")
    assert float(tick.get_attribute("title").split()[-1]) == pytest.approx(start)
    drag(page, "jawOpen", 0.4)
    assert value(page, "jawOpen") == pytest.approx(0.4, abs=0.05)
    moved = picture(page)
    assert moved != first
    page.keyboard.press("z")
    settle(page)
    assert picture(page) == first and value(page, "jawOpen") == start
    page.keyboard.press("Shift+Z")
    settle(page)
    assert picture(page) == moved


def test_the_picture_follows_while_the_slider_is_held(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    first, number = picture(page), shown(page)
    slider = page.locator("#s-browInnerUp")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + box["height"] / 2, steps=12)
    until(page, f"Number(document.body.dataset.shown) > {number}")
    assert picture(page) != first
    page.mouse.up()


def test_keys_move_fine_and_coarse_and_to_neutral(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    slider = page.locator("#s-mouthPucker")
    drag(page, "mouthPucker", 0.5)
    start = value(page, "mouthPucker")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert value(page, "mouthPucker") == pytest.approx(start + 0.01)
    page.keyboard.press("Shift+ArrowLeft")
    assert value(page, "mouthPucker") == pytest.approx(start - 0.09)
    settle(page)
    page.keyboard.press("z")  # what keys did in one go is undone in one go
    settle(page)
    assert value(page, "mouthPucker") == pytest.approx(start)
    page.keyboard.press("0")
    settle(page)
    assert value(page, "mouthPucker") < 0.02
    page.keyboard.press("/")
    page.keyboard.type("z0")  # letters, in a field
    assert page.locator("#search").input_value() == "z0"


def test_an_answer_that_comes_late_moves_no_slider_back(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    drag(page, "mouthPucker", 0.5)
    start = value(page, "mouthPucker")

    def late(route):
        page.wait_for_timeout(150)
        route.continue_()

    page.route("**/api/render", late)
    page.locator("#s-mouthPucker").focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(60)
    settle(page)
    assert value(page, "mouthPucker") == pytest.approx(start + 0.08)


def test_the_head_follows_the_sliders(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    head = page.locator("#head")
    until(page, "Number(document.getElementById('head').dataset.drawn || 0) > 0")
    page.wait_for_timeout(300)
    before = head.screenshot()
    drag(page, "jawOpen", 0.05)
    shut = head.screenshot()
    drag(page, "jawOpen", 1.0)
    assert len({before, shut, head.screenshot()}) >= 2
    drawn = "Number(document.getElementById('head').dataset.drawn)"
    number = page.evaluate(drawn)
    box = head.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 100, steps=3)
    page.mouse.up()
    until(page, f"{drawn} > {number}")


def test_before_and_after_and_the_mask(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    page.click("[data-emotion=happiness]")
    settle(page)
    page.keyboard.press("w")
    page.keyboard.press("m")
    settle(page)
    handle = page.locator("#handle")
    box = handle.bounding_box()
    page.mouse.move(box["x"] + 14, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] - 80, box["y"] + 30)
    page.mouse.up()
    assert int(handle.get_attribute("aria-valuenow")) < 45
    clip = page.evaluate("document.getElementById('before').style.clipPath")
    assert re.match(r"inset\(0(px)? [5-9]\d", clip)
    assert page.locator("#painted").is_visible()
    photograph(page, "desk_wipe")


def test_the_search_and_the_components(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    page.fill("#search", "smile l")
    assert page.locator("#named .slider:visible").count() == 1
    page.fill("#search", "")
    page.click("#tab-components")
    corner = "getContext('2d').getImageData(9, 9, 1, 1).data[3] == 255"
    until(page, f"document.querySelector('#components canvas').{corner}")
    before = picture(page)
    drag(page, "component_2", 0.95)
    assert picture(page) != before
    photograph(page, "desk_components")


def test_mirror_random_presets_and_apply(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    page.evaluate("Math.random = () => 6 / 16")  # a face unlike its mirror image
    press(page, "#random")
    worn = picture(page)
    page.fill("#preset", "mine")
    page.click("#keep button")
    press(page, "#mirror")
    mirrored = picture(page)
    assert mirrored != worn
    page.click("#mirror")
    settle(page)
    page.click("#measured")
    settle(page)
    assert page.locator("#status").inner_text().startswith("identical")
    page.click("text=mine")
    settle(page)
    assert picture(page) == worn
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.locator("#presets .preset").count() == 1
    upload(page, photos["one"])
    page.click("[data-emotion=surprise]")
    settle(page)
    worn = picture(page)
    page.click("#apply")
    settle(page)
    assert picture(page) == worn
    assert page.locator("#status").inner_text().startswith("identical")
    page.click("#undo")
    settle(page)
    assert not page.locator("#status").inner_text().startswith("identical")


def test_a_click_chooses_the_face(open_page, photos):
    page = open_page()
    upload(page, photos["two"])
    assert page.locator("#faces button").count() == 2
    jaw = value(page, "mouthFrownLeft"), value(page, "eyeSquintLeft")
    page.locator("#faces button").nth(1).click()
    settle(page)
    other = value(page, "mouthFrownLeft"), value(page, "eyeSquintLeft")
    pressed = page.locator("#faces button").nth(1).get_attribute("aria-pressed")
    assert pressed == "true" and other != jaw


def test_a_download_is_the_whole_photo(open_page, photos, server):
    page = open_page()
    upload(page, photos["one"])
    page.click("[data-emotion=anger]")
    settle(page)
    with page.expect_download() as waiting:
        page.click("#download")
    assert waiting.value.suggested_filename == "one.edited.png"
    saved = small_studio.pixels(waiting.value.path().read_bytes())
    expected = server.studio.editor.edit(photos["one"], {"anger": 1.0})
    assert (saved == expected.photo.pixels).all()
    for button, name in (("#strip", "one.jawOpen.png"), ("#gif", "one.gif")):
        with page.expect_download() as waiting:
            page.click(button)
        assert waiting.value.suggested_filename == name
        assert small_studio.pixels(waiting.value.path().read_bytes()).any()
    page.click("#command")
    command = until(page, "document.body.dataset.command")
    assert command.startswith("slider edit one.png") and "anger=1" in command


def test_a_session_goes_out_and_in(open_page, photos, tmp_path):
    page = open_page()
    upload(page, photos["one"])
    page.click("[data-emotion=fear]")
    settle(page)
    worn = picture(page)
    with page.expect_download() as waiting:
        page.click("#store")
    path = tmp_path / "one.session.json"
    waiting.value.save_as(path)
    assert json.loads(path.read_text())["slider_session"] == 1
    other = open_page()
    other.set_input_files("#session", str(path))
    until(other, "document.body.dataset.shown")
    settle(other)
    assert picture(other) == worn
    other.click("#undo")
    settle(other)
    assert other.locator("#status").inner_text().startswith("identical")
    other.set_input_files("#session", photos["one"])
    until(other, "!document.getElementById('toast').hidden")
    assert "no session" in other.locator("#toast").inner_text()


def test_another_photo_lends_its_expression(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    page.set_input_files("#second", photos["two"])
    until(page, "!document.getElementById('status').innerText.startsWith('identical')")
    assert not page.locator("#undo").is_disabled()


def test_a_wrong_file_is_a_sentence_and_nothing_is_lost(open_page, photos):
    page = open_page()
    upload(page, photos["one"])
    before = picture(page)
    page.set_input_files("#file", photos["text"])
    until(page, "!document.getElementById('toast').hidden")
    assert "text.png is not a picture" in page.locator("#toast").inner_text()
    assert picture(page) == before
    drag(page, "jawOpen", 0.3)
    assert picture(page) != before


def test_where_no_face_is_found_a_box_can_be_drawn(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos["none"])
    until(page, "!document.getElementById('toast').hidden")
    assert "draw a box" in page.locator("#toast").inner_text()
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 220, steps=3)
    page.mouse.up()
    sentence = "document.getElementById('toast').innerText.includes('inside the box')"
    until(page, sentence)


def test_two_people_do_not_see_each_other(open_page, photos):
    one, two = open_page(), open_page()
    upload(one, photos["one"])
    upload(two, photos["two"])
    first = picture(one)
    two.click("[data-emotion=disgust]")
    settle(two)
    drag(one, "jawOpen", 0.3)
    assert picture(one) != first
    one.keyboard.press("z")
    settle(one)
    assert picture(one) == first


def test_a_session_that_expired_goes_on(open_page, photos, server):
    page = open_page()
    upload(page, photos["one"])
    server.studio.tabs._tabs.clear()
    before = picture(page)
    drag(page, "jawOpen", 0.3)
    assert picture(page) != before
    assert page.locator("#toast").is_hidden()


def test_on_a_phone_nothing_runs_over_the_edge(open_page, photos):
    page = open_page(390, 844)
    upload(page, photos["one"])
    for panel in ("sliders", "looks", "head", "save"):
        page.click(f"[data-show={panel}]")
        page.wait_for_timeout(150)
        photograph(page, f"phone_{panel}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator(f"[data-of={panel}]").is_visible()
    page.click("[data-show=sliders]")
    before = picture(page)
    drag(page, "browInnerUp", 0.9)
    assert picture(page) != before
