"""`WS /v1/listen`: sound comes in, events go out, both as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from socket import SHUT_WR
from typing import Any, Literal

import msgspec
import numpy as np
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from earmark.apps.listen import ListenEvent, Listening
from earmark.apps.records import match_record, track_record
from earmark.apps.server.addresses import check_parameters
from earmark.apps.server.callers import PROTOCOL, Caller
from earmark.apps.server.cues import Cues
from earmark.apps.server.problems import Problem, problem_of
from earmark.apps.server.requests import caller_of, service_of
from earmark.apps.server.service import Service
from earmark.apps.server.settings import IDENTIFY
from earmark.errors import EarmarkError
from earmark.extract.live import SentSound
from earmark.schema import prepared
from earmark.streams.items import Sound
from earmark.streams.timestamps import Timestamps
from earmark.types import Samples

FASTEST = 1.5  # seconds of sound in a second of the clock
AHEAD_SECONDS = 10.0  # seconds of sound that may come at once besides, as after a bad connection
SENDING_SECONDS = 10.0  # seconds in which a client has to take an event
SILENT_SECONDS = 60.0  # seconds without a byte after which nobody is there
CLOCK_STEP_SECONDS, CLOCK_STEPS = 0.5, 10  # five seconds, the quickest piece of which tells when sound was recorded
RETRY_SECONDS = 0.25  # seconds after which to ask again for a place in line
REFUSED, FAILED, GONE, ENDED = 1008, 1011, 1001, 1000  # codes of a close (RFC 6455)
FORMATS: dict[str, np.dtype[Any]] = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}

router = APIRouter()


class Asked(msgspec.Struct, frozen=True):
    """The query of the address: what kind of sound comes."""

    format: Literal["webm", "s16", "f32"] = "webm"  # a container as MediaRecorder writes it; or samples
    rate: int = 48_000  # Hz of samples
    channels: int = 1  # of samples, interleaved


@router.get("/v1/listen", include_in_schema=False)
async def refuse_plain_http() -> None:
    """Say what is wrong where a proxy passes on no upgrade."""
    detail = "this is a WebSocket; connect with ws:// or wss://, and let a proxy pass on Upgrade and Connection"
    raise Problem(426, "no_websocket", detail, headers={"Upgrade": "websocket"})


@router.websocket("/v1/listen")
async def listen(socket: WebSocket) -> None:
    """Follow a stream until it ends."""
    service, caller = service_of(socket), caller_of(socket, IDENTIFY)
    check_parameters(socket, Asked.__struct_fields__)
    try:
        asked = msgspec.convert(dict(socket.query_params), prepared(Asked), strict=False)
    except msgspec.ValidationError as error:
        raise Problem(422, "invalid", str(error)) from error
    if not (4_000 <= asked.rate <= 384_000 and 1 <= asked.channels <= 8):
        raise Problem(422, "invalid", "rate is 4,000 to 384,000 Hz, and channels 1 to 8")
    with service.listeners.take(caller.name):
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
        conversation = await service.call(Conversation, socket, service, caller, asked)  # the first waits for the index
        await conversation.run()


class Conversation:
    """One stream and what is said of it."""

    def __init__(self, socket: WebSocket, service: Service, caller: Caller, asked: Asked) -> None:
        self._socket, self._service, self._caller, self._asked = socket, service, caller, asked
        self._rate = asked.rate if asked.format in FORMATS else service.extractor.fingerprinter.rate
        self._listening = Listening(service.catalog, rate=self._rate)
        self._clock, self._cues = Timestamps(step_seconds=CLOCK_STEP_SECONDS, steps=CLOCK_STEPS), Cues()
        self._changed, self._sending = asyncio.Event(), asyncio.Lock()
        self._began = time.monotonic()

    async def run(self) -> None:
        """Take sound and send events until it ends; what goes wrong is the last event."""
        code, cues = ENDED, asyncio.ensure_future(self._send_cues())
        try:
            await self._hear()
        except WebSocketDisconnect:
            return
        except (Problem, EarmarkError) as error:
            problem = problem_of(error)
            code = REFUSED if problem.status < 500 else FAILED
            request_id = self._socket.scope["state"]["request_id"]
            with contextlib.suppress(WebSocketDisconnect, TimeoutError, RuntimeError):
                await self._send({"type": "ended", "problem": problem.document(request_id)})
        except TimeoutError:
            code = GONE
        finally:
            cues.cancel()
            self._service.figures.listened.inc(time.monotonic() - self._began)
        with contextlib.suppress(RuntimeError):
            await self._socket.close(code)

    async def _hear(self) -> None:
        sound = self._samples() if self._asked.format in FORMATS else self._decoded()
        await self._send({"type": "listening", "at": 0.0, "clock": time.monotonic()})
        async with contextlib.aclosing(sound):
            async for block in sound:
                seconds, now = self._listening.seconds + len(block) / self._rate, time.monotonic()
                self._check_pace(seconds)
                self._clock.note(seconds, now)
                for event in await self._taken(block, now):
                    await self._tell(event)
        await self._tell_the_end()

    async def _taken(self, block: Samples, now: float) -> list[ListenEvent]:
        """Listen to samples; a look takes a worker, for which it waits in line."""
        sound = Sound(block, now)
        if not self._listening.is_due(len(block)):
            return list(self._listening.take(sound))
        while True:
            try:
                async with self._service.line.place(self._caller.name):
                    return await self._service.call(lambda: list(self._listening.take(sound)))
            except Problem:  # the line is full
                await asyncio.sleep(RETRY_SECONDS)

    async def _tell(self, event: ListenEvent) -> None:
        """Send what is new; while nothing changes, a client knows the place by itself."""
        if event.kind == "playing":
            return
        if event.kind == "found" and event.match is not None:
            ranges = await self._service.call(self._service.catalog.ranges, event.match.track.id)
            await self._send_all(self._cues.load(ranges))
        elif event.kind == "lost":
            await self._send_all(self._cues.load(()))
        await self._send({**message_of(event), "clock": self._clock.utc_at(event.seconds)})
        self._changed.set()

    async def _tell_the_end(self) -> None:
        answer = await self._service.call(self._listening.finish)
        await self._send_all(self._cues.load(()))
        matches = [match_record(match) for match in sorted(answer.matches, key=lambda one: -one.confidence)]
        await self._send({"type": "ended", "at": self._listening.seconds, "matches": matches, "reason": answer.reason})

    async def _send_cues(self) -> None:
        """Send what belongs to the place that is heard, when it is heard."""
        while True:
            self._changed.clear()
            playing, wait = self._listening.playing, None
            if playing is not None:
                now = time.monotonic()
                at = self._clock.second_at(now)
                position, track = playing.position_at(at), playing.match.track
                where = {"at": at, "clock": now, "position": position, "speed": playing.speed, "id": track.id}
                await self._send_all([{**event, **where} for event in self._cues.at(position)])
                wait = self._cues.wait(position, playing.speed)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait)

    def _check_pace(self, seconds: float) -> None:
        if seconds > self._service.settings.limits.listening_seconds:
            raise Problem(422, "too_long", "a stream may not be longer; begin another")
        if seconds > AHEAD_SECONDS + FASTEST * (time.monotonic() - self._began):
            raise Problem(429, "too_fast", "sound comes faster than it is played; send a file to /v1/identify")

    async def _received(self) -> bytes | None:
        """Return the next bytes, None when the client says that there are no more."""
        message = await asyncio.wait_for(self._socket.receive(), SILENT_SECONDS)
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", GONE))
        if (data := message.get("bytes")) is not None:
            return bytes(data)
        try:
            kind = json.loads(message["text"])["type"]
        except (ValueError, LookupError, TypeError, RecursionError):
            kind = None
        if kind != "end":
            raise Problem(422, "message", 'a text that means nothing here; send sound, or {"type": "end"}')
        return None

    async def _samples(self) -> AsyncGenerator[Samples, None]:
        form, channels, rest = FORMATS[self._asked.format], self._asked.channels, b""
        frame = form.itemsize * channels
        while (data := await self._received()) is not None:
            data = rest + data
            whole = len(data) // frame * frame
            rest = data[whole:]
            samples = np.frombuffer(data[:whole], form).reshape(-1, channels).astype(np.float32)
            if form.kind == "i":
                samples /= 32_768
            if len(samples):
                yield np.clip(np.nan_to_num(samples), -1, 1)

    async def _decoded(self) -> AsyncGenerator[Samples, None]:
        sound = self._service.live.open(rate=self._rate)
        if sound is None:
            raise Problem(503, "busy", "all decoders are taken; try again later")
        sound.socket.setblocking(False)
        pump = asyncio.ensure_future(self._pump(sound))
        try:
            while (block := await self._service.call(sound.next_block)) is not None:
                yield block
            if pump.done() and (error := pump.exception()):
                raise error
        finally:
            pump.cancel()
            await asyncio.wait({pump})
            await self._service.call(sound.close)

    async def _pump(self, sound: SentSound) -> None:
        """Hand on what comes to the child that decodes it."""
        loop = asyncio.get_running_loop()
        try:
            while (data := await self._received()) is not None:
                await loop.sock_sendall(sound.socket, data)
        except (BrokenPipeError, ConnectionResetError):
            return  # the child has ended, and says why
        finally:
            with contextlib.suppress(OSError):
                sound.socket.shutdown(SHUT_WR)  # no more comes

    async def _send_all(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            await self._send(event)

    async def _send(self, event: dict[str, Any]) -> None:
        async with self._sending:
            await asyncio.wait_for(self._socket.send_text(json.dumps(event)), SENDING_SECONDS)


def message_of(event: ListenEvent) -> dict[str, Any]:
    """Return a look's event as it is sent."""
    if event.match is None:
        return {"type": event.kind, "at": event.seconds}
    track = event.match.track
    where = {"at": event.seconds, "position": event.position, "speed": event.speed, "id": track.id}
    if event.kind == "lost":
        return {"type": "lost", **where}
    kind, about = ("found", {"track": track_record(track)}) if event.kind == "found" else ("moved", {})
    return {"type": kind, **where, "confidence": event.match.confidence, "locked": event.is_locked, **about}
