// Which view is shown, and whether a key is needed first.

import { html, render } from "./vendor/lit-html.js";
import { get, key } from "./api.js";
import { problem } from "./parts.js";

const place = document.getElementById("view");
const shared = {}; // the file that was asked last, for the views about it
const VIEWS = {
  listen: async () => (await import("./listen.js")).ListenView,
  file: async () => (await import("./file.js")).FileView,
  plays: async () => (await import("./plays.js")).PlaysView,
  catalog: async () => (await import("./catalog.js")).CatalogView,
  match: async () => (await import("./match.js")).MatchView,
};
const TITLES = { listen: "Listen", file: "File", plays: "Plays", catalog: "Catalog", match: "Match" };
let view = null;
let about = null;
let turn = 0;

async function show() {
  const mine = ++turn;
  const [, name = "listen", which = ""] = location.hash.match(/^#\/(\w+)\/?(.*)$/) || [];
  try {
    const [View, told] = await Promise.all([(VIEWS[name] || VIEWS.listen)(), about ?? get("/v1/about")]);
    if (mine !== turn) return;
    about = told;
    if (!about.scopes.length) return askForKey();
    const next = new View(about, shared, which);
    view?.unmount();
    const root = fresh(name);
    view = next;
    document.title = name === "listen" ? "earmark" : `${TITLES[name] || "Listen"} · earmark`;
    for (const link of document.querySelectorAll("#nav a")) {
      const own = link.hash === `#/${name === "match" ? "file" : name}`;
      own ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    view.mount(root);
    if (mine > 1) place.focus({ preventScroll: true });
    scrollTo(0, 0);
  } catch (error) {
    if (error.status === 401) return askForKey(error);
    render(html`<div class="answer">${problem(error)}<button @click=${show}>Try again</button></div>`, fresh("failed"));
  }
}

function fresh(name) {
  const root = document.createElement("div");
  place.className = name;
  place.replaceChildren(root);
  return root;
}

function askForKey(error) {
  const take = (event) => {
    event.preventDefault();
    key.set(new FormData(event.target).get("key").trim());
    about = null;
    show();
  };
  const wrong = key.get() && !error ? new Error("This key may do nothing here.") : error;
  key.set("");
  about = null;
  render(html`<form class="card" @submit=${take}><h1>A key, please</h1>
    <p class="faint">This service answers those who have one. Whoever runs it makes it with <code>earmark serve keys --add</code>.</p>
    <label>Key<input name="key" type="password" autocomplete="off" required></label>${problem(wrong)}
    <button class="primary">Go on</button></form>`, fresh("key"));
}

addEventListener("hashchange", show);
show();
