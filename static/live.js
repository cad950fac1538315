/* What htmx asks for and puts in its place: polls, their end, errors, focus. Every page works without this file.

   data-poll          pauses while nobody looks, and ends with what it shows (see macros/lists.html) */
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const complain = (message) => document.dispatchEvent(new CustomEvent("toasts", { detail: { items: [{ tone: "bad", message }] } }));

  /* -- polling: not while hidden, slower after 2 quiet minutes, no more after 20 ----------------------------------- */
  let lastNews = Date.now(), unreachable = false;
  const lastPoll = new WeakMap(), over = new WeakSet();
  const news = () => { lastNews = Date.now(); };
  const resume = () => {
    news(); delete root.dataset.paused;
    all("[data-poll]").forEach((element) => htmx.trigger(element, "resume"));
  };
  const mayPoll = (element) => {
    const quiet = Date.now() - lastNews;
    if (document.hidden || quiet > 20 * 60_000) return false;
    return quiet < 2 * 60_000 || Date.now() - (lastPoll.get(element) ?? 0) > 15_000;
  };
  document.addEventListener("click", ({ target }) => { if (target.closest("[data-resume]")) resume(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) resume(); });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, target, requestConfig } = event.detail;
    if (over.has(elt)) event.preventDefault();
    else if (elt.hasAttribute("data-poll")) {
      const asked = requestConfig.triggeringEvent; // "resume" or an announcement; htmx's own polls have none
      if (!asked && !mayPoll(elt)) {
        event.preventDefault();
        if (!document.hidden && Date.now() - lastNews > 20 * 60_000) root.dataset.paused = "";
      } else lastPoll.set(elt, Date.now());
    } else {
      news();
      target?.setAttribute("aria-busy", "true");
    }
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    event.detail.target?.removeAttribute("aria-busy");
    if (event.detail.successful) unreachable = false;
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => { if (detail.requestConfig?.elt.dataset.poll !== "quiet") news(); });

  /* -- errors ------------------------------------------------------------------------------------------------------ */
  const end = (words, href, label) => { // of what the page shows: said once, where it is seen, and it stays
    if (document.getElementById("over")) return;
    const notice = document.createElement("div");
    const text = document.createElement("p");
    notice.id = "over"; notice.className = "notice tone-bad over"; notice.setAttribute("role", "alert");
    text.textContent = `${words} `;
    if (href) {
      const link = document.createElement("a");
      link.href = href; link.textContent = label;
      text.append(link);
    }
    notice.append(text);
    document.getElementById("main").prepend(notice);
  };
  const unwell = (words) => {
    if (!unreachable) complain(words);
    unreachable = true;
  };
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { elt, xhr } = event.detail;
    if (!elt.hasAttribute("data-poll") || xhr.status < 400) return;
    event.preventDefault(); // neither the toast nor the redirect: nobody asked for anything just now
    if (xhr.status === 401) end("You have been signed out, so this page is no longer updated.", xhr.getResponseHeader("HX-Redirect"), "Sign in");
    else if ([403, 404, 410].includes(xhr.status)) {
      const up = [...document.querySelectorAll(".crumbs a")].pop();
      end("What this page shows was deleted, or you may no longer see it. It is no longer updated.", up?.href, up && `Back to ${up.textContent.trim()}`);
    } else return unwell(`Hookyard cannot update this page now (${xhr.status}). What you see may be out of date.`);
    over.add(elt);
  });
  document.addEventListener("htmx:responseError", ({ detail: { xhr } }) => {
    if (xhr.getResponseHeader("HX-Trigger")) return;
    complain(`The server could not do that (${xhr.status}). Reload the page and try again.`);
  });
  document.addEventListener("htmx:sendError", () => unwell("Hookyard cannot be reached. What you see may be out of date."));
  document.addEventListener("htmx:afterSettle", ({ detail: { xhr } }) => {
    if (xhr?.status === 422) document.querySelector("[data-error-summary]")?.focus();
  });

  /* -- focus: when a swap takes away what has it, what came in its place gets it (htmx does so by id alone) --------- */
  const CONTROLS = "a[href], button:enabled, input:enabled, select:enabled, textarea:enabled, summary";
  const nameOf = (element) => [element.tagName, element.name, element.getAttribute("aria-label") ?? element.textContent.trim()].join();
  let lost = null;
  const leave = ({ detail: { target } }) => {
    const at = document.activeElement;
    const inside = target !== document.body && at !== document.body && target.contains(at);
    if (inside) lost = { name: nameOf(at), within: target.closest("[id]")?.id };
  };
  document.addEventListener("htmx:beforeSwap", leave);
  document.addEventListener("htmx:oobBeforeSwap", leave);
  document.addEventListener("htmx:afterSettle", () => {
    const within = lost && document.activeElement === document.body && document.getElementById(lost.within);
    if (within) {
      const same = all(CONTROLS, within).find((one) => nameOf(one) === lost.name);
      if (!same) within.tabIndex = -1;
      (same ?? within).focus({ preventScroll: true });
    }
    lost = null;
  });

  /* -- announcements: screen readers hear a live region that changes, but not one that a swap brings anew; #announcer stays,
        and repeats what such regions say when it is not what stood in their place before -- */
  const REGIONS = "[role=status]:not(#toasts, #announcer)";
  const known = new WeakSet(), said = new Map();
  const placeOf = (region) => region.id || region.closest("[id]")?.id;
  const wordsOf = (region) => {
    const copy = region.cloneNode(true);
    all("a, button, details, [aria-hidden=true]", copy).forEach((part) => part.remove());
    const walker = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT), parts = [];
    while (walker.nextNode()) parts.push(walker.currentNode.data);
    return parts.join(" ").replace(/\s+/g, " ").replace(/ (?=[.,])/g, "").trim();
  };
  const hear = () => {
    const fresh = all(REGIONS).filter((region) => !known.has(region) && region.checkVisibility());
    return fresh.flatMap((region) => {
      const words = wordsOf(region), place = placeOf(region), isNew = words && words !== said.get(place);
      known.add(region); said.set(place, words);
      return isNew ? [words] : [];
    });
  };
  hear(); // what stands there from the beginning is read with the page
  document.addEventListener("htmx:afterSettle", () => {
    const words = hear();
    if (words.length) document.getElementById("announcer").textContent = words.join(" ");
  });
})();
