"""Data sets to index, to learn from and to measure with: `python -m earmark.datasets --help` fetches them.

manifest (items, splits, CSV), folder (any folder), debian and fma (sources), rooms (room responses, extra "rooms"),
probe (what a file is, by decoding it in a child process), download (HTTP with checksums).
"""
