"""One module a command, imported when that command runs: `configure` adds its options, `run` does its work."""
