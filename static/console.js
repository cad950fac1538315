/* What htmx and HTML do not do by themselves. Every page works without this file.

   data-copy="text"           copies it            data-dialog="id"   opens that dialog      data-close  closes the one around
   data-set="theme|density"   keeps the choice
   data-bulk (a form)         counts its ticked rows into [data-count]; [data-needs] shows if any of them data-waits; data-select-all ticks all
   data-filter="#list"        hides the children of .picker-children that do not contain the text
   data-add-row="#template"   puts a copy of the template before the button          data-remove=".pair"  removes the row
   data-ctrl-enter (a form)   is sent by Ctrl+Enter   .field.changed hides the errors of a field
   Dates of filters apply when they are complete; a form that is being sent is not sent again; Back brings its one-time key again. */
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

  /* -- dates: browsers send "change" for each key that leaves a whole date; wait for a pause, or until the field is left -- */
  const typedDates = new Map();
  const apply = (field) => {
    clearTimeout(typedDates.get(field));
    if (typedDates.delete(field) && field.validity.valid) field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.addEventListener("change", (event) => {
    const { target } = event;
    if (!event.isTrusted || !target.matches("form[hx-trigger] [type=datetime-local]")) return;
    event.stopPropagation();
    clearTimeout(typedDates.get(target));
    typedDates.set(target, setTimeout(apply, 1000, target));
  }, true);
  document.addEventListener("focusout", ({ target }) => apply(target));
  document.addEventListener("submit", () => { typedDates.forEach(clearTimeout); typedDates.clear(); }, true);

  /* -- a form that is being sent is not sent again: by a double click, or by Enter twice -- */
  const lock = (element, locks) => {
    element.toggleAttribute("data-sending", locks);
    const buttons = element.matches("form") ? element.querySelectorAll("[type=submit]") : [element];
    buttons.forEach((button) => (locks ? button.setAttribute("aria-disabled", "true") : button.removeAttribute("aria-disabled")));
  };
  const refuse = (event) => { event.preventDefault(); event.stopImmediatePropagation(); };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.getAttribute("method") !== "post") return;
    if ("sending" in form.dataset) return refuse(event);
    if (form.hasAttribute("hx-post")) return; // htmx says when it begins and ends
    lock(form, true);
    setTimeout(lock, 20_000, form, false); // no page came: the person may try again
  }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[hx-post]");
    if (button && "sending" in button.dataset) refuse(event);
  }, true);
  const isSend = ({ elt, requestConfig }) => requestConfig?.verb === "post" && elt.matches("form, button");
  document.addEventListener("htmx:beforeRequest", ({ detail }) => { if (isSend(detail)) lock(detail.elt, true); });
  document.addEventListener("htmx:afterRequest", ({ detail }) => { if (isSend(detail)) lock(detail.elt, false); });

  /* -- back to a form that was sent: the key it had, so that sending the same again is known as a repetition -- */
  const keys = document.querySelectorAll("[name=form_key]");
  const [visit] = performance.getEntriesByType("navigation");
  if (visit?.type === "back_forward" && history.state?.formKey) keys.forEach((key) => { key.value = history.state.formKey; });
  else if (keys.length) history.replaceState({ ...history.state, formKey: keys[0].value }, "");
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) document.querySelectorAll("form[data-sending]").forEach((form) => lock(form, false));
  });
})();
