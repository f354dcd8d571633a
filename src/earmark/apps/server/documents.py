"""The shapes of what the service takes and gives, for its description in OpenAPI; apps/records.py makes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="what programs tell problems by")
    instance: str = Field(description="number of the request, which the service's log has too")


class Named(BaseModel):
    """A track, by what tells it apart."""

    id: str
    title: str
    artist: str
    album: str
    path: str


class Chapter(BaseModel):
    """A named part of a recording."""

    start: float
    title: str
    artist: str


class Track(Named):
    """All that is known of a track."""

    seconds: float
    complete: bool
    added: int = Field(description="nanoseconds since 1970, UTC")
    tags: dict[str, str]
    chapters: list[Chapter]


class TrackPage(BaseModel):
    """Some tracks."""

    tracks: list[Track]
    cursor: str = Field(description="of the next page; empty after the last one")


class Match(BaseModel):
    """A place of a track that the clip comes from."""

    track: Named
    chapter: Chapter | None
    confidence: float
    query_start: float
    query_end: float
    reference_start: float
    reference_end: float
    position_error: float
    speed: float | None
    pitch: float | None
    copies: list[Named]
    evidence: dict[str, float]


class Query(BaseModel):
    """What was asked."""

    source: str
    seconds: float
    complete: bool


class Answer(BaseModel):
    """What the catalog says of a clip: the object that `earmark identify --json` prints."""

    query: Query
    matches: list[Match]
    reason: str
    threshold: float
    calibrated: bool
    expected_false_rate: float | None = Field(
        description="how probable it is, at most, that an unknown clip of this length is given a name at this threshold"
    )
    elapsed: float


class TimeRange(BaseModel):
    """A part of a track and what belongs to it."""

    start: float = Field(ge=0, description="seconds of the track")
    end: float = Field(ge=0)
    payload: Any


class TimeRanges(BaseModel):
    """The time ranges of a track."""

    ranges: list[TimeRange]


class Change(BaseModel):
    """What is to be said of a track from now on; what is left out stays."""

    title: str | None = Field(None, max_length=1_024)
    artist: str | None = Field(None, max_length=1_024)
    album: str | None = Field(None, max_length=1_024)
    tags: dict[str, str] | None = None


class Play(BaseModel):
    """One airing of one recording on one station."""

    play: int = Field(description="its number")
    station: str
    track: Named
    track_seconds: float
    start: str = Field(description="UTC, as 2026-11-29T12:00:03.250Z")
    end: str = Field(description="UTC; so far, as long as it is open")
    local_start: str
    local_end: str
    seconds: float
    source_start: float
    reference_start: float
    reference_end: float
    share: float = Field(description="of the recording that was heard")
    prominence: str = Field(description="foreground, background, or unknown")
    confidence: float
    state: str = Field(description="accepted, review, or rejected")
    open: bool = Field(description="whether it goes on")
    copies: list[str] = Field(description="ids of other tracks that sound the same")
    stream_title: str = Field(description="what the stream itself said was playing")
    evidence: dict[str, float]
    clip: bool = Field(description="whether its sound is kept")


class PlayPage(BaseModel):
    """Some plays, in order of their start."""

    plays: list[Play]
    cursor: str = Field(description="of the next page; empty after the last one")


class Decision(BaseModel):
    """What somebody says of a play."""

    state: Literal["accepted", "rejected"]


class Monitor(BaseModel):
    """A station that is followed, and how it does."""

    name: str
    source: str = Field(description="its URL, without a password")
    zone: str
    state: str = Field(description="connecting, listening, waiting (for a new connection), ended")
    reason: str = Field(description="of the last gap, or of the end")
    title: str = Field(description="what the stream says is playing")
    level: float = Field(description="decibels re full scale")
    seconds: float = Field(description="of sound that arrived")
    dropped_seconds: float
    drift_seconds: float
    gaps: int


class Monitors(BaseModel):
    """The stations that are followed."""

    monitors: list[Monitor]
    stations: list[str] = Field(description="names of all stations that have plays")


class NewMonitor(BaseModel):
    """A station to follow."""

    source: str = Field(max_length=2_048, description="URL of a stream: HTTP, ICY, HLS, or a playlist of one")
    name: str = Field("", max_length=200, description="default: host and path of the URL")
    zone: str = Field("", max_length=64, description="time zone, as Europe/Berlin; default: that of the service")


class TriedMonitor(BaseModel):
    """What the stream of a station gave in a few seconds."""

    works: bool = Field(description="sound arrived")
    reason: str = Field(description="why none did, or why it broke off")
    seconds: float = Field(description="of sound that arrived")
    level: float = Field(description="decibels re full scale")
    title: str = Field(description="what the stream says is playing")
    format: str = Field(description="as the server says, such as MP3; '' where it does not")
    bitrate: str = Field(description="kbit/s, as the server says; '' where it does not")
    name: str = Field(description="of the station, as the server says; '' where it does not")
    matches: list[Match] = Field(description="the recording of the catalog that was heard, if one was")


class Peaks(BaseModel):
    """Peaks of a spectrogram, in order of time."""

    seconds: list[float]
    hertz: list[float]


class State(BaseModel):
    """Whether the service lives, or is ready."""

    state: str


class About(BaseModel):
    """What the page needs to know."""

    name: str
    version: str
    tracks: int
    seconds: float
    scopes: list[str] = Field(description="what this caller may do")
    read_only: bool
    can_listen: bool = Field(description="whether browsers give a microphone to a page from here")


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return how OpenAPI describes a body that is a document."""
    shape = model.model_json_schema()
    inner = shape.pop("$defs", {})
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(shape, inner)}}}}


def _inlined(shape: Any, inner: dict[str, Any]) -> Any:
    """Return a schema with the schemas that it refers to in their places."""
    if isinstance(shape, dict):
        name = str(shape.get("$ref", "")).rpartition("/")[2]
        return inner[name] if name else {key: _inlined(value, inner) for key, value in shape.items()}
    return [_inlined(value, inner) for value in shape] if isinstance(shape, list) else shape
