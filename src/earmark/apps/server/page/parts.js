// Pieces that several views show.

import { html, nothing } from "./vendor/lit-html.js";
import { clock, hue, initials, percent, sureness, titleOf } from "./text.js";

export function tile(track, size = "") {
  return html`<span class="tile ${size}" .style=${`--hue:${hue(track)}`} aria-hidden="true">${initials(track)}</span>`;
}

export function words(track) {
  return html`<span class="words"><b>${titleOf(track)}</b>
    <span>${[track.artist, track.album].filter(Boolean).join(" · ") || nothing}</span></span>`;
}

export function confidence(value) {
  return html`<span class="sure" title="The probability that this is right: ${percent(value)}">
    <i></i>${sureness(value)} <small>${percent(value)}</small></span>`;
}

export function progress(position, total, name = "Position in the recording") {
  return html`<div class="progress" role="progressbar" aria-label=${name} aria-valuemin="0"
      aria-valuemax=${Math.round(total)} aria-valuenow=${Math.round(position)} aria-valuetext=${`${clock(position)} of ${clock(total)}`}>
    <div class="track"><div class="filled" .style=${`transform:${filled(position, total)}`}></div></div>
    <div class="times"><span>${clock(position)}</span><span>${clock(total)}</span></div></div>`;
}

// Move the bar of a progress that is shown, without drawing it anew.
export function move(shown, position, total) {
  const bar = shown?.querySelector(".filled");
  if (bar) bar.style.transform = filled(position, total);
}

const filled = (position, total) => `scaleX(${Math.min(1, position / (total || 1))})`;

const SAID = {
  unreadable: "This is no audio or video that can be read.",
  unsupported: "This kind of sound cannot be read.",
  no_audio: "There is no sound in it.",
  too_large: "It is larger than this service takes.",
  too_long: "It is longer than this service takes.",
  too_short: "It is too short.",
  low_information: "There is too little music in it to tell recordings apart.",
  busy: "The service is busy; try again in a moment.",
  locked: "Another program is writing to the catalog; try again in a moment.",
};

export function problem(error) {
  if (!error) return nothing;
  const detail = error.message || String(error), said = SAID[error.code];
  return html`<div class="problem" role="alert"><p>${said || detail}</p>${said ? html`<small>${detail}</small>` : nothing}</div>`;
}

export function say(text) {
  document.getElementById("said").textContent = text;
}

export async function copy(text) {
  await navigator.clipboard.writeText(text);
  say("Copied");
}

export function save(name, text, kind) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
