"""Small pieces of real music, and a catalog of some."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import earmark

RATE = 16_000


def samples_of(path):
    """Return the whole of a file as mono float32 at `RATE`."""
    resampler = av.AudioResampler("flt", "mono", RATE)
    with av.open(str(path)) as container:
        parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return np.concatenate(parts)


@pytest.fixture(scope="session")
def pieces(music, tmp_path_factory):
    """Six pieces of 12 s, each of another excerpt, as wav files of 16 kHz."""
    folder = tmp_path_factory.mktemp("pieces")
    paths = []
    for path in music[:6]:
        paths.append(folder / f"{path.stem}.wav")
        soundfile.write(paths[-1], samples_of(path)[5 * RATE : 17 * RATE], RATE, subtype="PCM_16")
    return paths


@pytest.fixture(scope="session")
def known(pieces, tmp_path_factory):
    """A closed catalog of the first four pieces, not to be changed."""
    folder = tmp_path_factory.mktemp("known") / "music.earmark"
    with earmark.open(folder) as catalog:
        assert len(catalog.add(pieces[:4]).added) == 4
    return folder


@pytest.fixture
def catalog_folder(known, tmp_path):
    """A catalog of the first four pieces of one's own, closed."""
    return Path(shutil.copytree(known, tmp_path / "own.earmark"))


@pytest.fixture(scope="session")
def landmarks(pieces, tmp_path_factory):
    """A closed catalog of landmarks of the first two pieces, not to be changed."""
    folder = tmp_path_factory.mktemp("landmarks") / "music.earmark"
    with earmark.open(folder, fingerprinter="shazam") as catalog:
        catalog.add(pieces[:2], workers=1)
    return folder


@pytest.fixture
def folder(landmarks, tmp_path):
    """A catalog of landmarks of the first two pieces of one's own, closed."""
    return Path(shutil.copytree(landmarks, tmp_path / "own.earmark"))


@pytest.fixture
def clip():
    """A function that cuts 5 s from a piece, from 3 s on, as float32."""

    def cut(path, start=3.0, seconds=5.0):
        samples, rate = soundfile.read(path, dtype="float32")
        return samples[int(start * rate) : int((start + seconds) * rate)], rate

    return cut


@pytest.fixture
def noisy(clip):
    """A function that cuts 5 s from a piece and adds noise at 10 dB."""

    def cut(path):
        samples, rate = clip(path)
        noise = np.random.default_rng(1).standard_normal(len(samples)).astype(np.float32)
        return samples + noise * samples.std() * 10 ** (-10 / 20), rate

    return cut
