// What was on air: what each station plays now, a day's timeline, and each play with the sound that is kept of it.

import { html, nothing, render } from "./vendor/lit-html.js";
import { get, getFile, send, watch } from "./api.js";
import { DAY, HOUR, scrollToLatest, SPANS, startOfDay, timeline } from "./day.js";
import { confidence, problem, progress, save, say, tile, words } from "./parts.js";
import { spectrogram } from "./spectrogram.js";
import { clock, count, timeOfDay, titleOf } from "./text.js";

const PAGE = 1000;
const SHOWN = 100; // rows, until more are asked for
const FRESH = 30_000; // milliseconds after its end for which an open play counts as on air: it is written every ten seconds
const RETRY = [1, 2, 5, 10, 30]; // seconds to the next attempt at the events
const RATE = 16_000; // Hz of a clip as it is drawn
const SILENT = -70; // decibels below which nothing but noise is heard
const STATES = { connecting: "Connecting", listening: "On air", waiting: "No connection", ended: "Ended" };

export class PlaysView {
  constructor(about) {
    Object.assign(this, { about, monitors: [], stations: [], plays: new Map(), shown: SHOWN, isLoading: true });
    this.day = startOfDay(Date.now());
    this.span = matchMedia("(max-width: 599px)").matches ? 1 : 6;
    this.mayChange = about.scopes.includes("manage") && !about.read_only;
  }

  mount(place) {
    this.place = place;
    this.stop = new AbortController();
    this.clock = setInterval(() => this.draw(), 1000);
    this.load();
    this.follow();
  }

  unmount() {
    this.stop.abort();
    clearInterval(this.clock);
    this.close();
    this.place = null;
  }

  get isToday() {
    return this.day === startOfDay(Date.now());
  }

  async load() {
    const day = this.day, range = { since: new Date(day).toISOString(), until: new Date(day + DAY).toISOString(), limit: PAGE };
    Object.assign(this, { plays: new Map(), shown: SHOWN, isLoading: true, error: null });
    this.draw();
    try {
      for (let cursor = ""; ;) {
        const page = await get(`/v1/plays?${new URLSearchParams({ ...range, cursor })}`);
        if (day !== this.day) return;
        page.plays.forEach((play) => this.note(play));
        cursor = page.cursor;
        if (!cursor) break;
      }
    } catch (error) {
      this.error = error;
    }
    this.isLoading = false;
    this.draw();
    this.scroll();
  }

  // Events for as long as the view is there; after a break all is asked for again.
  async follow() {
    for (let failed = 0; !this.stop.signal.aborted;) {
      try {
        await watch("/v1/events", (kind, told) => { failed = 0; this.take(kind, told); }, this.stop.signal);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (error.status === 401 || error.status === 403) { this.error = error; return this.draw(); }
      }
      await new Promise((done) => setTimeout(done, 1000 * RETRY[Math.min(failed++, RETRY.length - 1)]));
      if (!this.stop.signal.aborted && failed === 1) this.load();
    }
  }

  take(kind, told) {
    if (kind === "now" || kind === "stations") {
      Object.assign(this, { monitors: told.monitors, stations: told.stations });
      told.plays?.forEach((play) => this.note(play));
    } else if (kind === "removed") {
      this.plays.delete(told.play);
    } else {
      this.note(told);
      if (kind === "began") say(`${told.station} plays ${titleOf(told.track)}`);
    }
    this.draw();
  }

  note(play) {
    const from = Date.parse(play.start), until = Date.parse(play.end);
    if (play.state === "rejected" || until < this.day || from >= this.day + DAY) this.plays.delete(play.play);
    else this.plays.set(play.play, { ...play, from, until });
  }

  move(days) {
    this.day = startOfDay(this.day + days * DAY + 2 * HOUR); // an hour more or less when the clocks change
    this.load();
  }

  choose = (event) => {
    const [year, month, date] = event.target.value.split("-").map(Number);
    if (!year) return;
    this.day = new Date(year, month - 1, date).getTime();
    this.load();
  };

  zoom(hours) {
    this.span = hours;
    this.draw();
    this.scroll();
  }

  scroll() {
    const lanes = this.place?.querySelector(".lanes");
    const latest = Math.max(this.day, ...[...this.plays.values()].map((play) => play.until));
    if (lanes) scrollToLatest(lanes, this.day, this.isToday ? Date.now() : latest);
  }

  async table() {
    const range = { since: new Date(this.day).toISOString(), until: new Date(this.day + DAY).toISOString(), format: "csv" };
    try {
      save(`plays-${dateOf(this.day)}.csv`, await getFile(`/v1/plays?${new URLSearchParams(range)}`), "text/csv");
    } catch (error) {
      this.error = error;
      this.draw();
    }
  }

