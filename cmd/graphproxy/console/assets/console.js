"use strict";
// Every page works without this script. It adds what is new without a reload.

// Decisions: rows for the events of the stream. All text is set as text, never as HTML.
(() => {
  const table = document.querySelector("table[data-events]");
  if (!table || !window.EventSource) return;
  const mostRows = 500;
  const status = document.querySelector("[data-live]");
  const pause = document.querySelector("[data-pause]");
  const body = table.tBodies[0];
  let paused = false;

  const element = (name, text, kind) => {
    const e = document.createElement(name);
    if (text !== undefined) e.textContent = text;
    if (kind) e.className = kind;
    return e;
  };
  const figure = (ms) => (ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : String(Number(ms.toFixed(3)))) + " ms";
  const known = ["allow", "deny", "limit", "refuse"];

  const rowOf = (r) => {
    const row = element("tr", undefined, "new");
    const time = element("time", new Date(r.time).toISOString().slice(11, 19));
    time.dateTime = r.time;
    const decision = element("td");
    decision.append(element("span", r.decision, "tag " + (known.includes(r.decision) ? r.decision : "")));
    if (r.would_deny) decision.append(" ", element("span", "would deny", "tag limit"));
    if (r.reason) decision.append(element("br"), element("small", r.reason));
    const request = element("td", undefined, "request");
    const link = element("a");
    link.href = "/decisions/" + encodeURIComponent(r.request_id);
    link.append(element("span", r.method, "method"), " ");
    link.append(r.target ? r.target + (r.query ? "?" + r.query.join("&") : "") : element("em", "not read"));
    request.append(link);
    if (r.item) request.append(" ", element("small", "item " + r.item));
    const caller = element("td");
    caller.append(r.caller || element("em", "not known"));
    const when = element("td");
    when.append(time);
    row.append(when, decision, element("td", String(r.status), "number"), caller, request,
      element("td", r.rule || ""), element("td", figure(r.ms), "number"));
    return row;
  };

  const events = new EventSource(table.dataset.events);
  events.addEventListener("open", () => { if (!paused) status.textContent = "Live."; });
  events.addEventListener("error", () => {
    status.textContent = events.readyState === EventSource.CLOSED
      ? "The live update has ended. Load the page again." : "Connecting again.";
  });
  events.addEventListener("records", (event) => {
    if (paused) return;
    const data = JSON.parse(event.data);
    document.querySelector("[data-empty]")?.remove();
    for (const r of data.records) body.prepend(rowOf(r));
    while (body.rows.length > mostRows) body.lastElementChild.remove();
    status.textContent = data.more ? "Live. There are more than are shown: filter them, or load the page again." : "Live.";
  });
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    status.textContent = paused ? "Paused. What comes now is not added." : "Live.";
  });
  window.addEventListener("pagehide", () => events.close());
})();

// Now: the same page, read again. What the visitor opened or looks at with the keyboard stays.
(() => {
  const part = document.querySelector("[data-refresh]");
  if (!part) return;
  const again = async () => {
    if (document.hidden || part.contains(document.activeElement) || part.querySelector("details[open]")) return;
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-refresh]");
    if (fresh) part.replaceChildren(...fresh.childNodes);
  };
  setInterval(() => again().catch(() => {}), Number(part.dataset.refresh) * 1000);
})();

// Texts to copy get a button.
(() => {
  if (!navigator.clipboard) return;
  for (const text of document.querySelectorAll("pre[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "The browser did not copy it";
      }
    });
    text.after(button);
  }
})();
