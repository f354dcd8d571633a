// A day as a timeline: a lane for each station, a bar for each play; from the whole day to an hour on the screen.

import { html, nothing } from "./vendor/lit-html.js";
import { clock, count, hue, timeOfDay, titleOf } from "./text.js";

export const HOUR = 3_600_000, DAY = 24 * HOUR; // milliseconds
export const SPANS = [[24, "Day"], [6, "6 hours"], [1, "1 hour"]]; // hours on the screen

export function startOfDay(moment) {
  const day = new Date(moment);
  return day.setHours(0, 0, 0, 0);
}

// `lanes`: [station, plays]; `open(play)` shows one.
export function timeline(lanes, { begin, span, now, open }) {
  const share = (moment) => `${((100 * (moment - begin)) / DAY).toFixed(4)}%`;
  const step = span === 24 ? 4 : 1, marks = Array.from({ length: 24 / step }, (_, n) => n * step);
  const quarters = span === 1 ? [0, 15, 30, 45] : [0];
  const isToday = now >= begin && now < begin + DAY;
  return html`<div class="lanes" tabindex="0" role="region" aria-label="Timeline of the day">
    <div class="inner" .style=${`width:${(100 * 24) / span}%`}>
      <div class="hours" aria-hidden="true">${marks.flatMap((hour) => quarters.map((minute) => html`<span
        .style=${`left:${share(begin + hour * HOUR + minute * 60_000)}`}>${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}</span>`))}</div>
      ${lanes.map(([station, plays]) => html`<div class="lane"><b>${station}</b>
        <div class="bars" role="img" aria-label=${`${station}: ${count(plays.length, "play")}`}>
          ${plays.map((play) => html`<span class="bar-of ${play.state} ${play.prominence} ${play.open ? "open" : ""}" @click=${() => open(play)}
            .style=${`--hue:${hue(play.track)};left:${share(Math.max(play.from, begin))};width:calc(${share(begin + Math.min(play.until, begin + DAY) - Math.max(play.from, begin))} - 1px)`}
            title=${`${timeOfDay(play.from, true)}  ${titleOf(play.track)}${play.track.artist ? `, ${play.track.artist}` : ""} (${clock(play.seconds)})`}><span>${titleOf(play.track)}</span></span>`)}
        </div></div>`)}
      ${isToday ? html`<i class="now" .style=${`left:${share(now)}`}></i>` : nothing}
    </div></div>`;
}

// Show what is latest: the present moment, or on another day its first play.
export function scrollToLatest(lanes, begin, moment) {
  const share = Math.min(Math.max((moment - begin) / DAY, 0), 1);
  lanes.scrollLeft = share * lanes.scrollWidth - 0.85 * lanes.clientWidth;
}