  onAir(station) {
    const now = Date.now();
    return [...this.plays.values()].filter((one) => one.station === station && one.open && now - one.until < FRESH).sort((a, b) => b.confidence - a.confidence);
  }

  // Dialogs

  show(chosen) {
    this.chosen = chosen;
    this.draw();
    const dialog = this.place.querySelector("dialog");
    if (!dialog.open) dialog.showModal();
  }

  close = () => {
    this.place?.querySelector("dialog[open]")?.close();
  };

  closed = () => {
    if (this.chosen?.url) URL.revokeObjectURL(this.chosen.url);
    this.chosen = null;
    this.draw();
  };

  open = async (play) => {
    const chosen = { kind: "play", play };
    this.show(chosen);
    if (!play.clip) return;
    try {
      const file = await getFile(`/v1/plays/${play.play}/clip`);
      if (this.chosen !== chosen) return;
      chosen.url = URL.createObjectURL(file);
      this.draw();
      const whole = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
      if (this.chosen === chosen) spectrogram(this.place.querySelector("dialog canvas"), { samples: whole.getChannelData(0), rate: RATE }, RATE / 2);
    } catch (error) {
      if (this.chosen === chosen) { chosen.error = error; this.draw(); }
    }
  };

  async attempt(work) {
    try {
      await work();
      this.close();
    } catch (error) {
      if (this.chosen) this.chosen.error = error;
    }
    this.draw();
  }

  decide = (state) => this.attempt(async () => {
    this.note(await send("PATCH", `/v1/plays/${this.chosen.play.play}`, { state }));
    say(state === "accepted" ? "Accepted" : "Rejected");
  });

  add = (event) => {
    event.preventDefault();
    const form = Object.fromEntries(new FormData(event.target));
    this.attempt(async () => {
      const made = await send("POST", "/v1/monitors", form);
      this.monitors = [...this.monitors, made];
      say(`${made.name} is followed`);
    });
  };

  // What a station's stream gives, before it is followed.
  test = async (event) => {
    const { form } = event.target, chosen = this.chosen;
    if (!form.elements.source.reportValidity()) return;
    Object.assign(chosen, { trial: { isRunning: true }, error: null });
    const { trial } = chosen;
    this.draw();
    try {
      const told = await send("POST", "/v1/monitors/test", { source: form.elements.source.value });
      if (chosen.trial !== trial) return;
      chosen.trial = { ...told, name: told.name.slice(0, 200) };
      if (told.name && !form.elements.name.value) form.elements.name.value = chosen.trial.name;
    } catch (error) {
      if (chosen.trial !== trial) return;
      Object.assign(chosen, { trial: null, error });
    }
    this.draw();
  };

  changed = () => {
    Object.assign(this.chosen, { trial: null, error: null });
    this.draw();
  };

  remove = () => {
    if (!this.chosen.isAsked) { this.chosen.isAsked = true; return this.draw(); }
    const { name } = this.chosen;
    return this.attempt(async () => {
      await send("DELETE", `/v1/monitors/${encodeURIComponent(name)}`);
      this.monitors = this.monitors.filter((one) => one.name !== name);
      say(`${name} is not followed any more`);
    });
  };

  // Drawing

  draw() {
    if (!this.place?.isConnected) return;
    const plays = [...this.plays.values()].sort((a, b) => b.from - a.from || b.play - a.play);
    const isEmpty = !plays.length && !this.isLoading;
    render(html`<div class="head"><div><h1>Plays</h1><p class="faint">${this.said(plays)}</p></div>
        <div class="tools">${plays.length ? html`<button @click=${() => this.table()}>CSV</button>` : nothing}
          ${this.mayChange ? html`<button class="primary" @click=${() => this.show({ kind: "new" })}>Follow a station</button>` : nothing}</div></div>
      ${this.isToday && this.monitors.length ? html`<ul class="stations" aria-label="Stations">${this.monitors.map((one) => this.station(one))}</ul>` : nothing}
      <div class="head days"><div class="tools"><button class="step" @click=${() => this.move(-1)} aria-label="The day before">‹</button>
          <label><span class="unseen">Day</span><input type="date" .value=${dateOf(this.day)} max=${dateOf(Date.now())} @change=${this.choose}></label>
          <button class="step" @click=${() => this.move(1)} ?disabled=${this.isToday} aria-label="The day after">›</button>
          ${this.isToday ? nothing : html`<button class="quiet" @click=${() => { this.day = startOfDay(Date.now()); this.load(); }}>Today</button>`}</div>
        <div class="segments" role="group" aria-label="Hours on the screen">${SPANS.map(([hours, name]) => html`<button
          aria-pressed=${this.span === hours} @click=${() => this.zoom(hours)}>${name}</button>`)}</div></div>
      ${problem(this.error)}
      ${plays.length ? html`<section class="day" aria-label="Timeline">${timeline(lanesOf(plays), { begin: this.day, span: this.span, now: Date.now(), open: this.open })}
        <p class="legend"><span><i class="foreground"></i>Foreground</span><span><i class="background"></i>Under speech</span>
          ${plays.some((one) => one.state === "review") ? html`<span><i class="review"></i>For review</span>` : nothing}</p></section>
        <ol class="rows" aria-label="Plays, the latest first">${plays.slice(0, this.shown).map((play) => this.row(play))}</ol>
        ${plays.length > this.shown ? html`<button @click=${() => { this.shown += SHOWN; this.draw(); }}>Show earlier ones</button>` : nothing}` : nothing}
      ${isEmpty && !this.error ? this.empty() : nothing}
      ${this.isLoading && !plays.length ? html`<p class="end faint">Loading</p>` : nothing}
      <dialog aria-labelledby="chosen" @close=${this.closed} @click=${(event) => { if (event.target.localName === "dialog") this.close(); }}>
        ${this.chosen ? { play: this.details, new: this.form, station: this.aboutStation }[this.chosen.kind].call(this, this.chosen) : nothing}</dialog>`, this.place);
  }

