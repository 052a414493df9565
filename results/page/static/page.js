// What a page does beyond being read: colours by choice, words at the mouse, series
// picked out, and parts that follow a sweep while it runs.
"use strict";
(() => {
  const root = document.documentElement;
  const saved = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  if (saved === "light" || saved === "dark") root.dataset.theme = saved;

  function toggleTheme() {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a private window keeps nothing */ }
  }

  // Tips: whatever has data-tip says it when pointed at or reached by keyboard.
  function showTip(mark, x, y) {
    const tip = document.querySelector(".tip");
    if (!tip) return;
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = x + 14 + box.width > innerWidth ? x - 14 - box.width : x + 14;
    const top = y + 14 + box.height > innerHeight ? y - 14 - box.height : y + 14;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, top) + "px";
  }
  function hideTip() {
    const tip = document.querySelector(".tip");
    if (tip) tip.hidden = true;
  }

  // Series: pointing at one of a key fades the others.
  function pick(key) {
    for (const mark of document.querySelectorAll("svg.chart [data-key]")) mark.classList.toggle("faded", key !== null && mark.dataset.key !== key);
  }

  document.addEventListener("pointermove", (e) => {
    const mark = e.target.closest?.("[data-tip]");
    if (mark) showTip(mark, e.clientX, e.clientY); else hideTip();
  });
  document.addEventListener("pointerover", (e) => {
    const keyed = e.target.closest?.("[data-key]");
    pick(keyed ? keyed.dataset.key : null);
  });
  document.addEventListener("focusin", (e) => {
    const mark = e.target.closest?.("[data-tip]");
    if (!mark) return hideTip();
    const box = mark.getBoundingClientRect();
    showTip(mark, box.right, box.bottom);
  });
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") hideTip(); else step(e); });
  document.addEventListener("scroll", hideTip, true);
  document.addEventListener("click", (e) => { if (e.target.closest?.("[data-theme-toggle]")) toggleTheme(); });
  // A choice by mouse is carried out at once. By keys one passes others on the way
  // to the one that is meant, and then presses the button.
  let byKey = false;
  document.addEventListener("keydown", () => { byKey = true; }, true);
  document.addEventListener("pointerdown", () => { byKey = false; }, true);
  document.addEventListener("change", (e) => { if (!byKey && e.target.form?.hasAttribute("data-submit-on-change")) e.target.form.submit(); });

  // Keys in a chart: Tab comes to one of its marks, a best point if it has any, and
  // arrows go on to the others, which may be hundreds.
  const marks = (chart) => [...chart.querySelectorAll("a, [data-tip]:not(a *)")].filter((m) => m.hasAttribute("data-tip"));
  function rove(within) {
    for (const chart of within.querySelectorAll("svg.chart[role=group]")) {
      const all = marks(chart);
      const first = chart.querySelector("a > .c-point")?.parentNode ?? all[0];
      for (const mark of all) mark.setAttribute("tabindex", mark === first ? 0 : -1);
      chart.setAttribute("aria-description", "arrow keys go from mark to mark");
    }
  }
  function step(e) {
    const chart = e.target.closest?.("svg.chart[role=group]");
    const forward = { ArrowRight: true, ArrowDown: true, ArrowLeft: false, ArrowUp: false }[e.key];
    if (!chart || (forward === undefined && e.key !== "Home" && e.key !== "End") || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    const place = (mark) => { const b = mark.getBoundingClientRect(); return { mark, x: Math.round(b.x + b.width / 2), y: Math.round(b.y + b.height / 2) }; };
    const rows = chart.querySelector("rect[data-tip], a > rect") !== null; // cells and bars are read as lines are, points from left to right
    const all = marks(chart).map(place).sort((p, q) => rows ? p.y - q.y || p.x - q.x : p.x - q.x || q.y - p.y).map((p) => p.mark);
    const at = all.indexOf(e.target);
    const to = e.key === "Home" ? 0 : e.key === "End" ? all.length - 1 : Math.min(all.length - 1, Math.max(0, at + (forward ? 1 : -1)));
    e.target.setAttribute("tabindex", -1);
    all[to].setAttribute("tabindex", 0);
    all[to].focus();
  }

  // Live parts: a stream of events brings the panel of progress; when the rest of
  // the page may be out of date it is fetched, and its live parts replaced.
  const parse = (html) => new DOMParser().parseFromString(html, "text/html");
  let stale = false, busy = false;
  const pause = 2000; // between two looks at the page, in milliseconds

  async function refresh() {
    if (busy || document.hidden || !stale) return;
    busy = true;
    stale = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const fresh = answer.ok ? parse(await answer.text()) : null;
      if (fresh && !fresh.querySelector("[data-unfinished]")) replace(fresh);
    } catch { stale = true; /* the server is away: the stream says when it is back */ }
    setTimeout(() => { busy = false; refresh(); }, pause);
  }
  function replace(fresh) {
    for (const part of document.querySelectorAll("[data-live]")) {
      if (part.contains(document.activeElement) && document.activeElement !== document.body) { stale = true; continue; } // not under somebody's hands
      const now = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!now) continue;
      for (const box of part.querySelectorAll("input[type=checkbox]:checked")) {
        const same = now.querySelector(`input[value="${CSS.escape(box.value)}"]`);
        if (same) same.checked = true;
      }
      for (const open of part.querySelectorAll("details[id][open]")) {
        const same = now.querySelector("#" + CSS.escape(open.id));
        if (same) same.open = true;
      }
      part.replaceChildren(...now.childNodes);
      rove(part);
    }
  }
  function follow() {
    const panel = document.querySelector("[data-events]");
    if (!panel || !window.EventSource) return;
    const every = panel.dataset.refresh, away = document.querySelector("[data-away]");
    let events = null;
    function open() {
      events = new EventSource(panel.dataset.events);
      events.addEventListener("open", () => { if (away) away.hidden = true; });
      events.addEventListener("error", () => { if (away) away.hidden = false; });
      events.addEventListener("progress", (e) => {
        if (panel.childNodes.length && !panel.contains(document.activeElement)) panel.replaceChildren(...parse(e.data).body.childNodes);
        say(panel);
        if (every === "progress") { stale = true; refresh(); }
      });
      events.addEventListener("changed", () => { stale = true; refresh(); });
    }
    function close() {
      events?.close();
      events = null;
    }
    // A browser has few connections to one server for all its tabs: those that nobody looks at hold none.
    document.addEventListener("visibilitychange", () => {
      close();
      if (document.hidden) return;
      open();
      stale = true;
      refresh();
    });
    addEventListener("pagehide", close);
    addEventListener("pageshow", (e) => { if (e.persisted && !events) open(); });
    say(panel, true);
    if (!document.hidden) open();
  }

  // What counts as news is said to those who listen, not oftener than they can bear.
  const between = 15000; // two pieces of news, in milliseconds
  let news = "", waiting = false;
  function say(panel, known) {
    const place = document.querySelector("[data-said]"), counts = panel.querySelector("[data-news]");
    if (!place || !counts || counts.dataset.news === news) return;
    if (known) { news = counts.dataset.news; return; }
    if (waiting) return;
    waiting = true;
    place.textContent = news = counts.dataset.news;
    setTimeout(() => { waiting = false; say(panel); }, between);
  }
  function begin() { rove(document); follow(); }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
