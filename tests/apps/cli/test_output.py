"""What is printed while a command works."""

from __future__ import annotations

import sys

from earmark.apps.cli.output import Output, ProgressLine


def test_progress_is_written_when_a_stage_begins_and_ends(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    line = ProgressLine(Output())
    for done in (1, 2, 3):
        line.update(f"{done} of 3", done, 3)
    line.update("adding", 0, 1, stage="adding")
    assert capsys.readouterr().err == "1 of 3 \r3 of 3 \nadding \r"


def test_in_a_pipe_there_is_no_progress(capsys):
    ProgressLine(Output()).update("1 of 3", 1, 3)
    assert capsys.readouterr().err == ""
