"""What is done with events and sound besides keeping plays: webhooks, clips, and sound that is looked up again."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.streams.servers import Server, body

import earmark
from earmark.apps.monitor.clips import Clips
from earmark.apps.monitor.kept import KeptSound, rescan
from earmark.apps.monitor.ledger import Thresholds
from earmark.apps.monitor.webhook import MOST_ATTEMPTS, Webhook
from earmark.audio.decode import load
from earmark.streams.addresses import AddressRule

NOON = 1_700_000_000.0
HERE = AddressRule(allows_private=True)
SECRET = "not a secret"


def follow(catalog: earmark.Catalog, show: Path, *recorders: object, name: str = "show", start: float = NOON) -> None:
    with earmark.Monitor(catalog, [earmark.Station(name, show, start=start)], recorders=recorders) as monitor:  # type: ignore[arg-type]
        list(monitor.events())


class Time:
    """A clock that is set."""

    now = NOON

    def __call__(self) -> float:
        return self.now


def test_a_webhook_gets_every_event_of_a_play_signed(catalog: earmark.Catalog, show: Path, server: Server) -> None:
    server.answers["/plays"] = body(b"", status=204)
    clock = Time()
    webhook = Webhook(catalog.plays, f"{server.url}/plays", secret=SECRET, rule=HERE, clock=clock)
    follow(catalog, show, webhook)
    assert webhook.send_due() == 4
    assert [json.loads(content)["event"] for _, content in server.posted] == [
        "first_heard", "first_heard", "closed", "closed",
    ]  # fmt: skip
    for headers, content in server.posted:
        moment, _, given = headers["Earmark-Signature"].removeprefix("t=").partition(",v1=")
        wanted = hmac.new(SECRET.encode(), moment.encode() + b"." + content, hashlib.sha256).hexdigest()
        assert (int(moment), given) == (NOON, wanted)
    assert len({headers["Earmark-Delivery"] for headers, _ in server.posted}) == 4
    assert webhook.send_due() == 0


def test_what_is_not_taken_is_sent_again_later_and_later_by_another_run_too(
    catalog: earmark.Catalog, server: Server
) -> None:
    server.answers["/plays"] = body(b"", status=503)
    clock = Time()
    catalog.plays.queue(f"{server.url}/plays", b"{}")
    waits, before = list[float](), NOON
    for _ in range(5):
        Webhook(catalog.plays, f"{server.url}/plays", rule=HERE, clock=clock).send_due()
        while not catalog.plays.deliveries(clock.now):
            clock.now += 1.0
        waits.append(clock.now - before)
        before = clock.now
    assert waits == [2, 4, 8, 16, 32]
    server.answers["/plays"] = body(b"")
    assert Webhook(catalog.plays, f"{server.url}/plays", rule=HERE, clock=clock).send_due() == 1
    assert len({headers["Earmark-Delivery"] for headers, _ in server.posted}) == 1


def test_a_message_that_nobody_ever_takes_is_given_up(catalog: earmark.Catalog, server: Server) -> None:
    clock = Time()
    catalog.plays.queue("http://127.0.0.1:1/", b"{}")
    webhook = Webhook(catalog.plays, "http://127.0.0.1:1/", rule=HERE, clock=clock)
    for _ in range(MOST_ATTEMPTS):
        webhook.send_due()
        clock.now += 3_600
    assert catalog.plays.deliveries(clock.now) == []


def test_a_webhook_into_this_network_is_refused_by_default(catalog: earmark.Catalog, server: Server) -> None:
    catalog.plays.queue(f"{server.url}/plays", b"{}")
    assert Webhook(catalog.plays, f"{server.url}/plays").send_due() == 0
    assert server.posted == []


def test_a_clip_of_each_play_is_kept_and_is_that_play(catalog: earmark.Catalog, show: Path, tmp_path: Path) -> None:
    follow(catalog, show, Clips(tmp_path / "clips", most=10), name="Radio / One")
    paths = sorted((tmp_path / "clips" / "Radio_One").iterdir())
    assert [path.name for path in paths] == ["20231114T221320Z-1.opus", "20231114T221350Z-2.opus"]
    for path, play in zip(paths, catalog.plays.find(), strict=True):
        best = catalog.identify(path).best
        assert best is not None
        assert best.track.id == play.track.id
        assert best.reference_start == pytest.approx(play.reference_start, abs=0.2)
        assert load(path, rate=16_000)[1].seconds == pytest.approx(15, abs=0.1)


def test_the_oldest_clips_go_where_there_are_too_many(catalog: earmark.Catalog, show: Path, tmp_path: Path) -> None:
    (tmp_path / "clips" / "show").mkdir(parents=True)
    (tmp_path / "clips" / "show" / "mine.opus").write_bytes(b"")
    follow(catalog, show, Clips(tmp_path / "clips", most=1))
    names = sorted(path.name for path in (tmp_path / "clips" / "show").iterdir())
    assert names == ["20231114T221350Z-2.opus", "mine.opus"]


def test_a_track_that_is_added_later_is_found_in_what_was_heard(folder: Path, show: Path, music: list[Path]) -> None:
    thresholds = Thresholds(0.9, 0.9)
    with earmark.open(folder, read_only=True) as catalog:
        begun = time.time()  # after the catalog's tracks were added
        follow(catalog, show, KeptSound(catalog, hours=1), start=begun)
        assert [heard.seconds for heard in catalog.plays.heard()] == pytest.approx([50], abs=0.1)
        assert list(rescan(catalog, thresholds)) == []
    with earmark.open(folder) as catalog:
        catalog.add(music[10])
        events = list(rescan(catalog, thresholds))
        assert [event.kind for event in events] == ["first_heard", "closed"]
        found = [play for play in catalog.plays.find() if Path(play.track.path) == music[10]]
        assert [(play.start - begun, play.end - begun) for play in found] == [pytest.approx((20, 30), abs=0.3)]
        assert [event.kind for event in rescan(catalog, thresholds)] == ["known"]
        assert len(list(catalog.plays.find())) == 3


def test_heard_sound_is_kept_for_some_hours_and_in_pieces_that_overlap(catalog: earmark.Catalog) -> None:
    kept = KeptSound(catalog, hours=0.04)
    draw = np.random.default_rng(1)
    for number in range(60):
        kept.hear("one", draw.standard_normal(80_000).astype(np.float32) * 0.1, NOON + 5.0 * number)
    kept.end("one")
    pieces = [(heard.start - NOON, heard.start - NOON + heard.seconds) for heard in catalog.plays.heard()]
    assert pieces[-1][1] == pytest.approx(300)
    assert all(later[0] == pytest.approx(earlier[1] - 5) for earlier, later in pairwise(pieces))
    assert pieces[0][1] >= 300 - 0.04 * 3_600
    assert sum(len(heard.packed) for heard in catalog.plays.heard()) < 2_500_000 / 3_600 * 300
