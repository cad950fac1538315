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
})();
