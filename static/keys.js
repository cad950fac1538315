/* The log as it flows, the keyboard, the palette. Every page works without this file.

   #fresh holds rows that the tail brought; data-show-new (a button) puts them on top; data-relist (a link) asks for the list anew
   data-key="e" is clicked by that key; data-find (a field) marks its words in the pane around it */
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector) => document.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  /* -- the tail: new rows wait while somebody reads, or as long as Live is off ------------------------------------- */
  const MOST_ROWS = 300;
  const showNew = (button) => {
    const fresh = all("#fresh > tr");
    if (all("#log form tbody > tr").length > MOST_ROWS) return location.assign(button.dataset.showNew);
    one("#log tr.day").after(...fresh);
    fresh.forEach((row) => row.classList.add("arrived"));
    one("[data-arrived]").textContent = `${fresh.length} new`;
    button.hidden = true;
    one("form[data-bulk]")?.dispatchEvent(new Event("change", { bubbles: true })); // counts the ticks again
  };
  const arrived = () => {
    const fresh = all("#fresh > tr");
    const isReading = scrollY > 200 || one("#log form tbody :is(:checked, :focus)");
    const flows = one("#filter-tail:checked") && !isReading;
    if (flows) one("[data-relist]")?.click();
    if (!fresh.length) return;
    const button = one("[data-show-new]");
    button.textContent = `${fresh.length} new: show`;
    button.hidden = false;
    if (flows) showNew(button);
  };
  document.addEventListener("htmx:afterSwap", arrived);
  document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
    if (detail.target.matches("tr:has(:checked, :focus)")) detail.shouldSwap = false; // it is in somebody's hands
  });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-show-new]");
    if (button) showNew(button);
  });

  /* -- a bin: new requests wait while one is being read, which they would push down -------------------------------- */
  let caught = [];
  const showCaught = () => {
    one("#caught").prepend(...caught);
    caught.forEach((item) => htmx.process(item));
    caught = [];
    one("#caught-new").hidden = true;
  };
  document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
    if (detail.target.id !== "caught") return;
    caught.unshift(...detail.fragment.children);
    detail.shouldSwap = false;
    const button = one("#caught-new");
    button.textContent = `${caught.length} new: show`;
    button.hidden = false;
    if (scrollY < 200 && !one("#caught > li:has(details[open]):is(:hover, :focus-within)")) showCaught();
  });
  document.addEventListener("click", ({ target }) => { if (target.closest("#caught-new")) showCaught(); });

  /* -- single keys: not while typing, not when switched off --------------------------------------------------------- */
  let before = "";
  const open = (id) => { one(`#${id}:not([open])`)?.showModal(); };
  const row = () => document.activeElement.closest("tr");
  const step = (by) => {
    const links = all("main .title-link");
    const at = links.findIndex((link) => link.closest("tr") === row());
    (links[at + by] ?? (at < 0 ? links[0] : null))?.focus();
  };
  const acts = {
    j: () => step(1),
    k: () => step(-1),
    x: () => row()?.querySelector(".tick input")?.click(),
    e: () => (row()?.querySelector("[data-key=e]") ?? one(".actions [data-key=e]"))?.click(),
    "/": () => one("#search")?.focus(),
    "?": () => open("shortcuts"),
  };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey) {
      event.preventDefault();
      return open("palette");
    }
    const isTyping = target.closest("input:not([type=checkbox], [type=radio]), select, textarea, dialog[open]");
    if (root.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
    const keys = before + key;
    before = keys === "g" ? "g " : "";
    const named = /^(g )?[a-z[\]]$/.test(keys) && one(`[data-key="${keys}"]`);
    const act = acts[keys] ?? (named ? () => named.click() : null);
    if (!act) return;
    event.preventDefault();
    act();
  });

  /* -- the palette, and the menu of organizations: arrows go through the lines, Enter takes the first ---------------- */
  document.addEventListener("keydown", (event) => {
    const isSwitcher = event.target.closest(".switcher[open]");
    if (!isSwitcher && !event.target.closest("#palette, form:has(#palette-q), #palette-results")) return;
    const name = isSwitcher ? "switcher" : "palette";
    const lines = all(`#${name}-results a`);
    const at = lines.indexOf(document.activeElement);
    const next = { ArrowDown: lines[at + 1], ArrowUp: at ? lines[at - 1] : one(`#${name}-q`) }[event.key];
    if (next) next.focus();
    else if (event.key === "Enter" && lines.length && one(`#${name}-results ul`)?.dataset.words === event.target.value?.trim()) lines[0].click();
    else return;
    event.preventDefault();
  });

  /* -- find in a pane ------------------------------------------------------------------------------------------------ */
  const MOST_FOUND = 2000; // marks; a browser takes seconds to draw ten times as many
  document.addEventListener("input", ({ target }) => {
    if (!target.matches("[data-find]") || !CSS.highlights) return;
    const words = target.value.toLowerCase();
    const found = [];
    search: for (const block of words ? all("pre", target.closest(".pane")) : []) {
      const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const { data } = walker.currentNode;
        const lower = data.toLowerCase();
        const text = lower.length === data.length ? lower : data; // "İ" has two letters in lower case, and places would be off
        for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
          const range = new Range();
          range.setStart(walker.currentNode, at);
          range.setEnd(walker.currentNode, at + words.length);
          found.push(range);
          if (found.length === MOST_FOUND) break search;
        }
      }
    }
    const marks = new Highlight();
    found.forEach((range) => marks.add(range)); // one by one: as arguments, very many overflow the stack
    CSS.highlights.set("found", marks);
    found.map((range) => range.startContainer.parentElement).find((element) => element.offsetParent)?.scrollIntoView({ block: "nearest" });
  });
})();
