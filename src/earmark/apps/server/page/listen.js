// Listening: one button, what is heard, and where in it.

import { html, nothing, render, svg } from "./vendor/lit-html.js";
import { get, listenSocket, Problem } from "./api.js";
import { forget, heard, remember } from "./history.js";
import { Microphone } from "./microphone.js";
import { confidence, move, problem, progress, say, tile, words } from "./parts.js";
import { Ring } from "./spectrum.js";
import { ago, clock, titleOf } from "./text.js";

const PATIENCE = 15; // seconds of sound after which it is said that nothing was found
const REASONS = {
  silent: "It was silent: is the microphone on?",
  too_short: "That was too short to tell.",
  low_information: "There was too little music in it to tell recordings apart.",
  unknown: "What was heard is in no recording of this catalog.",
};

const EAR = svg`<path d="M9.500 13a6.500 6.500 0 1 1 13 0c0 4.600-4.600 5.200-4.600 9.300a3.700 3.700 0 0 1-6.900 1.900"/><path d="M13.200 13.400a2.800 2.800 0 1 1 5.600 0c0 1.900-1.900 2.400-1.900 4.300"/>`;
const STOP = svg`<rect x="10.500" y="10.500" width="11" height="11" rx="2"/>`;

export class ListenView {
  constructor(about) {
    this.about = about;
    this.state = "idle"; // idle, asking, listening, ending, found, missed
    this.cues = [];
  }

  mount(place) {
    this.place = place;
    this.draw();
    this.ring = new Ring(place.querySelector("canvas"));
    this.ring.paint();
  }

  unmount() {
    this.stop();
  }

  toggle = () => (this.microphone || this.state === "asking" ? this.stop() : this.start());

  async start() {
    Object.assign(this, { state: "asking", error: null, event: null, track: null, cues: [], heard: 0, reason: "" });
    this.draw();
    try {
      if (!navigator.mediaDevices) throw new Error(this.withoutMicrophone);
      const opened = await Microphone.open((piece) => this.send(piece), (rate) => this.connect(rate));
      if (this.state !== "asking") return opened.close();
      this.microphone = opened;
      if (!this.socket || this.socket.readyState > WebSocket.OPEN) this.connect(opened.rate); // the browser was long in asking
      this.state = "listening";
      this.ring.start(opened);
      say("Listening");
    } catch (error) {
      this.fail(error.name === "NotAllowedError" ? new Error("The browser gave no microphone: allow it for this page, then try again.")
        : error.name === "NotFoundError" ? new Error("No microphone is connected.") : error);
    }
    this.draw();
  }

  connect(rate) {
    this.waiting = [];
    const socket = (this.socket = listenSocket({ format: "s16", rate }));
    socket.onopen = () => this.flush();
    socket.onmessage = ({ data }) => { if (socket === this.socket) this.take(JSON.parse(data)); };
    socket.onclose = () => { if (socket === this.socket) this.closed(); };
  }

  // Chromium warns of a connection that is closed before it is there.
  hangUp() {
    const socket = this.socket;
    this.socket = null;
    if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket?.close();
  }

  get withoutMicrophone() {
    return "Browsers give a microphone only to pages that come by HTTPS or from this computer itself. " +
      "Start the service with --tls self-signed, or open it as http://localhost.";
  }

  send(piece) {
    if (this.socket?.readyState === WebSocket.OPEN) this.flush(), this.socket.send(piece);
    else if (this.socket?.readyState === WebSocket.CONNECTING) this.waiting.push(piece);
  }

  flush() {
    for (const piece of this.waiting) this.socket.send(piece);
    this.waiting = [];
  }

  take(event) {
    if (event.type === "listening") {
      this.heard = event.at;
      if (event.at >= PATIENCE && this.state === "listening") return this.end();
    } else if (event.type === "found") {
      this.event = event;
      this.track = event.track;
      this.state = "found";
      remember(event.track, event.position);
      say(`Found: ${titleOf(event.track)}, ${event.track.artist}, at ${clock(event.position)}`);
      this.run();
    } else if (event.type === "moved") {
      this.event = { ...this.event, ...event };
    } else if (event.type === "lost") {
      this.event = null;
      this.state = this.microphone ? "listening" : "idle";
      this.cues = [];
      say("The recording is not heard any more");
    } else if (event.type === "enter") {
      this.cues = [...this.cues, event.range];
      say(typeof event.range.payload === "string" ? event.range.payload : event.range.payload.text || "");
    } else if (event.type === "exit") {
      this.cues = this.cues.filter((one) => one.start !== event.range.start || one.end !== event.range.end);
    } else if (event.type === "ended") {
      this.ended(event);
    }
    this.draw();
  }

  // The service knows at which second of the stream which second of the recording was heard; the page knows when the
  // stream began on its own clock. So nothing is guessed about the network between them.
  get position() {
    const now = (performance.now() - (this.microphone?.began ?? performance.now())) / 1000;
    const at = this.microphone ? now : this.event.at;
    return Math.min(Math.max(this.event.position + this.event.speed * (at - this.event.at), 0), this.track.seconds);
  }

