"""The page, in a real Chromium whose microphone hears a music clip in noise."""

from __future__ import annotations

import io
import re
import shutil
import time
import wave
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from tests.apps.hostile import MARKUP

from earmark.apps.monitor.clips import write_opus
from earmark.catalog.plays import Play, PlayedTrack

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")

FIRST_PAINT_BYTES = 200_000
SNR = 10 ** (-10 / 20)  # of the microphone's noise to the music: -10 dB
MOMENT = """(wait) => new Promise((done) => setTimeout(() => requestAnimationFrame(() => done([
    performance.now() / 1000, Number(document.querySelector("[data-position]").dataset.position)])), wait))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory, clips):
    """Chromium; its microphone hears the recording "pulse" from its fifth second on, in noise, again and again."""
    samples, _ = soundfile.read(io.BytesIO(clips("pulse", 5, 25)))
    noise = np.random.default_rng(1).standard_normal(len(samples)) * np.sqrt(np.mean(samples**2)) * SNR
    path = tmp_path_factory.mktemp("microphone") / "heard.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes((np.clip(samples + noise, -1, 1) * 32_767).astype("<i2").tobytes())
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        arguments.append(f"--use-file-for-fake-audio-capture={path}")
        one = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield one
        one.close()


@pytest.fixture
def page(browser, service):
    """A new page of the service; nothing may be said on its console, no dialog may open."""
    context = browser.new_context(base_url=service.url, permissions=["microphone"], reduced_motion="reduce")
    said, page = [], context.new_page()
    page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append("a dialog"), dialog.dismiss()))
    page.set_default_timeout(30_000)
    yield page
    context.close()
    assert said == []


def play(title, start, end, **changes):
    """Return a play of a recording whose title, artist and station are the same text."""
    track = PlayedTrack(f"id of {title}", title, title, "", "", 200.0)
    made = Play(title, track, start, end, 0.0, 1.0, end - start, 0.5, 0.99, "accepted", "foreground", False)
    return replace(made, **changes)


@pytest.fixture(scope="module")
def aired(serve, tmp_path_factory):
    """A service with a play that is kept and one for review; both reach into whatever is today."""
    clips, now = tmp_path_factory.mktemp("clips"), time.time()
    with serve(keep_clips=clips) as one:
        first = one.service.catalog.plays.save(play("Tide", now - 60, now + 3_600))
        one.service.catalog.plays.save(play("Ebb", now - 90, now + 3_600, state="review", prominence="background"))
        (clips / "Tide").mkdir()
        tone = np.sin(np.arange(3 * 16_000, dtype=np.float32) / 5)
        write_opus(clips / "Tide" / f"20261129T000000Z-{first.number}.opus", tone)
        yield one


@pytest.fixture(scope="module")
def mix(tmp_path_factory, clips):
    path = tmp_path_factory.mktemp("mix") / "my mix.wav"
    sounds = [soundfile.read(io.BytesIO(clips(name, 3, 12)))[0] for name in ("pulse", "castle")]
    soundfile.write(path, np.concatenate(sounds), 48_000)
    return path


def test_listening_finds_the_recording_and_runs_in_step(page):
    page.goto("/")
    page.get_by_role("button", name="Listen", exact=True).press("Enter")
    found = page.get_by_role("article", name="Found")
    found.wait_for()
    assert "Pulse" in found.text_content()
    page.get_by_text("In step").wait_for()
    first, later = (page.evaluate(MOMENT, wait) for wait in (0, 2_000))
    assert later[1] - first[1] == pytest.approx(later[0] - first[0], abs=0.1)
    assert page.get_by_role("progressbar").get_attribute("aria-valuetext").endswith("of 0:30")
    page.get_by_role("button", name="Stop listening").click()
    assert "Pulse" in page.get_by_role("region", name="Heard here").text_content()
    page.reload()
    page.get_by_role("region", name="Heard here").wait_for()


def test_what_is_not_found_is_said_as_plainly(page):
    page.add_init_script("""navigator.mediaDevices.getUserMedia = async () =>
        new AudioContext().createMediaStreamDestination().stream""")
    page.goto("/")
    page.get_by_role("button", name="Listen", exact=True).click()
    page.get_by_text("2 s heard").wait_for()
    page.get_by_role("button", name="Stop listening").click()
    page.get_by_role("heading", name="Not found").wait_for()
    assert "silent" in page.locator(".answer").text_content()


def test_a_microphone_that_is_refused_is_said(page):
    page.add_init_script("""navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("", "NotAllowedError"); }""")
    page.goto("/")
    page.get_by_role("button", name="Listen", exact=True).click()
    assert "allow it" in page.get_by_role("alert").text_content()


def test_a_file_gives_its_tracklist_and_a_match_says_why(page, mix):
    page.goto("/#/file")
    page.locator("input[type=file]").set_input_files(mix)
    rows = page.locator(".tracklist .row")
    rows.first.wait_for()
    assert [re.sub(r"\s+", " ", row.strip()) for row in page.locator(".tracklist .words b").all_text_contents()] == [
        "Dj Rkod - Pulse (George Ellinas Remix)",
        "Castle",
    ]
    with page.expect_download() as csv:
        page.get_by_role("button", name="CSV").click()
    assert csv.value.path().read_text().count("\n") == 3
    with page.expect_download() as cue:
        page.get_by_role("button", name="Cue sheet").click()
    assert 'TITLE "Castle"' in cue.value.path().read_text()
    rows.nth(1).get_by_role("link").click()
    page.locator(".met").wait_for()
    met, every = map(int, page.locator(".met b").all_text_contents())
    assert met > 0.5 * every > 100


def test_the_catalog_is_searched_added_to_and_changed(browser, serve, clips, tmp_path):
    (tmp_path / "Forest walk.wav").write_bytes(clips("forest", 0, 10))
    with serve() as own:
        page = browser.new_page(base_url=own.url)
        page.goto("/#/catalog")
        page.get_by_role("searchbox").fill("cast")
        page.get_by_text("Angus").wait_for(state="detached")
        page.get_by_role("searchbox").fill("")
        page.get_by_text("Angus").first.wait_for()
        page.locator("input[type=file]").set_input_files(tmp_path / "Forest walk.wav")
        page.locator(".uploads .done").wait_for()
        page.get_by_role("button", name="Forest walk").click()
        page.get_by_label("Title").fill("Wood")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("dialog").wait_for(state="hidden")
        page.get_by_role("list", name="Recordings").get_by_role("button", name="Wood").click()
        page.get_by_role("button", name="Forget", exact=True).click()
        page.get_by_role("button", name="Forget it for good").click()
        page.get_by_role("dialog").wait_for(state="hidden")
        titles = [track["title"] for track in own.client.get("/v1/tracks").json()["tracks"]]
        assert "Wood" not in titles
        assert len(titles) == 4
        page.close()


def test_plays_are_shown_as_they_happen_heard_again_and_decided_on(browser, aired):
    page, plays = browser.new_page(base_url=aired.url, reduced_motion="reduce"), aired.service.catalog.plays
    page.goto("/#/plays")
    rows, dialog = page.get_by_role("list", name="Plays, the latest first"), page.get_by_role("dialog")
    rows.get_by_text("For review").wait_for()
    assert page.locator(".bar-of").count() == 2
    new = plays.save(play("Surf", time.time() - 5, time.time(), is_open=True))
    rows.get_by_text("On air").wait_for()
    plays.save(replace(new, is_open=False))
    rows.get_by_text("On air").wait_for(state="detached")
    rows.get_by_role("button", name="Tide").click()
    page.locator("dialog audio[src]").wait_for()
    page.wait_for_function("document.querySelector('dialog audio').duration > 2")
    assert page.evaluate("document.activeElement.textContent") == "Close"  # and not what rejects it
    dialog.get_by_role("button", name="Close").click()
    rows.get_by_role("button", name="Ebb").click()
    dialog.get_by_role("button", name="Accept").click()
    dialog.wait_for(state="hidden")
    rows.get_by_role("button", name="Surf").click()
    dialog.get_by_role("button", name="Reject").click()
    rows.get_by_text("Surf").first.wait_for(state="detached")
    assert [(one.track.title, one.state) for one in plays.find()] == [
        ("Ebb", "accepted"),
        ("Tide", "accepted"),
        ("Surf", "rejected"),
    ]
    with page.expect_download() as table:
        page.get_by_role("button", name="CSV").click()
    assert table.value.path().read_text().count("\n") == 3
    plays.remove(new.number)
    page.close()


def test_a_station_is_followed_and_stopped(browser, aired):
    page = browser.new_page(base_url=aired.url, reduced_motion="reduce")
    page.goto("/#/plays")
    page.get_by_role("button", name="Follow a station").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address of the stream").fill("http://127.0.0.1/live")
    dialog.get_by_label("Name").fill("Inside")
    dialog.get_by_role("button", name="Follow").click()
    page.get_by_role("list", name="Stations").get_by_text("no public address").wait_for()
    page.get_by_role("button", name="Inside").click()
    dialog.get_by_role("button", name="Stop").click()
    dialog.get_by_role("button", name="Stop following it").click()
    page.get_by_role("list", name="Stations").wait_for(state="detached")
    assert aired.client.get("/v1/monitors").json()["monitors"] == []
    page.close()


def test_markup_in_titles_stays_text(page):
    """Row S7."""
    track = {"album": "", "path": "", "seconds": 9, "complete": True, "added": 1, "tags": {}}
    tracks = [{"id": f"t{n}", "title": text, "artist": text, **track, "album": text} for n, text in enumerate(MARKUP)]
    page.route("**/v1/tracks?*", lambda route: route.fulfill(json={"tracks": tracks, "cursor": ""}))
    page.route("**/ranges", lambda route: route.fulfill(json={"ranges": []}))
    page.goto("/#/catalog")
    page.locator(".row").nth(len(MARKUP) - 1).wait_for()
    assert [text.strip() for text in page.locator(".row b").all_text_contents()] == MARKUP
    assert page.locator("main :is(script, img, iframe, style, details)").count() == 0
    assert page.locator("main a").count() == 0
    page.locator(".row button").first.click()
    assert page.get_by_label("Title").input_value() == MARKUP[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(browser, aired, mix, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(base_url=aired.url, color_scheme=scheme, reduced_motion="reduce")
    found = {}
    for view in ("listen", "plays", "form", "play", "catalog", "dialog", "file", "tracklist", "match"):
        if view in ("listen", "plays", "catalog", "file"):
            page.goto(f"/#/{view}")
        if view == "form":
            page.get_by_role("button", name="Follow a station").click()
        elif view == "play":
            page.keyboard.press("Escape")
            page.locator(".row button", has_text="Tide").first.click()
            page.locator("dialog audio[src]").wait_for()
        elif view in ("plays", "catalog"):
            page.locator(".row").first.wait_for()
        elif view == "dialog":
            page.locator(".row button").first.click()
        elif view == "tracklist":
            page.locator("input[type=file]").set_input_files(mix)
            page.locator(".tracklist").wait_for()
        elif view == "match":
            page.locator(".row a").first.click()
            page.locator(".met").wait_for()
        else:
            page.locator("h1").wait_for(state="attached")
        violations = Axe().run(page).response["violations"]
        found[view] = [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in violations]
    page.close()
    assert {view: wrong for view, wrong in found.items() if wrong} == {}
    assert len(found) == 9


@pytest.mark.parametrize("width", [360, 768, 1_440])
def test_nothing_is_wider_than_the_screen(browser, aired, width):
    page = browser.new_page(base_url=aired.url, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 740})
    for view in ("listen", "file", "catalog", "plays"):
        page.goto(f"/#/{view}")
        page.locator("main h1").wait_for(state="attached")
        if view == "plays":
            page.locator(".bar-of").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_the_first_paint_is_small_and_nothing_comes_from_elsewhere(page, service):
    sizes = {}
    page.on("requestfinished", lambda request: sizes.update({request.url: request.sizes()["responseBodySize"]}))
    page.goto("/")
    page.get_by_role("button", name="Listen", exact=True).wait_for()
    page.wait_for_load_state("networkidle")
    assert all(url.startswith(service.url) for url in sizes)
    assert 5_000 < sum(sizes.values()) < FIRST_PAINT_BYTES
