// A file: what it is, or for a long one all that it holds, on a timeline.

import { html, nothing, render } from "./vendor/lit-html.js";
import { upload } from "./api.js";
import { confidence, copy, problem, save, say, tile, words } from "./parts.js";
import { clock, count, hue, titleOf } from "./text.js";
import { asCsv, asCue, asText } from "./tracklist.js";

const REASONS = {
  silent: "It is silent.",
  too_short: "It is too short to tell.",
  low_information: "There is too little music in it to tell recordings apart.",
  unknown: "Nothing in it is in a recording of this catalog.",
};
const SLIGHT = 0.002; // a difference of speed that is not worth a word

export class FileView {
  constructor(about, shared) {
    this.about = about;
    this.shared = shared; // what was asked last: it is there again after another view
  }

  mount(place) {
    this.place = place;
    this.draw();
  }

  unmount() {}

  choose = (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) this.ask(file);
  };

  drop = (event) => {
    event.preventDefault();
    this.over = false;
    const [file] = event.dataTransfer.files;
    if (file) this.ask(file);
    else this.draw();
  };

  async ask(file) {
    this.abort?.abort();
    this.abort = new AbortController();
    Object.assign(this.shared, { file, answer: null, error: null, sent: 0 });
    this.draw();
    try {
      this.shared.answer = await upload("/v1/identify?several=true&limit=10000", file, (sent) => {
        this.shared.sent = sent;
        this.draw();
      }, this.abort.signal);
      const { matches } = this.shared.answer;
      say(matches.length ? `${count(matches.length, "recording")} found, the first is ${titleOf(matches[0].track)}` : "Not found");
    } catch (error) {
      if (error.name !== "AbortError") this.shared.error = error;
      else this.shared.file = null;
    }
    this.draw();
  }

  draw() {
    if (!this.place?.isConnected) return;
    const { file, answer, error, sent } = this.shared, busy = file && !answer && !error;
    render(html`<h1>What is in a file?</h1>
      <label class="drop ${this.over ? "over" : ""} ${answer ? "small" : ""}"
          @dragover=${(event) => { event.preventDefault(); if (!this.over) { this.over = true; this.draw(); } }}
          @dragleave=${() => { this.over = false; this.draw(); }} @drop=${this.drop}>
        <input class="unseen" type="file" @change=${this.choose}>
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 15V4M8 8l4-4 4 4M4 14v5h16v-5"/></svg>
        <span><b>Drop a recording here</b> or choose one</span>
        <small>A clip, a mix, an hour of radio; audio or video, up to three hours. It goes to your own service and nowhere else.</small>
      </label>
      ${busy ? html`<section class="card waiting" aria-live="polite"><div class="head"><b>${file.name}</b>
          <button class="quiet" @click=${() => this.abort.abort()}>Cancel</button></div>
        <progress max="1" value=${sent < 1 ? sent : nothing} aria-label="Sending"></progress>
        <p class="faint">${sent < 1 ? `Sending, ${Math.round(100 * sent)} %` : "Listening to it"}</p></section>` : nothing}
      ${problem(error)}
      ${answer ? this.result(answer) : nothing}`, this.place);
  }

  result(answer) {
    const { matches, query } = answer, name = this.shared.file.name;
    if (!matches.length) {
      return html`<div class="answer"><h2>Not found</h2><p>${REASONS[answer.reason] || REASONS.unknown}</p>
        <p class="faint">${name}, ${clock(query.seconds)}</p></div>`;
    }
    return html`<section class="tracklist" aria-labelledby="list">
      <div class="head"><div><h2 id="list">${name}</h2>
          <p class="faint">${count(matches.length, "recording")} in ${clock(query.seconds)}</p></div>
        <div class="tools">
          <button @click=${() => copy(asText(answer))}>Copy</button>
          <button @click=${() => save(`${stem(name)}.csv`, asCsv(answer, name), "text/csv")}>CSV</button>
          <button @click=${() => save(`${stem(name)}.cue`, asCue(answer, name), "application/x-cue")}>Cue sheet</button></div></div>
      ${timeline(answer)}
      <ol class="rows">${matches.map((match, n) => html`<li class="row" id=${`match-${n}`}>
        <a class="cover" href=${`#/match/${n}`}>
        <span class="when">${clock(match.query_start)}<small>${clock(match.query_end)}</small></span>
        ${tile(match.track)}${words(match.track)}
        <span class="facts">${confidence(match.confidence)}${speed(match)}</span></a></li>`)}</ol></section>`;
  }
}

function timeline({ matches, query }) {
  const share = (seconds) => `${(100 * Math.max(0, seconds)) / query.seconds}%`;
  return html`<div class="timeline" role="list" aria-label="Where each recording is">
    ${matches.map((match, n) => html`<span role="listitem" .style=${`--hue:${hue(match.track)};left:${share(match.query_start)};width:${share(match.query_end - match.query_start)}`}
      title=${`${titleOf(match.track)}, ${clock(match.query_start)} to ${clock(match.query_end)}`}
      @pointerenter=${() => light(n, true)} @pointerleave=${() => light(n, false)}>
      <span>${titleOf(match.track)}</span></span>`)}
    </div><div class="scale" aria-hidden="true">${marks(query.seconds).map((at) => html`<span .style=${`left:${share(at)}`}>${clock(at)}</span>`)}</div>`;
}

function light(n, on) {
  document.getElementById(`match-${n}`)?.classList.toggle("lit", on);
}

function marks(seconds) {
  const steps = [5, 10, 30, 60, 300, 600, 1800, 3600];
  const step = steps.find((one) => seconds / one <= 6) || 7200;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, n) => n * step);
}

function speed(match) {
  if (match.speed === null || Math.abs(match.speed - 1) < SLIGHT) return nothing;
  return html`<small>${match.speed > 1 ? "+" : "−"}${Math.abs(100 * (match.speed - 1)).toFixed(1)} % speed</small>`;
}

const stem = (name) => name.replace(/\.[^.]*$/, "") || "tracklist";
