// The catalog: in pages that come as they are scrolled to; searched, added to, changed.

import { html, nothing, render } from "./vendor/lit-html.js";
import { get, send, upload } from "./api.js";
import { problem, say, tile, words } from "./parts.js";
import { clock, count, hours, titleOf } from "./text.js";

const PAGE = 50;
const PAUSE = 200; // milliseconds after the last key, before a search

export class CatalogView {
  constructor(about) {
    this.about = about;
    this.query = "";
    this.uploads = [];
    this.mayChange = about.scopes.includes("manage") && !about.read_only;
  }

  mount(place) {
    this.place = place;
    this.seen = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) this.more(); }, { rootMargin: "600px" });
    this.restart();
  }

  unmount() {
    this.seen.disconnect();
  }

  restart() {
    Object.assign(this, { tracks: [], cursor: "", isWhole: false, error: null, turn: (this.turn || 0) + 1, isLoading: false });
    this.more();
  }

  async more() {
    if (this.isLoading || this.isWhole) return;
    this.isLoading = true;
    this.draw();
    const turn = this.turn, wanted = this.tracks.length + PAGE;
    try {
      // A page of a search may be short and still not the last one: the service looks at so many tracks at a time.
      while (this.tracks.length < wanted && !this.isWhole) {
        const page = await get(`/v1/tracks?${new URLSearchParams({ q: this.query, cursor: this.cursor, limit: PAGE })}`);
        if (turn !== this.turn) return;
        this.tracks = [...this.tracks, ...page.tracks];
        this.cursor = page.cursor;
        this.isWhole = !page.cursor;
        this.draw();
      }
      if (this.query) say(this.isWhole ? `${count(this.tracks.length, "recording")} found` : "Results, more below");
    } catch (error) {
      this.error = error;
      this.isWhole = true;
    }
    this.isLoading = false;
    this.draw();
    const end = this.place.querySelector(".end");
    this.seen.disconnect();
    if (end) this.seen.observe(end);
  }

  search = (event) => {
    this.query = event.target.value;
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.restart(), PAUSE);
  };

  add = async (files) => {
    const waiting = [...files].map((file) => ({ file, sent: 0, state: "waiting" }));
    this.uploads = [...waiting, ...this.uploads];
    for (const one of waiting) {
      one.state = "sending";
      this.draw();
      try {
        one.track = await upload("/v1/tracks", one.file, (sent) => { one.sent = sent; this.draw(); });
        one.state = "done";
        this.tracks = [one.track, ...this.tracks.filter((track) => track.id !== one.track.id)];
        this.about.tracks += 1;
        say(`Added ${titleOf(one.track)}`);
      } catch (error) {
        Object.assign(one, { state: "failed", error });
      }
      this.draw();
    }
  };

  async open(track) {
    this.chosen = { ...track };
    this.draw();
    this.place.querySelector("dialog").showModal();
    const { ranges } = await get(`/v1/tracks/${encodeURIComponent(track.id)}/ranges`).catch(() => ({ ranges: [] }));
    if (this.chosen?.id === track.id) { this.chosen.ranges = ranges; this.draw(); }
  }

  close = () => {
    this.place.querySelector("dialog").close();
  };

  change = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target), { id } = this.chosen;
    try {
      const track = await send("PATCH", `/v1/tracks/${encodeURIComponent(id)}`, Object.fromEntries(["title", "artist", "album"].map((name) => [name, form.get(name)])));
      this.tracks = this.tracks.map((one) => (one.id === id ? track : one));
      say("Saved");
      this.close();
    } catch (error) {
      this.chosen.error = error;
    }
    this.draw();
  };

  remove = async () => {
    if (!this.chosen.isAsked) { this.chosen.isAsked = true; return this.draw(); }
    const { id } = this.chosen;
    try {
      await send("DELETE", `/v1/tracks/${encodeURIComponent(id)}`);
      this.tracks = this.tracks.filter((one) => one.id !== id);
      this.about.tracks -= 1;
      say("Forgotten");
      this.close();
    } catch (error) {
      this.chosen.error = error;
    }
    this.draw();
  };

  draw() {
    if (!this.place?.isConnected) return;
    const { about, tracks } = this;
    render(html`<div class="head"><div><h1>Catalog</h1>
        <p class="faint">${count(about.tracks, "recording")}${about.seconds ? `, ${hours(about.seconds)}` : ""}</p></div>
        ${this.mayChange ? html`<label class="button"><input class="unseen" type="file" multiple accept="audio/*,video/*"
          @change=${(event) => { this.add(event.target.files); event.target.value = ""; }}>Add recordings</label>` : nothing}</div>
      <label class="search"><span class="unseen">Search</span>
        <svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="11" cy="11" r="6"/><path d="m16 16 4 4"/></svg>
        <input type="search" placeholder="Title, artist, album" .value=${this.query} @input=${this.search} autocomplete="off"></label>
      ${this.uploads.length ? html`<ul class="uploads" aria-label="Uploads">${this.uploads.slice(0, 30).map(uploading)}</ul>` : nothing}
      ${problem(this.error)}
      <ol class="rows" aria-label="Recordings">${tracks.map((track) => html`<li class="row"><button class="cover" @click=${() => this.open(track)}>
        ${tile(track)}${words(track)}<span class="facts"><small>${clock(track.seconds)}</small></span></button></li>`)}</ol>
      ${!tracks.length && this.isWhole && !this.error ? html`<div class="answer"><h2>${this.query ? "Nothing by these words" : "Nothing here yet"}</h2>
        <p>${this.query ? "Every word has to be in the title, artist, album, id or path." : "Add recordings, or run earmark index on a folder of music."}</p></div>` : nothing}
      ${this.isWhole ? nothing : html`<p class="end faint">Loading</p>`}
      <dialog aria-labelledby="chosen" @close=${() => { this.chosen = null; this.draw(); }} @click=${(event) => { if (event.target.localName === "dialog") this.close(); }}>
        ${this.chosen ? this.details(this.chosen) : nothing}</dialog>`, this.place);
  }

  details(track) {
    const field = (name, label) => html`<label>${label}<input name=${name} .value=${track[name]} maxlength="1024" ?readonly=${!this.mayChange}></label>`;
    return html`<form @submit=${this.change}>
      <div class="who">${tile(track, "large")}<div class="words"><h2 id="chosen">${titleOf(track)}</h2><p class="faint">${clock(track.seconds)}${track.complete ? "" : ", not whole"}</p></div></div>
      ${field("title", "Title")}${field("artist", "Artist")}${field("album", "Album")}
      <dl><dt>Added</dt><dd>${new Date(track.added / 1e6).toLocaleString()}</dd><dt>File</dt><dd>${track.path}</dd><dt>Id</dt><dd><code>${track.id}</code></dd>
        ${track.ranges?.length ? html`<dt>Second screen</dt><dd>${count(track.ranges.length, "time range")}</dd>` : nothing}</dl>
      ${problem(track.error)}
      <div class="tools">${this.mayChange ? html`<button type="button" class="danger" @click=${this.remove}>${track.isAsked ? "Forget it for good" : "Forget"}</button>` : nothing}
        <span></span><button type="button" autofocus @click=${this.close}>Close</button>
        ${this.mayChange ? html`<button class="primary">Save</button>` : nothing}</div></form>`;
  }
}

function uploading({ file, sent, state, track, error }) {
  const said = { waiting: "Waiting", sending: sent < 1 ? `${Math.round(100 * sent)} %` : "Fingerprinting", done: "Added", failed: error?.message };
  return html`<li class=${state}><b>${track ? titleOf(track) : file.name}</b><span>${said[state]}</span>
    <progress max="1" value=${state === "sending" && sent === 1 ? nothing : state === "done" ? 1 : sent} aria-label=${`Sending ${file.name}`}></progress></li>`;
}