  // The bar moves with every picture; all else changes once a second.
  run() {
    cancelAnimationFrame(this.frame);
    let drawn = -1;
    const step = () => {
      if (!this.event || !this.microphone) return;
      this.frame = requestAnimationFrame(step);
      const position = this.position, second = Math.floor(position);
      this.place.dataset.position = position.toFixed(3);
      if (second !== drawn) { drawn = second; this.draw(); }
      move(this.place.querySelector(".found .progress"), position, this.track.seconds);
    };
    step();
  }

  end() {
    this.release();
    if (this.state === "listening") this.state = "ending"; // the service looks at all of it once more
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send('{"type":"end"}');
    else this.closed();
  }

  stop() {
    if (this.state === "asking") { this.state = "idle"; this.hangUp(); }
    if (this.microphone) this.end();
    this.draw();
  }

  release() {
    if (this.event && this.microphone) this.event = { ...this.event, position: this.position, speed: 0 };
    this.microphone?.close();
    this.microphone = null;
    this.cues = [];
    this.ring?.stop();
  }

  ended(event) {
    const was = this.state;
    this.release();
    if (event.problem) return this.fail(new Problem(event.problem, event.problem.status));
    if (was === "found") return;
    if (event.matches.length) {
      const [match] = event.matches;
      this.state = "found";
      this.event = { position: match.reference_end, at: 0, speed: 0, confidence: match.confidence };
      this.track = { ...match.track, seconds: 0 };
      remember(match.track, match.reference_end);
      get(`/v1/tracks/${encodeURIComponent(match.track.id)}`).then((track) => { this.track = track; this.draw(); }, () => {});
    } else {
      this.state = "missed";
      this.reason = event.reason;
      say(`Not found. ${REASONS[event.reason] || ""}`);
    }
  }

  closed() {
    if (!this.microphone && this.state !== "ending") return;
    this.fail(new Error("The service closed the connection; try again."));
    this.draw();
  }

  fail(error) {
    if (!this.microphone) this.hangUp();
    this.release();
    this.state = "idle";
    this.error = error;
    this.draw();
  }

  draw() {
    if (!this.place) return;
    const on = Boolean(this.microphone), history = heard();
    render(html`
      <section class="stage ${this.state} ${on ? "on" : ""}">
        <h1 class="unseen">Listen</h1>
        <div class="ear">
          <canvas aria-hidden="true"></canvas>
          <button class="listen" @click=${this.toggle} aria-pressed=${on} aria-label=${on ? "Stop listening" : "Listen"}>
            <svg viewBox="0 0 32 32" aria-hidden="true">${on ? STOP : EAR}</svg>
          </button>
        </div>
        ${this.answer()}
        ${problem(this.error)}
        ${this.about.can_listen ? nothing : html`<p class="notice">${this.withoutMicrophone}</p>`}
      </section>
      ${history.length && !on ? html`<section class="history" aria-labelledby="heard">
        <div class="head"><h2 id="heard">Heard here</h2>
          <button class="quiet" @click=${() => { forget(); this.draw(); }}>Clear</button></div>
        <ol class="rows">${history.slice(0, 20).map((one) => html`<li class="row">${tile(one)}${words(one)}
          <time>${ago(one.moment)}</time></li>`)}</ol></section>` : nothing}`, this.place);
  }

  answer() {
    if (this.state === "found" && this.track) {
      return html`<article class="card found" aria-label="Found">
        <div class="who">${tile(this.track, "large")}
          <div class="words"><h2>${titleOf(this.track)}</h2><p>${this.track.artist || "Unknown artist"}</p>
            ${this.track.album ? html`<p class="faint">${this.track.album}</p>` : nothing}</div></div>
        ${this.track.seconds ? progress(this.position, this.track.seconds) : nothing}
        <div class="foot">${confidence(this.event.confidence)}
          ${this.microphone ? html`<span class="faint">${this.event.locked ? "In step" : "Finding the place"}</span>` : nothing}</div>
        ${this.cues.length ? html`<div class="cues" aria-live="off">${this.cues.map((one) => cue(one.payload))}</div>` : nothing}
      </article>`;
    }
    if (this.state === "missed") {
      return html`<div class="answer"><h2>Not found</h2><p>${REASONS[this.reason] || REASONS.unknown}</p></div>`;
    }
    const said = { idle: "Tap to find out what is playing", asking: "Waiting for the microphone", listening: "Listening", ending: "Looking once more" };
    return html`<div class="answer"><p class="hint">${said[this.state] || said.idle}</p>
      <p class="faint">${["listening", "ending"].includes(this.state) ? `${Math.round(this.heard)} s heard` : this.state === "idle" ? scope(this.about) : " "}</p></div>`;
  }
}

function scope(about) {
  return about.tracks ? `${about.tracks.toLocaleString("en")} ${about.tracks === 1 ? "recording" : "recordings"} known here`
    : "The catalog is empty: add recordings first";
}

// A payload is whatever its owner wrote: a text, or an object with a text, a link and a kind.
function cue(payload) {
  if (payload === null || typeof payload !== "object") return html`<p class="cue">${String(payload)}</p>`;
  const link = typeof payload.link === "string" && /^https?:\/\//.test(payload.link) ? payload.link : "";
  const text = typeof payload.text === "string" ? payload.text : link || JSON.stringify(payload);
  return html`<p class="cue">${link ? html`<a href=${link} rel="noreferrer noopener" target="_blank">${text}</a>` : text}</p>`;
}