  said(plays) {
    const date = new Date(this.day).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
    return plays.length ? `${date} · ${count(plays.length, "play")} on ${count(new Set(plays.map((one) => one.station)).size, "station")}` : date;
  }

  empty() {
    if (this.monitors.length || this.stations.length) {
      return html`<div class="answer"><h2>Nothing was heard</h2><p>${this.isToday ? "Recordings of the catalog appear here as soon as a station plays them." : "No recording of the catalog was on air that day."}</p></div>`;
    }
    return html`<div class="answer"><h2>No station yet</h2><p>${this.mayChange ? "Follow a radio stream, and every recording of the catalog that it plays is logged here." : "Whoever runs this service can follow radio streams: every recording of the catalog that they play is logged here."}</p></div>`;
  }

  station(one) {
    const [play] = this.onAir(one.name), now = Date.now();
    const level = Math.min(Math.max(1 + one.level / 60, 0), 1);
    return html`<li class="card station ${one.state}">
      <div class="head"><button class="name" @click=${() => this.show({ kind: "station", name: one.name })}>${one.name}</button>
        <span class="live"><i></i>${STATES[one.state] || one.state}<span class="level" title=${decibels(one.level)} aria-hidden="true"><span .style=${`transform:scaleX(${level})`}></span></span></span></div>
      ${play ? html`<div class="who">${tile(play.track)}${words(play.track)}</div>
        ${progress(Math.min(play.reference_start + (now - play.from) / 1000, play.track_seconds), play.track_seconds, `Position in ${titleOf(play.track)}`)}`
        : html`<p class="faint">${one.state === "listening" ? "Nothing that is in the catalog" : one.reason || "Waiting for the first sound"}</p>`}
      ${one.title ? html`<small class="told">The stream says: ${one.title}</small>` : nothing}</li>`;
  }

  row(play) {
    return html`<li class="row"><button class="cover" @click=${() => this.open(play)}>
      <span class="when">${timeOfDay(play.from)}<small>${clock(play.seconds)}</small></span>
      ${tile(play.track)}${words({ ...play.track, album: play.station })}
      <span class="facts">${play.open && Date.now() - play.until < FRESH ? html`<span class="live"><i></i>On air</span>`
        : play.state === "review" ? html`<span class="mark review">For review</span>` : play.clip ? html`<small>Clip</small>` : nothing}</span></button></li>`;
  }

