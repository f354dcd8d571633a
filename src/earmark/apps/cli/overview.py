"""The commands by name, and the page that lists them; it needs no parser, which keeps `earmark --help` fast."""

from __future__ import annotations

from textwrap import wrap

COMMANDS = {  # name: what it does in a line; the module of that name (a space is a _) holds its options and its work
    "index": "add files and folders of music to the catalog",
    "identify": "say which known recording a clip comes from, and where in it",
    "listen": 'say what plays in the room, by the microphone (needs the extra "mic")',
    "monitor": "follow radio streams, files and microphones, and log what they play",
    "plays": "list what was heard on monitored stations, or make a report of it",
    "rescan": "look up tracks that were added lately in what monitored stations played before",
    "compare": "say which parts two files share, and where",
    "duplicates": "say which tracks of the catalog hold the same recording, or parts of one",
    "repeats": "say what recurs in and across files, as opening music and jingles do",
    "serve": 'answer over HTTP, with a page to listen with (needs the extra "server")',
    "serve keys": "make, list or forget the API keys of a service",
    "list": "list the tracks of the catalog",
    "show": "show all that is known of a track",
    "update": "change the title, artist, album or other tags of a track",
    "remove": "forget tracks",
    "prune": "forget tracks whose files are gone",
    "export": "write a copy of the catalog, whoever uses it meanwhile",
    "merge": "add the tracks of another catalog, without their audio",
    "info": "show figures about the catalog",
    "verify": "read everything again and check it against its checksums",
    "rebuild": "make the index again from the stored fingerprints",
    "plot": "draw a spectrogram with its peaks, or a match with its diagonal",
    "demo": "index the bundled music and identify noisy clips of it",
    "evaluate": "measure how many distorted clips are identified, and how far to trust the confidence",
    "evaluate indexes": "measure the kinds of index against each other, on the vectors of a catalog",
    "calibrate": "fit the confidence of a catalog on clips whose truth is known",
    "train": 'learn a fingerprint from recordings of your own (needs the extra "train")',
    "doctor": "check this installation and the catalog",
    "completion": "print a script that lets a shell complete commands and options",
}

DESCRIPTION = "Matches audio clips against a catalog of recordings: which recording, where in it, and how sure."
MORE = "`earmark COMMAND --help` shows a command's options; `earmark --version` prints the version."
STATUSES = {
    0: "done; for identify and compare: found",
    1: "nothing found; for the rest: done but for some inputs, which are listed",
    2: "wrong usage",
    3: "an input cannot be read",
    4: "the catalog cannot be used: absent, locked, newer, damaged",
    74: "the output cannot be written",
    130: "interrupted; what was done is kept",
}


def overview(width: int) -> str:
    """Return the page that `earmark --help` prints, in lines of at most so many characters."""
    commands = [line for name, summary in COMMANDS.items() for line in _entry(f"  {name:18}", summary, width)]
    statuses = [line for status, meaning in STATUSES.items() for line in _entry(f"  {status:<5}", meaning, width)]
    lines = ["usage: earmark COMMAND [OPTION...]", "", *wrap(DESCRIPTION, width), "", "commands:", *commands, ""]
    lines += [*wrap(MORE, width), ""]
    return "\n".join([*lines, "exit status:", *statuses, ""])


def _entry(name: str, text: str, width: int) -> list[str]:
    return wrap(text, width, initial_indent=name, subsequent_indent=" " * len(name))
