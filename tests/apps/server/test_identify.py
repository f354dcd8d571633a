"""`POST /v1/identify`."""

from __future__ import annotations

import io
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from tests.apps.server.conftest import children_of, is_running, problem_of, wait_for

import earmark
from earmark.apps.server.questions import FINGERPRINT
from earmark.sandbox.process import processor_seconds

AT_WORK_SECONDS = 0.01  # of processor time, which an idle child does not take


def test_a_clip_is_found_raw_in_a_form_and_by_its_fingerprint(service, clips):
    clip = clips("pulse", 5, 5)
    raw = service.client.post("/v1/identify", content=clip)
    form = service.client.post("/v1/identify", files={"file": ("a clip.wav", clip)}, data={"note": "x"})
    packed = earmark.packed_fingerprint(clip)
    print_ = service.client.post("/v1/identify", content=packed, headers={"Content-Type": FINGERPRINT})
    for response, source in ((raw, f"{len(clip)} bytes"), (form, "a clip.wav"), (print_, "fingerprint")):
        answer = response.json()
        assert response.status_code == 200
        assert answer["query"] == {"source": source, "seconds": pytest.approx(5.0, abs=0.05), "complete": True}
        assert "Pulse" in answer["matches"][0]["track"]["title"]
        assert answer["matches"][0]["reference_start"] == pytest.approx(5.0, abs=0.05)


def test_what_is_not_known_is_not_found_and_silence_is_called_so(service, clips):
    unknown = service.client.post("/v1/identify", content=clips("forest")).json()
    assert (unknown["matches"], unknown["reason"]) == ([], "unknown")
    for samples, reason in ((np.zeros(48_000), "silent"), (np.full(4_800, 0.1), "too_short")):
        file = io.BytesIO()
        soundfile.write(file, samples, 48_000, format="WAV")
        answer = service.client.post("/v1/identify", content=file.getvalue()).json()
        assert (answer["matches"], answer["reason"]) == ([], reason)


def test_a_mix_is_told_apart(service, clips):
    sounds = [soundfile.read(io.BytesIO(clips(name, 3, 12)))[0] for name in ("pulse", "castle")]
    file = io.BytesIO()
    soundfile.write(file, np.concatenate(sounds), 48_000, format="WAV")
    answer = service.client.post("/v1/identify?several=true", content=file.getvalue()).json()
    assert [match["track"]["title"].split(" ")[-1] for match in answer["matches"]] == ["Remix)", "Castle"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"no sound at all" * 99, 422, "unreadable"), (b"", 422, "no_content"), (b"\x00" * 5_000, 422, "unreadable")],
)
def test_what_is_no_sound_is_refused_with_the_reason(service, body, status, code):
    response = service.client.post("/v1/identify", content=body)
    assert (response.status_code, problem_of(response)) == (status, code)


def test_a_fingerprint_of_another_kind_or_of_noise_is_refused(service, clips):
    for packed, code in (
        (earmark.packed_fingerprint(clips("pulse"), fingerprinter="shazam"), "invalid"),
        (earmark.packed_fingerprint(clips("pulse"), peaks=False), "other_fingerprint"),
        (b"nonsense" * 50, "invalid"),
        (b"", "invalid"),
    ):
        response = service.client.post("/v1/identify", content=packed, headers={"Content-Type": FINGERPRINT})
        assert (response.status_code, problem_of(response)) == (422, code)


def test_options_that_make_no_sense_are_named(service):
    response = service.client.post("/v1/identify?limit=0&threshold=2", content=b"x")
    assert problem_of(response) == "invalid"
    assert "limit" in response.json()["detail"]
    assert "threshold" in response.json()["detail"]


def test_a_bomb_is_refused_when_it_is_longer_than_questions_may_be(serve, clips):
    """Row S3: a few kB that hold hours."""
    from earmark.apps.server.settings import Limits

    file = io.BytesIO()
    soundfile.write(file, np.zeros(16_000 * 600), 16_000, format="FLAC")
    assert len(file.getvalue()) < 50_000
    with serve(Limits(clip_seconds=60.0)) as short:
        assert problem_of(short.client.post("/v1/identify", content=file.getvalue())) == "too_long"
        assert short.client.post("/v1/identify", content=clips("pulse")).json()["matches"]


def test_a_decoder_that_dies_fails_its_question_alone(service, clips):
    """Row S16."""
    clip = clips("pulse", 0, 30)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            before = decoders(service)
            asked = pool.submit(service.client.post, "/v1/identify", content=clip)
            os.kill(wait_for(lambda before=before: busy_decoder(service, before)), signal.SIGKILL)
            response = asked.result()
            assert (response.status_code, problem_of(response)) == (500, "decoder_crashed")
            assert response.json()["instance"].endswith(response.headers["x-request-id"])
    assert service.client.post("/v1/identify", content=clips("pulse")).json()["matches"]


def test_the_decoder_of_a_client_that_went_away_is_ended(service, clips):
    """Row S15."""
    clip = clips("pulse", 0, 30)
    head = f"POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(clip)}\r\n\r\n"
    for _ in range(5):
        before = decoders(service)
        with socket.create_connection(("127.0.0.1", service.port)) as one:
            one.sendall(head.encode() + clip)
            child = wait_for(lambda before=before: busy_decoder(service, before))
        wait_for(lambda child=child: not is_running(child), seconds=2.0)
    wait_for(lambda: service.service.line.at_work == 0)
    assert service.service.budget.used == 0
    assert service.client.post("/v1/identify", content=clips("pulse")).json()["matches"]


def decoders(service):
    """Return the processor time of each child of a worker, by its number."""
    numbers = [number for worker in service.service.workers.processes for number in children_of(worker)]
    return {number: processor_seconds(number) for number in numbers}


def busy_decoder(service, before):
    """Return the number of a child that is at work on what was asked since `before`, or is only starting."""
    for number, used in decoders(service).items():
        if used > before.get(number, 0.0) + AT_WORK_SECONDS:
            return number
    return None