  details({ play, url, error }) {
    const until = play.open && Date.now() - play.until < FRESH ? "now" : timeOfDay(play.until, true);
    return html`<form method="dialog">
      <div class="who">${tile(play.track, "large")}<div class="words"><h2 id="chosen">${titleOf(play.track)}</h2><p class="faint">${play.track.artist || "Unknown artist"}</p></div></div>
      <p>${confidence(play.confidence)}</p>
      ${play.clip ? html`<figure><canvas role="img" aria-label="Spectrogram of the sound that is kept"></canvas>
        <audio controls src=${url || nothing} aria-label="The sound that is kept"></audio></figure>` : nothing}
      <dl><dt>Station</dt><dd>${play.station}</dd>
        <dt>On air</dt><dd>${new Date(play.from).toLocaleDateString("en-GB")}, ${timeOfDay(play.from, true)} to ${until} (${clock(play.seconds)})</dd>
        <dt>Recording</dt><dd>${clock(play.reference_start)} to ${clock(play.reference_end)} of ${clock(play.track_seconds)}, ${Math.round(100 * play.share)} % of it</dd>
        <dt>Heard</dt><dd>${play.prominence === "background" ? "under speech" : `in the ${play.prominence === "unknown" ? "clear, or under speech" : play.prominence}`}</dd>
        ${play.state === "review" ? html`<dt>State</dt><dd>not sure enough; for review</dd>` : nothing}
        ${play.stream_title ? html`<dt>Stream says</dt><dd>${play.stream_title}</dd>` : nothing}</dl>
      ${problem(error)}
      <div class="tools">${this.mayChange ? html`<button type="button" class="danger" @click=${() => this.decide("rejected")}>Reject</button>
        ${play.state === "review" ? html`<button type="button" @click=${() => this.decide("accepted")}>Accept</button>` : nothing}` : nothing}
        <span></span><button class="primary" autofocus>Close</button></div></form>`;
  }

  aboutStation({ name, isAsked, error }) {
    const one = this.monitors.find((monitor) => monitor.name === name);
    if (!one) return nothing;
    return html`<form method="dialog"><h2 id="chosen">${one.name}</h2>
      <dl><dt>Source</dt><dd>${one.source}</dd><dt>State</dt><dd>${STATES[one.state] || one.state}${one.reason && one.state !== "listening" ? `: ${one.reason}` : ""}</dd>
        <dt>Heard</dt><dd>${clock(one.seconds)}, ${count(one.gaps, "gap")}</dd>
        ${one.dropped_seconds ? html`<dt>Dropped</dt><dd>${clock(one.dropped_seconds)}: the machine is too slow</dd>` : nothing}
        <dt>Level</dt><dd>${decibels(one.level)}</dd>${one.zone ? html`<dt>Time zone</dt><dd>${one.zone}</dd>` : nothing}</dl>
      ${problem(error)}
      <div class="tools">${this.mayChange ? html`<button type="button" class="danger" @click=${this.remove}>${isAsked ? "Stop following it" : "Stop"}</button>` : nothing}
        <span></span><button class="primary" autofocus>Close</button></div></form>`;
  }

  form({ error, trial }) {
    return html`<form @submit=${this.add}><h2 id="chosen">Follow a station</h2>
      <div class="asked"><label>Address of the stream<input name="source" type="url" required maxlength="2048" placeholder="https://radio.example/live.mp3" autocomplete="off" @input=${this.changed}></label>
        <button type="button" @click=${this.test} ?disabled=${trial?.isRunning}>Listen first</button></div>
      ${this.tried(trial)}
      <label>Name<input name="name" maxlength="200" placeholder=${trial?.name || "Taken from the address"} autocomplete="off"></label>
      <label>Time zone<input name="zone" maxlength="64" .value=${Intl.DateTimeFormat().resolvedOptions().timeZone || ""} autocomplete="off"></label>
      ${problem(error)}
      <div class="tools"><span></span><button type="button" @click=${this.close}>Cancel</button><button class="primary">Follow</button></div></form>`;
  }

  tried(trial) {
    if (!trial) return nothing;
    if (trial.isRunning) return html`<div class="trial" role="status"><p class="live busy"><i></i>Listening for a few seconds</p></div>`;
    if (!trial.works) return html`<div class="trial failed" role="status"><p class="live"><i></i>No sound arrives</p><p>${trial.reason}</p></div>`;
    const [match] = trial.matches, level = Math.min(Math.max(1 + trial.level / 60, 0), 1);
    const facts = [trial.format, trial.bitrate && `${trial.bitrate} kbit/s`, trial.level < SILENT ? "silent" : decibels(trial.level)].filter(Boolean);
    return html`<div class="trial" role="status">
      <p class="head"><span class="live"><i></i>Sound arrives<span class="level" aria-hidden="true"><span .style=${`transform:scaleX(${level})`}></span></span></span>
        <small>${facts.join(" · ")}</small></p>
      ${match ? html`<div class="who">${tile(match.track)}${words(match.track)}</div>` : html`<p class="faint">Nothing that is in the catalog plays now</p>`}
      ${trial.title ? html`<small class="told">The stream says: ${trial.title}</small>` : nothing}</div>`;
  }
}

const decibels = (level) => `${Math.round(level)} dB`.replace("-", "−");

function lanesOf(plays) {
  const lanes = new Map();
  for (const play of plays) lanes.set(play.station, [...(lanes.get(play.station) || []), play]);
  return [...lanes].sort(([a], [b]) => a.localeCompare(b));
}

function dateOf(moment) {
  const day = new Date(moment), two = (number) => String(number).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}
