"""`WS /v1/listen`: sound comes in, events go out, both as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Any, Literal

import msgspec
import numpy as np
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from earmark.apps.records import match_record
from earmark.apps.server.callers import PROTOCOL, Caller
from earmark.apps.server.cues import Cues
from earmark.apps.server.follow import Follower, StreamClock
from earmark.apps.server.problems import Problem, problem_of
from earmark.apps.server.requests import caller_of, service_of
from earmark.apps.server.service import Service
from earmark.apps.server.settings import IDENTIFY
from earmark.catalog.listen import Listener
from earmark.errors import EarmarkError
from earmark.extract.relay import RATE, SAMPLE, LiveSound
from earmark.types import Samples

FASTEST = 1.5  # seconds of sound in a second of the clock
AHEAD_SECONDS = 10.0  # seconds of sound that may come at once besides, as after a bad connection
SENDING_SECONDS = 10.0  # seconds in which a client has to take an event
SILENT_SECONDS = 60.0  # seconds without a byte after which nobody is there
RETRY_SECONDS = 0.25  # seconds after which to ask again for a place in line
TOO_FAST, GONE, ENDED = 1008, 1001, 1000  # codes of a close (RFC 6455)
FORMATS: dict[str, np.dtype[Any]] = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}

router = APIRouter()


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of the address: what kind of sound comes."""

    format: Literal["webm", "s16", "f32"] = "webm"  # a container as MediaRecorder writes it; or samples
    rate: int = 48_000  # Hz of samples
    channels: int = 1  # of samples, interleaved


@router.websocket("/v1/listen")
async def listen(socket: WebSocket) -> None:
    """Follow a stream until it ends."""
    service, caller = service_of(socket), caller_of(socket, IDENTIFY)
    try:
        asked = msgspec.convert(dict(socket.query_params), Asked, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(422, "invalid", str(error)) from error
    if not (4_000 <= asked.rate <= 384_000 and 1 <= asked.channels <= 8):
        raise Problem(422, "invalid", "rate is 4,000 to 384,000 Hz, and channels 1 to 8")
    async with service.listener(caller.name):
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
        await Conversation(socket, service, caller, asked).run()


class Conversation:
    """One stream and what is said of it."""

    def __init__(self, socket: WebSocket, service: Service, caller: Caller, asked: Asked) -> None:
        self._socket, self._service, self._caller, self._asked = socket, service, caller, asked
        self._clock, self._follower, self._cues = StreamClock(), Follower(), Cues()
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
            code = TOO_FAST if problem.status < 500 else 1011
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
        asked = self._asked
        sound = self._samples() if asked.format in FORMATS else self._decoded()
        rate = asked.rate if asked.format in FORMATS else RATE
        listener = self._service.catalog.listen(rate=rate)
        await self._send({"type": "listening", "at": 0.0, "clock": time.monotonic()})
        async with contextlib.aclosing(sound):
            async for block in sound:
                seconds = listener.seconds + len(block) / rate
                self._check_pace(seconds)
                self._clock.note(seconds, time.monotonic())
                if await self._push(listener, block, rate):
                    await self._tell(self._follower.look(listener.answer, listener.seconds))
        await self._tell_the_end(listener)

    async def _push(self, listener: Listener, block: Samples, rate: int) -> bool:
        """Give the listener sound, and return whether it looked; a look takes a worker, for which it waits in line."""
        if not listener.is_due(len(block) / rate):
            await self._service.call(listener.push, block)
            return False
        while True:
            try:
                async with self._service.line.place(self._caller.name):
                    await self._service.call(listener.push, block)
                    return True
            except Problem:  # the line is full
                await asyncio.sleep(RETRY_SECONDS)

    async def _tell(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            if event["type"] == "found":
                ranges = await self._service.call(self._service.catalog.ranges, event["track"]["id"])
                await self._send_all(self._cues.load(ranges))
            elif event["type"] == "lost":
                await self._send_all(self._cues.load(()))
            await self._send({**event, "clock": self._clock.moment(event["at"])})
        if events:
            self._changed.set()

    async def _tell_the_end(self, listener: Listener) -> None:
        answer = await self._service.call(listener.finish)
        await self._send_all(self._cues.load(()))
        matches = [match_record(match) for match in answer.matches]
        await self._send({"type": "ended", "at": answer.seconds, "matches": matches, "reason": answer.reason})

    async def _send_cues(self) -> None:
        """Send what belongs to the place that is heard, when it is heard."""
        while True:
            self._changed.clear()
            playing, wait = self._follower.playing, None
            if playing is not None:
                now = time.monotonic()
                at = self._clock.seconds(now)
                position = playing.position_at(at)
                where = {"at": at, "clock": now, "position": position, "speed": playing.speed, "id": playing.track.id}
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
        sound = await self._service.call(self._service.live.open)
        if sound is None:
            raise Problem(503, "busy", "all decoders are taken; try again later")
        sound.socket.setblocking(False)
        pump = asyncio.ensure_future(self._pump(sound))
        loop, rest = asyncio.get_running_loop(), b""
        try:
            while data := await loop.sock_recv(sound.socket, 1 << 16):
                data = rest + data
                whole = len(data) // SAMPLE.itemsize * SAMPLE.itemsize
                rest = data[whole:]
                if whole:
                    yield np.frombuffer(data[:whole], SAMPLE)
            if pump.done() and (error := pump.exception()):
                raise error
            if problem := await self._service.call(lambda: sound.problem):
                raise problem
        finally:
            pump.cancel()
            await asyncio.wait({pump})
            await self._service.call(sound.close)

    async def _pump(self, sound: LiveSound) -> None:
        """Hand on what comes to the child that decodes it."""
        loop = asyncio.get_running_loop()
        try:
            while (data := await self._received()) is not None:
                await loop.sock_sendall(sound.socket, data)
        except (BrokenPipeError, ConnectionResetError):
            return  # the child has ended, and says why
        finally:
            with contextlib.suppress(OSError):
                sound.socket.shutdown(1)  # socket.SHUT_WR: no more comes

    async def _send_all(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            await self._send(event)

    async def _send(self, event: dict[str, Any]) -> None:
        async with self._sending:
            await asyncio.wait_for(self._socket.send_text(json.dumps(event)), SENDING_SECONDS)
