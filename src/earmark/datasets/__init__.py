"""Recordings to index, to learn from and to measure with, and where they come from.

    recordings  what a data set holds: recordings, split by group, their duplicates; manifests
    probing     what a file is, found by decoding it in a child process
    debian      freely licensed music, noise and speech from Debian's packages, which anyone can fetch
    fma         the Free Music Archive's data set, in its real layout
    folder      any folder of one's own
    rooms       room responses, computed from the rooms' walls (extra "rooms")
    downloading large files with checksums, resumed where they broke off

`python -m earmark.datasets --help` fetches them.
"""
