// What this browser has heard; it stays in this browser.

const PLACE = "earmark.history";
const MOST = 100;

export function heard() {
  try { return JSON.parse(localStorage.getItem(PLACE)) || []; } catch { return []; }
}

export function remember(track, position) {
  const all = heard().filter((one) => !(one.id === track.id && Date.now() - one.moment < 600_000));
  const { id, title, artist, album, path } = track;
  all.unshift({ id, title, artist, album, path, position, moment: Date.now() });
  localStorage.setItem(PLACE, JSON.stringify(all.slice(0, MOST)));
}

export function forget() {
  localStorage.removeItem(PLACE);
}
