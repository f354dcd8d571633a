// Figures as people read them.

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export function sureness(confidence) {
  if (confidence >= 0.9999) return "Certain";
  if (confidence >= 0.999) return "Very sure";
  if (confidence >= 0.99) return "Sure";
  return "Likely";
}

export function percent(confidence) {
  if (confidence > 0.99995) return "over 99.99 %";
  return `${(100 * confidence).toFixed(confidence > 0.99 ? 2 : 1)} %`;
}

export function titleOf(track) {
  return track.title || track.path.split("/").pop() || track.id;
}

export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

export function hours(seconds) {
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toLocaleString("en", { maximumFractionDigits: seconds < 36000 ? 1 : 0 })} h`;
}

export function timeOfDay(moment, withSeconds = false) {
  return new Date(moment).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(withSeconds ? { second: "2-digit" } : {}) });
}

export function ago(moment) {
  const minutes = Math.round((Date.now() - moment) / 60000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const date = new Date(moment);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString()}, ${time}`;
}

// A tile stands where a cover would: letters on a hue that is the same for the same album.
export function initials(track) {
  const words = titleOf(track).replace(/[^\p{L}\p{N} ]/gu, " ").trim().split(/\s+/);
  return words.slice(0, 2).map((word) => [...word][0] || "").join("").toUpperCase() || "?";
}

export function hue(track) {
  let sum = 0;
  for (const letter of track.album || track.artist || titleOf(track)) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}
