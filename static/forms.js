/* What keeps forms from harm. Every page works without this file.

   Dates of filters apply when they are complete; a form that is being sent is not sent again; Back brings its one-time key again. */
(() => {
  "use strict";
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
