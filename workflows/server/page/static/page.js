// Keeps what is shown fresh, and sends a picture that is dropped. Everything else are links and forms.
"use strict";

const RUNNING_MS = 1000; // while something runs
const RESTING_MS = 5000;

async function fetchPage(address, options) {
  const answer = await fetch(address, options);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Parts that are looked at keep their places; a log whose end is looked at stays at its end.
function remember(live) {
  const focused = document.activeElement;
  return {
    focus: focused && live.contains(focused) ? focused.id : "",
    scrolled: [...live.querySelectorAll("[data-keep-scroll], [data-tail]")].map((part) => ({
      id: part.id,
      left: part.scrollLeft,
      top: part.scrollTop,
      atEnd: part.scrollHeight - part.scrollTop - part.clientHeight < 8,
    })),
  };
}

function restore(kept) {
  for (const { id, left, top, atEnd } of kept.scrolled) {
    const part = document.getElementById(id);
    if (part) {
      part.scrollLeft = left;
      part.scrollTop = "tail" in part.dataset && atEnd ? part.scrollHeight : top;
    }
  }
  const focused = kept.focus && document.getElementById(kept.focus);
  if (focused) focused.focus({ preventScroll: true });
}

function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer.textContent !== text) announcer.textContent = text;
}

function show(fresh) {
  const live = document.getElementById("live");
  const newer = fresh.getElementById("live");
  if (!newer?.childElementCount) {
    window.location.reload(); // it was removed, or the session has ended: the whole page says so
    return;
  }
  live.dataset.runs = newer.dataset.runs;
  document.title = fresh.title;
  if (newer.innerHTML === live.innerHTML) return;
  const before = live.querySelector("[data-announce]")?.textContent;
  const kept = remember(live);
  live.replaceChildren(...newer.childNodes);
  restore(kept);
  const now = live.querySelector("[data-announce]")?.textContent;
  if (now && now !== before) announce(now);
}

// A selection would be lost, and a button that is about to be pressed would be another one.
function isBusy() {
  const selection = window.getSelection();
  const live = document.getElementById("live");
  const selects = !selection.isCollapsed && live.contains(selection.anchorNode);
  return document.hidden || selects || live.querySelector(":active");
}

async function refresh() {
  const lost = document.getElementById("lost");
  if (!isBusy()) {
    try {
      show(await fetchPage(window.location.href));
      lost.hidden = true;
    } catch (error) {
      lost.hidden = false;
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

async function keepFresh() {
  try {
    await refresh();
  } finally {
    const runs = document.getElementById("live").dataset.runs === "yes";
    window.setTimeout(keepFresh, runs ? RUNNING_MS : RESTING_MS);
  }
}

async function ask(form) {
  const answer = document.getElementById("answer");
  answer.setAttribute("aria-busy", "true");
  try {
    const fresh = await fetchPage(form.action, { method: "POST", body: new FormData(form) });
    const found = fresh.getElementById("answer");
    answer.replaceChildren(...(found ?? fresh.getElementById("main")).childNodes);
  } catch (error) {
    document.getElementById("lost").hidden = false;
    if (!(error instanceof TypeError)) throw error;
  } finally {
    answer.removeAttribute("aria-busy");
  }
}

function listenForPictures(form) {
  const input = form.elements.namedItem("picture");
  const over = (is) => (event) => {
    event.preventDefault();
    form.classList.toggle("over", is);
  };
  form.addEventListener("dragover", over(true));
  form.addEventListener("dragleave", over(false));
  form.addEventListener("drop", (event) => {
    over(false)(event);
    if (event.dataTransfer.files.length === 0) return;
    input.files = event.dataTransfer.files;
    form.requestSubmit();
  });
  input.addEventListener("change", () => form.requestSubmit());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(form);
  });
}

const drop = document.getElementById("drop");
if (drop) listenForPictures(drop);
for (const log of document.querySelectorAll("[data-tail]")) log.scrollTop = log.scrollHeight;
const graph = document.getElementById("graph");
if (graph) graph.scrollLeft = (graph.scrollWidth - graph.clientWidth) / 2;
if (document.getElementById("live").childElementCount > 0) window.setTimeout(keepFresh, RUNNING_MS);
