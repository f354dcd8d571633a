"""Losses that pull a segment and its distorted copy together and others apart."""
