// A tracklist as other programs read it.

import { clock, titleOf } from "./text.js";

const COLUMNS = ["file", "start", "end", "artist", "title", "album", "track_start", "track_end", "speed", "confidence", "id"];
const FRAMES = 75; // of a second in a cue sheet
const MOST = 99; // tracks that a cue sheet can number

export function asText({ matches }) {
  return matches.map((one) => `${clock(one.query_start)}  ${[one.track.artist, titleOf(one.track)].filter(Boolean).join(" – ")}`).join("\n");
}

export function asCsv({ matches }, name) {
  const rows = matches.map((one) => [name, one.query_start.toFixed(3), one.query_end.toFixed(3), one.track.artist, titleOf(one.track),
    one.track.album, one.reference_start.toFixed(3), one.reference_end.toFixed(3), one.speed?.toFixed(5) ?? "", one.confidence.toFixed(6), one.track.id]);
  return [COLUMNS, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

export function asCue({ matches }, name) {
  const lines = [`FILE ${quoted(name)} ${{ mp3: "MP3", aif: "AIFF", aiff: "AIFF" }[name.split(".").pop().toLowerCase()] || "WAVE"}`];
  [...matches].sort((a, b) => a.query_start - b.query_start).slice(0, MOST).forEach((one, n) => {
    const frames = Math.round(one.query_start * FRAMES);
    const time = [Math.floor(frames / FRAMES / 60), Math.floor(frames / FRAMES) % 60, frames % FRAMES];
    lines.push(`  TRACK ${two(n + 1)} AUDIO`, `    TITLE ${quoted(titleOf(one.track))}`);
    if (one.track.artist) lines.push(`    PERFORMER ${quoted(one.track.artist)}`);
    lines.push(`    INDEX 01 ${time.map(two).join(":")}`);
  });
  return lines.join("\n") + "\n";
}

const two = (number) => String(number).padStart(2, "0");
const quoted = (text) => `"${text.replace(/\s+/g, " ").replaceAll('"', "'")}"`;

// A spreadsheet would run what begins like a formula, and titles come from strangers.
function cell(value) {
  const text = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
