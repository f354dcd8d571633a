"""Events of plays, sent to a URL: kept in the catalog until they are taken, signed, and sent again with longer waits.

A message is signed over its time and body, as in `Earmark-Signature: t=1700000000,v1=HEX`, HEX the HMAC-SHA256 (RFC
2104) of "1700000000." + body under the shared secret. `Earmark-Delivery` is the same at each attempt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from threading import Event, Thread

from earmark.apps.monitor.events import MonitorEvent
from earmark.apps.monitor.records import event_record
from earmark.catalog.plays import Delivery, PlayStore
from earmark.errors import EarmarkError
from earmark.streams.addresses import AddressRule
from earmark.streams.http import request
from earmark.types import Samples

KINDS = ("first_heard", "confirmed", "closed", "withdrawn")  # kinds of events that are sent
FIRST_SECONDS, LONGEST_SECONDS = 2.0, 3_600.0  # seconds of waits between attempts, each twice the one before
MOST_ATTEMPTS = 40  # attempts, which take more than a day; then a message is given up
IDLE_SECONDS = 1.0  # seconds from one look for messages to the next


class Webhook:
    """Queues and sends events; a `Recorder` of the monitor."""

    def __init__(
        self,
        store: PlayStore,
        url: str,
        *,
        secret: str = "",
        rule: AddressRule | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`rule`: which addresses the URL may name (default: public ones)."""
        self._store, self._url, self._secret = store, url, secret.encode()
        self._rule, self._clock = rule or AddressRule(), clock
        self._stopped = Event()
        self._sender = Thread(target=self._send_all, name="earmark-webhook", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._sender.start()

    def close(self) -> None:
        """Try once more what is due, and stop; what was not taken is sent by the next run."""
        self._stopped.set()
        if self._sender.is_alive():
            self._sender.join()

    def hear(self, station: str, samples: Samples, start: float) -> None:
        """Sound is not sent."""

    def end(self, station: str) -> None:
        """Nothing is left of a station that is not queued."""

    def note(self, event: MonitorEvent) -> None:
        """Queue an event."""
        if event.kind in KINDS:
            self._store.queue(self._url, json.dumps(event_record(event)).encode())

    def send_due(self) -> int:
        """Send what is due, and return how many messages were taken."""
        taken = 0
        for delivery in self._store.deliveries(self._clock()):
            if delivery.target != self._url:
                continue
            if self._is_taken(delivery) or delivery.attempts + 1 >= MOST_ATTEMPTS:
                self._store.delivered(delivery.number)
                taken += 1
            else:
                wait = min(FIRST_SECONDS * 2**delivery.attempts, LONGEST_SECONDS)
                self._store.postpone(delivery.number, self._clock() + wait)
        return taken

    def _is_taken(self, delivery: Delivery) -> bool:
        now = int(self._clock())
        headers = {"Content-Type": "application/json", "Earmark-Delivery": str(delivery.number)}
        if self._secret:
            headers["Earmark-Signature"] = f"t={now},v1={signature(self._secret, now, delivery.body)}"
        try:
            with request(delivery.target, self._rule, method="POST", headers=headers, body=delivery.body, redirects=0):
                return True
        except EarmarkError:
            return False

    def _send_all(self) -> None:
        while not self._stopped.wait(IDLE_SECONDS):
            self.send_due()
        self.send_due()


def signature(secret: bytes, moment: int, body: bytes) -> str:
    """Return the signature of a message, in hexadecimal digits."""
    return hmac.new(secret, b"%d." % moment + body, hashlib.sha256).hexdigest()
