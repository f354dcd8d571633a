"""Room responses computed from walls: the image method (Allen and Berkley, JASA 65, 1979), by pyroomacoustics.

The size of a room is drawn for its reverberation time, because large rooms are not dry. Absorption is Eyring's for the
wanted time, then corrected by measurement, as the two differ by 20 % and more; the measured time (T20) is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark.distort.rooms import aligned_response, reverberation_seconds
from earmark.errors import OptionError
from earmark.types import Samples

if TYPE_CHECKING:
    from types import ModuleType

SOUND_METRES_PER_SECOND = 343.0
SMALLEST_METRES = (2.2, 1.8, 2.2)  # metres: a bathroom
LARGEST_METRES = (9.0, 7.0, 3.6)  # metres
FROM_WALLS_METRES = 0.4  # metres between a wall and loudspeaker or microphone, at least
NEAREST_METRES = 0.5  # metres between loudspeaker and microphone, at least
LARGEST_ROOM_SECONDS = 0.5  # reverberation time from which on a room may have any size
MOST_ORDER = 60  # reflections in a row, at most; the number of images grows with its cube
CORRECTIONS = 6  # attempts to reach the wanted time
CLOSE_ENOUGH = 0.03  # relative error of the reverberation time


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """The response of a room between two places."""

    response: Samples  # (n,), direct sound first, of unit energy
    rate: int  # Hz
    t60_seconds: float  # measured on the response
    size_metres: tuple[float, float, float]
    distance_metres: float  # between loudspeaker and microphone


def synthesise_rooms(
    count: int, *, rate: int, seed: int, t60_seconds: tuple[float, float] = (0.1, 0.8)
) -> Iterator[Room]:
    """Yield `count` rooms with reverberation times drawn evenly from a range; room k depends on `seed` and k alone.

    Raises OptionError when pyroomacoustics is not installed.
    """
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        yield synthesise_room(float(generator.uniform(*t60_seconds)), rate=rate, generator=generator)


def synthesise_room(t60_seconds: float, *, rate: int, generator: np.random.Generator) -> Room:
    """Return a random box-shaped room with a reverberation time, loudspeaker and microphone at random places."""
    acoustics = _pyroomacoustics()
    smallest, largest = np.array(SMALLEST_METRES), np.array(LARGEST_METRES)
    size = generator.uniform(smallest, smallest + (largest - smallest) * min(t60_seconds / LARGEST_ROOM_SECONDS, 1.0))
    source, microphone = _places(size, generator)
    asked = t60_seconds
    best: tuple[float, Samples] | None = None
    for _ in range(CORRECTIONS):
        response = _response(acoustics, size, source, microphone, asked, rate)
        measured = reverberation_seconds(response, rate=rate)
        if best is None or abs(measured - t60_seconds) < abs(best[0] - t60_seconds):
            best = measured, response
        if abs(measured - t60_seconds) <= CLOSE_ENOUGH * t60_seconds:
            break
        asked *= t60_seconds / measured
    assert best is not None  # there is a first attempt
    width, depth, height = (float(side) for side in size)
    distance = float(np.linalg.norm(source - microphone))
    return Room(best[1], rate, best[0], (width, depth, height), distance)


def save_rooms(path: Path, rooms: Sequence[Room]) -> None:
    """Write rooms of one rate to a file (.npz)."""
    rates = {room.rate for room in rooms}
    if len(rates) != 1:
        raise OptionError(f"rooms of {len(rates)} rates; give rooms of one")
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            responses=np.concatenate([room.response for room in rooms]),
            lengths=np.array([len(room.response) for room in rooms]),
            rate=np.array(rates.pop()),
            t60_seconds=np.array([room.t60_seconds for room in rooms]),
            size_metres=np.array([room.size_metres for room in rooms]),
            distance_metres=np.array([room.distance_metres for room in rooms]),
        )


def load_rooms(path: Path) -> tuple[Room, ...]:
    """Return the rooms that `save_rooms` wrote."""
    with np.load(path, allow_pickle=False) as data:
        responses = np.split(data["responses"], np.cumsum(data["lengths"])[:-1])
        columns = zip(responses, data["t60_seconds"], data["size_metres"], data["distance_metres"], strict=True)
        rate = int(data["rate"])
        return tuple(
            Room(response, rate, float(t60), (float(size[0]), float(size[1]), float(size[2])), float(distance))
            for response, t60, size, distance in columns
        )


def _pyroomacoustics() -> ModuleType:
    try:
        import pyroomacoustics
    except ImportError as error:
        raise OptionError("pyroomacoustics is not installed; pip install 'earmark[rooms]'") from error
    return pyroomacoustics  # type: ignore[no-any-return]


def _places(
    size: NDArray[np.float64], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    while True:
        source, microphone = generator.uniform(FROM_WALLS_METRES, size - FROM_WALLS_METRES, (2, 3))
        if np.linalg.norm(source - microphone) >= NEAREST_METRES:
            return source, microphone


def _response(
    acoustics: ModuleType,
    size: NDArray[np.float64],
    source: NDArray[np.float64],
    microphone: NDArray[np.float64],
    t60_seconds: float,
    rate: int,
) -> Samples:
    volume = float(np.prod(size))
    surface = 2 * float(size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    exponent = 24 * np.log(10) * volume / (SOUND_METRES_PER_SECOND * surface * t60_seconds)  # Eyring 1930
    absorption = float(1 - np.exp(-exponent))
    order = min(int(np.ceil(SOUND_METRES_PER_SECOND * t60_seconds / size.min())), MOST_ORDER)
    room = acoustics.ShoeBox(size, fs=rate, materials=acoustics.Material(absorption), max_order=order)
    room.add_source(source)
    room.add_microphone(microphone)
    room.compute_rir()
    return aligned_response(np.asarray(room.rir[0][0]))
