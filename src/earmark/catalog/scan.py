"""Which files an `add` means: every regular file under the paths it was given, each once, in a fixed order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from earmark.catalog.local.durable import is_catalog
from earmark.errors import OptionError
from earmark.regular import why_unopened

# Names beside music in folders that are passed over unread: pictures, texts, playlists, lyrics, checksums, archives,
# programs and what desktops drop. Whatever else a folder holds is tried.
_COMPANIONS = """.jpg .jpeg .png .gif .webp .avif .bmp .tif .tiff .heic .svg .ico .psd .xcf .cue .log .nfo .diz .txt .md
    .rst .rtf .pdf .epub .doc .docx .odt .ods .xls .xlsx .ppt .pptx .csv .tsv .htm .html .css .js .xml .xsl .json .yaml
    .yml .toml .cfg .conf .ini .m3u .m3u8 .pls .xspf .wpl .asx .b4s .fpl .lrc .srt .vtt .ass .ssa .sub .idx .sfv .md5
    .sha1 .sha256 .sha512 .ffp .st5 .accurip .par2 .asc .sig .db .sqlite .plist .url .lnk .webloc .desktop .torrent
    .part .crdownload .tmp .bak .zip .rar .7z .gz .bz2 .xz .tar .tgz .zst .iso .exe .dll .so .py .sh .bat .reapeaks .asd
    .onnx .npz .pt"""
COMPANIONS = frozenset(_COMPANIONS.split())
# Names by which people expect sound: a file in a folder that cannot be read is a failure with these, else no audio.
_SOUNDS = """.mp3 .mp2 .mp1 .mpa .m4a .m4b .m4p .m4r .mp4 .m4v .mov .qt .3gp .3g2 .aac .adts .latm .loas .flac .oga .ogg
    .ogv .ogx .opus .spx .wav .wave .rf64 .bwf .w64 .aif .aiff .aifc .caf .au .snd .voc .wv .tta .ape .mpc .mp+ .mpp
    .tak .ofr .shn .dsf .dff .wma .wmv .asf .avi .divx .mkv .mka .mks .webm .weba .ts .m2ts .mts .m2t .mpg .mpeg
    .mpe .vob .evo .flv .f4v .rm .ra .rmvb .nut .mxf .swf .ac3 .ec3 .eac3 .dts .dtshd .thd .mlp .amr .awb .gsm
    .sph .aud .8svx .iff .sbc .aptx .g722 .dv .wtv"""
SOUNDS = frozenset(_SOUNDS.split())


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found: files to try, and what cannot be tried with the reason."""

    files: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...] = ()  # (path, reason) of files that lie beside the music
    given: tuple[str, ...] = ()  # the paths that were asked for

    def expects_sound(self, path: str) -> bool:
        """Return whether a file was meant as one with sound: it was named itself, or has such a name."""
        return path in self.given or Path(path).suffix.lower() in SOUNDS


def scan(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    exclude: Sequence[str] = (),
    follow_links: bool = False,
) -> Scan:
    """Return the regular files that `paths` (files, or folders with all below them) stand for.

    Inside folders, links to files count, and links to folders with `follow_links`; a file that comes by twice counts
    once; hidden names, other catalogs, `COMPANIONS` and what matches one of the patterns `exclude` are passed over: a
    pattern without a slash is held against each name, one with a slash against the whole path. Playlists are not
    followed.
    """
    try:
        given = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    except TypeError as error:
        raise OptionError(f"{error}; give paths of files and folders") from error
    scanner = _Scanner([exclude] if isinstance(exclude, str) else exclude, follow_links=follow_links)
    decoded = tuple(map(os.fsdecode, given))
    for path in decoded:
        scanner.look(path)
    return Scan(tuple(scanner.files), tuple(scanner.failed), tuple(scanner.skipped), decoded)


class _Scanner:
    def __init__(self, exclude: Sequence[str], *, follow_links: bool) -> None:
        self._exclude, self._follow_links = exclude, follow_links
        self.files: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.skipped: list[tuple[str, str]] = []
        self._seen: dict[tuple[int, int], str] = {}  # (device, inode): the path by which it came first

    def look(self, path: str) -> None:
        """Note the file at `path`, or all files below the folder there."""
        waiting = [path]
        while waiting:
            path = waiting.pop()
            try:
                waiting.extend(reversed(self._look_at(path)))
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                reason = why_unopened(error, path)
                if isinstance(error, FileNotFoundError) and Path(path).is_symlink():
                    reason = "it is a link to a file that is not there"
                self.failed.append((path, f"unreadable: {reason}"))

    def _look_at(self, path: str) -> list[str]:
        """Note a file, or return what is to be looked at in a folder."""
        status = Path(path).stat()
        key = (status.st_dev, status.st_ino)
        if key in self._seen:
            if self._seen[key] != path:
                self.skipped.append((path, f"the same as {self._seen[key]}, by another link"))
            return []
        self._seen[key] = path
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                return [entry.path for entry in sorted(entries, key=lambda entry: entry.name) if self._is_meant(entry)]
        if stat.S_ISREG(status.st_mode):
            self.files.append(path)
        else:
            self.failed.append((path, "unsupported: it is no regular file, but a pipe, socket or device"))
        return []

    def _is_meant(self, entry: os.DirEntry[str]) -> bool:
        reason = self._reason_to_skip(entry)
        if reason:
            self.skipped.append((entry.path, reason))
        return reason is None

    def _reason_to_skip(self, entry: os.DirEntry[str]) -> str | None:
        """Return why an entry of a folder is passed over: '' where that is not worth a word, None where it is not."""
        if entry.name.startswith("."):
            return "hidden, by its name" if _is_worth_a_word(entry) else ""
        if any(fnmatch(entry.path if "/" in one else entry.name, one) for one in self._exclude):
            return "excluded"
        if Path(entry.path).is_dir():
            if entry.is_symlink() and not self._follow_links:
                return "a link to a folder, which --follow-links follows"
            return "a catalog of earmark" if is_catalog(Path(entry.path)) else None
        if entry.name.lower().endswith(".cue"):
            return "no audio, but a cue sheet: it names the parts of the file beside it"
        return "no audio, by its name" if Path(entry.name).suffix.lower() in COMPANIONS else None


def _is_worth_a_word(entry: os.DirEntry[str]) -> bool:
    """Return whether a hidden entry may hold sound; what desktops drop does not."""
    return not entry.name.startswith("._") and (entry.is_dir() or Path(entry.name).suffix.lower() in SOUNDS)
