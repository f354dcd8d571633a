"""What adding would do, by names, sizes and times alone: nothing is read, made or changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.catalog.local.durable import is_catalog
from earmark.catalog.scan import scan
from earmark.catalog.tracks import Listing
from earmark.types import Track


@dataclass(frozen=True, slots=True)
class AddPreview:
    """Paths by what adding them would do."""

    new: tuple[str, ...]  # files that would be read; some may hold what another file holds
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]  # (path, reason)
    failed: tuple[tuple[str, str], ...]
    missing: tuple[Track, ...]  # tracks of the given folders whose files are gone


def preview(
    catalog: str | os.PathLike[str], paths: Sequence[str], *, exclude: Sequence[str] = (), follow_links: bool = False
) -> AddPreview:
    """Return what adding `paths` to a catalog would do, whether or not the catalog is there."""
    found = scan(paths, exclude=exclude, follow_links=follow_links)
    if not is_catalog(Path(catalog)):
        return AddPreview(found.files, (), (), found.skipped, found.failed, ())
    with Listing(catalog) as known:
        kinds: dict[str, list[str]] = {"new": [], "changed": [], "unchanged": []}
        for path in found.files:
            kinds[known.state_of(path)].append(path)
        missing = {track.id: track for path in found.given for track in known.missing(path)}
    new, changed, unchanged = map(tuple, kinds.values())
    return AddPreview(new, changed, unchanged, found.skipped, found.failed, tuple(missing.values()))
