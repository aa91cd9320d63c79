"""Hands and eyes for the page of the studio, in a browser that Playwright drives."""

import os
import time

SCREENSHOTS = os.environ.get("STUDIO_SCREENSHOTS")  # a folder to leave them in


def until(page, script, wait=15):
    """The page forbids evaluation from inside, so it is asked from outside."""
    end = time.monotonic() + wait
    while not (value := page.evaluate(script)):
        assert time.monotonic() < end, f"never: {script}"
        time.sleep(0.02)
    return value


def shown(page):
    return page.evaluate("Number(document.body.dataset.shown || 0)")


def settle(page):
    """Until the page waits for nothing any more."""
    page.wait_for_timeout(60)
    until(page, "!document.body.hasAttribute('data-busy')")
    page.wait_for_timeout(60)


def upload(page, path):
    before = shown(page)
    page.set_input_files("#file", path)
    until(page, f"Number(document.body.dataset.shown || 0) > {before}")
    settle(page)


def press(page, selector):
    """What is pressed changes the picture: however slow the machine, wait for that."""
    before = shown(page)
    page.click(selector)
    until(page, f"Number(document.body.dataset.shown || 0) > {before}")
    settle(page)


def picture(page):
    """A fingerprint of what is drawn."""
    return page.evaluate("document.getElementById('result').toDataURL()")


def drag(page, name, share):
    """With the mouse, from where the slider stands to a share of its length."""
    slider = page.locator(f"#s-{name}")
    slider.scroll_into_view_if_needed()
    box, value = slider.bounding_box(), float(slider.input_value())
    high = float(slider.get_attribute("max"))
    low = float(slider.get_attribute("min"))
    at = lambda part: box["x"] + 8 + part * (box["width"] - 16)
    y = box["y"] + box["height"] / 2
    page.mouse.move(at((value - low) / (high - low)), y)
    page.mouse.down()
    page.mouse.move(at(share), y, steps=6)
    page.mouse.up()
    settle(page)


def value(page, name):
    return float(page.locator(f"#s-{name}").input_value())


def photograph(page, name):
    if SCREENSHOTS:
        page.screenshot(path=os.path.join(SCREENSHOTS, f"{name}.png"))
