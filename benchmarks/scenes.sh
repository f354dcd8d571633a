#!/bin/bash
# Every kind of scene, asked of a catalog that exists: pieces of its own files, talk made by espeak-ng.
#
#   benchmarks/scenes.sh CATALOG OUT [MUSIC] [option of `earmark evaluate` ...]
#
# MUSIC: pieces are cut from the catalog's files below this folder only. OUT keeps the speech and the runs, which go on
# where they were. Needs espeak-ng (apt-get install espeak-ng). For example, with recordings of noise and unknown music:
#
#   benchmarks/scenes.sh base.earmark OUT DATA/train/music --noise DATA/train/noise --unknown-music DATA/dev/negatives
set -euo pipefail
catalog=$1 out=$2
shift 2
mkdir -p "$out"
python "$(dirname "$0")/speech.py" "$out/speech"
earmark evaluate --scenes --catalog "$catalog" --speech "$out/speech" --out "$out" "$@"
