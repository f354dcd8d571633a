// Why a match is one: the clip's spectrogram, the recording's peaks laid on it, and which of them met.

import { html, nothing, render } from "./vendor/lit-html.js";
import { get, upload } from "./api.js";
import { confidence, problem, tile, words } from "./parts.js";
import { spectrogram } from "./spectrogram.js";
import { clock, percent } from "./text.js";

const SHOWN = matchMedia("(max-width: 599px)").matches ? 5 : 10; // seconds
const NEAR_SECONDS = 0.04; // by which two peaks that met may differ
const NEAR_HERTZ = 24;

export class MatchView {
  constructor(about, shared, which) {
    Object.assign(this, { about, shared, which: Number(which) || 0 });
  }

  mount(place) {
    this.place = place;
    this.match = this.shared.answer?.matches[this.which];
    if (!this.match) { location.hash = "#/file"; return; }
    this.draw();
    this.load();
  }

  unmount() {
    this.place = null;
  }

  async load() {
    const { match } = this, start = Math.max(0, match.query_start), end = Math.min(match.query_end, start + SHOWN);
    const rate = (match.reference_end - match.reference_start) / Math.max(match.query_end - match.query_start, 1e-9);
    const from = match.reference_start + rate * (start - match.query_start), until = from + rate * (end - start);
    Object.assign(this, { start, end, from, until, rate });
    try {
      const [sound, own, reference] = await Promise.all([
        decoded(this.shared.file, start, end),
        upload(`/v1/peaks?start=${start}&end=${end}`, this.shared.file, () => {}),
        get(`/v1/tracks/${encodeURIComponent(match.track.id)}/peaks?start=${from}&end=${until}`),
      ]);
      Object.assign(this, { sound, own: points(own), reference: points(reference) });
      this.top = Math.max(4000, ...this.own.map((one) => one.hertz), ...this.reference.map((one) => one.hertz));
      this.meet();
      this.draw();
      this.paint();
    } catch (error) {
      this.error = error;
      this.draw();
    }
  }

  // A peak of the recording has met when the clip has one at its place.
  meet() {
    const pitch = this.match.pitch || 1, sorted = this.own;
    this.met = this.reference.map(({ at, hertz }) => {
      const when = this.start + (at - this.from) / this.rate;
      return sorted.some((one) => Math.abs(one.at - when) <= NEAR_SECONDS && Math.abs(one.hertz - hertz * pitch) <= NEAR_HERTZ);
    });
  }

  paint() {
    const [above, below] = this.place.querySelectorAll("canvas");
    const { top } = this;
    spectrogram(above, this.sound, top);
    const own = this.own.map((one) => ({ x: (one.at - this.start) / (this.end - this.start), y: one.hertz / top, met: false }));
    const laid = this.reference.map((one, n) => ({ x: (one.at - this.from) / (this.until - this.from), y: one.hertz / top, met: this.met[n] }));
    dots(above, own, false);
    dots(above, laid.filter((one) => one.met), true);
    below.width = below.clientWidth * devicePixelRatio;
    below.height = below.clientHeight * devicePixelRatio;
    dots(below, laid, true);
  }

  scale(start, end, of) {
    return this.sound ? html`<div class="times"><span>${clock(start)} ${of}</span><span>up to ${(this.top / 1000).toLocaleString("en", { maximumFractionDigits: 1 })} kHz</span>
      <span>${clock(end)}</span></div>` : nothing;
  }

  draw() {
    if (!this.place) return;
    const { match } = this, met = this.met?.filter(Boolean).length ?? 0, all = this.met?.length ?? 0;
    render(html`<a class="back" href="#/file">Back to the file</a>
      <div class="who">${tile(match.track, "large")}<div class="words"><h1>${words(match.track)}</h1></div></div>
      <p>${confidence(match.confidence)}</p>
      <p>The file from ${clock(match.query_start)} to ${clock(match.query_end)} is the recording from
        ${clock(match.reference_start)} to ${clock(match.reference_end)}, to within ${milliseconds(match.position_error)}.</p>
      ${problem(this.error)}
      ${all ? html`<p class="met"><b>${met}</b> of <b>${all}</b> peaks of the recording are in the clip too (${percent(met / all)}).
        ${met / all > 0.3 ? "So many would not meet by chance." : "Noise hides the others; those that met lie on one line."}</p>` : nothing}
      <figure><figcaption>The clip, and where its peaks meet those of the recording</figcaption><canvas role="img"
        aria-label=${`Spectrogram of the clip with ${met} peaks that met`}></canvas>${this.scale(this.start, this.end, "of the file")}</figure>
      <figure><figcaption>The recording: peaks that met, and those that did not</figcaption><canvas role="img"
        aria-label=${`${all} peaks of the recording, ${met} of which met`}></canvas>${this.scale(this.from, this.until, "of the recording")}</figure>
      ${!this.sound && !this.error ? html`<p class="faint">Drawing</p>` : nothing}
      <details><summary>Figures behind the confidence</summary><dl>${Object.entries(match.evidence).map(([name, value]) => html`
        <dt>${name.replaceAll("_", " ")}</dt><dd>${value.toLocaleString("en", { maximumFractionDigits: 3 })}</dd>`)}</dl></details>`, this.place);
  }
}

const milliseconds = (seconds) => (seconds < 0.001 ? "a millisecond" : `${Math.round(1000 * seconds)} ms`);
const points = ({ seconds, hertz }) => seconds.map((at, n) => ({ at, hertz: hertz[n] }));

async function decoded(file, start, end) {
  const context = new OfflineAudioContext(1, 1, 16_000);
  const whole = await context.decodeAudioData(await file.arrayBuffer());
  const samples = whole.getChannelData(0).subarray(Math.round(start * 16_000), Math.round(end * 16_000));
  return { samples, rate: 16_000 };
}

function dots(canvas, all, filled) {
  const pen = canvas.getContext("2d"), style = getComputedStyle(canvas), size = 1.5 * devicePixelRatio;
  for (const { x, y, met } of all) {
    pen.fillStyle = met ? style.getPropertyValue("--met") : style.getPropertyValue("--unmet");
    pen.globalAlpha = met ? 1 : filled ? 0.6 : 0.5;
    pen.beginPath();
    pen.arc(x * canvas.width, (1 - y) * canvas.height, met ? size * 1.3 : size * 0.8, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
}
