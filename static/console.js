/* What htmx and HTML do not do by themselves. Every page works without this file.

   data-copy="text"           copies it            data-dialog="id"   opens that dialog      data-close  closes the one around
   data-set="theme|density"   keeps the choice
   data-bulk (a form)         counts its ticked rows into [data-count]; [data-needs] shows if any of them data-waits; data-select-all ticks all
   data-filter="#list"        hides the children of .picker-children that do not contain the text
   data-add-row="#template"   puts a copy of the template before the button          data-remove=".pair"  removes the row
   data-ctrl-enter (a form)   is sent by Ctrl+Enter   .field.changed hides the errors of a field */
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  root.classList.add("js");

  /* -- toasts: sent by the server as the event "toasts" ------------------------------------------------------------ */
  const toast = ({ message, tone = "good", link, label }) => {
    const box = document.createElement("div");
    const text = document.createElement("p");
    const close = document.createElement("button");
    box.className = `toast tone-${tone}`; text.textContent = message;
    close.type = "button"; close.textContent = "×";
    close.setAttribute("aria-label", "Dismiss");
    close.addEventListener("click", () => box.remove());
    if (link) { // one such toast: the newest leads back to the newest that was typed
      const way = document.createElement("a");
      way.href = link; way.textContent = label;
      text.append(" ", way);
      all(".toast:has(a)").forEach((one) => one.remove());
    }
    box.append(text, close);
    document.getElementById("toasts").append(box);
    if (tone === "bad") return; // an error stays until it is read
    let timer = setTimeout(() => box.remove(), 6000);
    box.addEventListener("pointerenter", () => clearTimeout(timer));
    box.addEventListener("pointerleave", () => (timer = setTimeout(() => box.remove(), 3000)));
  };
  document.addEventListener("toasts", (event) => event.detail.items.forEach(toast));

  /* -- clicks ------------------------------------------------------------------------------------------------------ */
  const copy = async (button) => {
    const text = button.dataset.copy, dialog = document.getElementById("copy-text"), area = dialog.querySelector("textarea");
    try {
      await navigator.clipboard.writeText(text);
    } catch { // there is no clipboard on plain http, except for localhost: select the text, or leave it selected in a dialog
      area.value = text; dialog.showModal(); area.select();
      if (!document.execCommand("copy")) return;
      dialog.close();
    }
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
    toast({ message: "Copied" });
  };
  const keepChoice = (button) => {
    const { set } = button.dataset;
    root.dataset[set] = button.value;
    document.cookie = `${set}=${button.value}; path=/; max-age=31536000; samesite=lax`;
    all(`[data-set="${set}"]`).forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
  };
  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    let found;
    if ((found = on("[data-copy]"))) copy(found);
    else if ((found = on("[data-set]"))) keepChoice(found);
    else if (on("[data-close]")) on("dialog").close();
    else if (event.target.matches("dialog")) event.target.close(); // the backdrop
    else if ((found = on("[data-remove]"))) found.closest(found.dataset.remove).remove();
    else if ((found = on("[data-add-row]"))) {
      found.before(document.querySelector(found.dataset.addRow).content.cloneNode(true));
      found.previousElementSibling.querySelector("input")?.focus();
    } else if ((found = on("[data-dialog]")) && document.getElementById(found.dataset.dialog)) {
      event.preventDefault();
      document.getElementById(found.dataset.dialog).showModal();
    }
    all("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("toggle", ({ target }) => { if (target.matches("details.menu[open]")) target.querySelector("[type=search]")?.focus(); }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    const form = event.target.closest?.("form[data-ctrl-enter]");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  /* -- forms ------------------------------------------------------------------------------------------------------- */
  const countTicked = (form) => {
    const boxes = all("tbody [type=checkbox]", form);
    const ticked = boxes.filter((box) => box.checked).length;
    form.toggleAttribute("data-selected", ticked > 0);
    const waiting = boxes.filter((box) => box.checked && "waits" in box.dataset).length;
    all("[data-count]", form).forEach((place) => { place.textContent = (place.dataset.count ? waiting : ticked) || "selected"; });
    all("[data-needs]", form).forEach((button) => { button.hidden = !waiting; });
    all("[data-select-all]", form).forEach((box) => {
      box.checked = ticked > 0 && ticked === boxes.length;
      box.indeterminate = ticked > 0 && ticked < boxes.length;
    });
  };
  document.addEventListener("change", ({ target }) => {
    const form = target.closest("form[data-bulk]");
    if (!form) return;
    if (target.matches("[data-select-all]")) all("tbody [type=checkbox]", form).forEach((box) => { box.checked = target.checked; });
    countTicked(form);
  });
  document.addEventListener("reset", ({ target }) => { if (target.matches("form[data-bulk]")) setTimeout(countTicked, 0, target); });
  addEventListener("pageshow", () => all("form[data-bulk]").forEach(countTicked)); // the Back button keeps ticks
  document.addEventListener("input", ({ target }) => {
    target.closest(".field")?.classList.add("changed"); // what was said of it is no longer about what stands there
    if (!target.dataset.filter) return;
    const wanted = target.value.trim().toLowerCase();
    const list = document.querySelector(target.dataset.filter);
    all(".picker-children > *", list).forEach((row) => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
    all("fieldset", list).forEach((group) => { group.hidden = !group.querySelector(".picker-children > :not([hidden])"); });
    all("details", list).forEach((one) => { one.open = wanted || one.querySelector(":checked"); });
  });
})();
