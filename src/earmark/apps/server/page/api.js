// The service, as the page calls it. A problem document becomes a Problem.

const KEY = "earmark.key";

export class Problem extends Error {
  constructor(document, status) {
    super(document.detail || `The service answered ${status}.`);
    this.code = document.code || "";
    this.status = status;
  }
}

export const key = {
  get: () => localStorage.getItem(KEY) || "",
  set: (value) => (value ? localStorage.setItem(KEY, value) : localStorage.removeItem(KEY)),
};

function headers(more = {}) {
  return key.get() ? { ...more, Authorization: `Bearer ${key.get()}` } : more;
}

async function answered(response) {
  if (response.status === 204) return null;
  const document = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(document, response.status);
  return document;
}

export async function get(path) {
  return answered(await fetch(path, { headers: headers() }));
}

export async function send(method, path, document) {
  const body = document === undefined ? undefined : JSON.stringify(document);
  return answered(await fetch(path, { method, body, headers: headers(body ? { "Content-Type": "application/json" } : {}) }));
}

// fetch tells nothing of an upload's progress; XMLHttpRequest does.
export function upload(path, file, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0);
    request.upload.onload = () => progress(1);
    request.onerror = () => reject(new Problem({ detail: "The connection broke off." }, 0));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    request.onload = () => {
      let document = {};
      try { document = JSON.parse(request.responseText); } catch { /* said below by the status */ }
      if (request.status >= 200 && request.status < 300) resolve(document);
      else reject(new Problem(document, request.status));
    };
    signal?.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("file", file, file.name);
    request.send(form);
  });
}

export async function getFile(path) {
  const response = await fetch(path, { headers: headers() });
  return response.ok ? response.blob() : answered(response);
}

// Server-sent events until `signal` aborts: EventSource could not send the key. `take(kind, document)`.
export async function watch(path, take, signal) {
  const response = await fetch(path, { headers: headers(), signal });
  if (!response.ok) return answered(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return null;
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const [, kind, data] = event.match(/^event: (\w+)\ndata: (.*)$/) || [];
      if (kind) take(kind, JSON.parse(data));
    }
  }
}

export function listenSocket(query) {
  const url = new URL("/v1/listen", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams(query);
  return new WebSocket(url, key.get() ? ["earmark", `key.${key.get()}`] : ["earmark"]);
}
