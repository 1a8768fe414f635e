// What only the page needs: its address names the run, its title says how far it is, copies say so, and the cards
// of recipes are a form whose value is text: {"recipes": null (the first choices) or [names], "options": {recipe:
// {place: {field: text}}}}.
window.workbench = Object.assign(window.workbench || {}, {
  address(run) {
    const url = new URL(location.href);
    if (run) url.searchParams.set("run", run); else url.searchParams.delete("run");
    history.replaceState(null, "", url);
  },
  title(text) { document.title = text ? `${text} · Workbench` : "Optimization Workbench"; },
  copyLink() { navigator.clipboard?.writeText(location.href); },

  theme() {  // auto, light or dark; kept by the browser
    const system = matchMedia("(prefers-color-scheme: dark)"), root = document.documentElement;
    const words = {auto: "as the system has it", light: "light", dark: "dark"}, names = Object.keys(words);
    let now = "auto";
    try { now = localStorage.getItem("workbench-theme") || now; } catch { /* the browser keeps nothing */ }
    const show = () => {
      if (now === "auto") delete root.dataset.theme; else root.dataset.theme = now;
      document.body.classList.toggle("dark", now === "dark" || (now === "auto" && system.matches));
      for (const button of document.querySelectorAll("button.theme")) {
        button.textContent = now[0].toUpperCase() + now.slice(1);
        button.setAttribute("aria-label", `Theme: ${words[now]}`);
      }
    };
    document.addEventListener("click", event => {
      if (!event.target.closest("button.theme")) return;
      now = names[(names.indexOf(now) + 1) % names.length];
      try { localStorage.setItem("workbench-theme", now); } catch { /* for this visit, then */ }
      show();
    });
    system.addEventListener("change", () => setTimeout(show));
    show();
  },

  chooser(element, props, trigger, watch) {
    const all = selector => [...element.querySelectorAll(selector)];
    const cards = () => all(".rc[data-recipe]");
    const box = card => card.querySelector(":scope > input");
    const said = field => field.type === "checkbox" ? String(field.checked) : field.value;
    const tell = field => {
      const text = said(field);
      if (text !== field.dataset.was) return text;
    };

    const read = () => {
      const chosen = cards().filter(card => box(card).checked), options = {};
      const untouched = cards().every(card => box(card).checked === ("first" in box(card).dataset));
      for (const card of cards()) for (const place of card.querySelectorAll("fieldset"))
        for (const field of place.querySelectorAll("[data-field]")) {
          const text = tell(field);
          field.classList.toggle("changed", text !== undefined);
          if (text !== undefined) ((options[card.dataset.recipe] ??= {})[place.dataset.place] ??= {})[field.dataset.field] = text;
        }
      const none = untouched && !Object.keys(options).length;
      return {recipes: none ? null : chosen.map(card => card.dataset.recipe), options};
    };

    const unfold = part => { for (let at = part.closest("details"); at; at = at.parentElement.closest("details")) at.open = true; };

    const marked = () => cards().forEach(card => card.classList.toggle("on", box(card).checked));

    const write = () => {  // what the server put there: a recipe file that was opened, or nothing
      let value;
      try { value = JSON.parse(props.value || "{}"); } catch { value = {}; }
      for (const card of cards()) {
        const name = card.dataset.recipe, first = "first" in box(card).dataset;
        box(card).checked = box(card).disabled ? true : value.recipes ? value.recipes.includes(name) : first;
        for (const place of card.querySelectorAll("fieldset"))
          for (const field of place.querySelectorAll("[data-field]")) {
            const text = value.options?.[name]?.[place.dataset.place]?.[field.dataset.field] ?? field.dataset.was;
            if (field.type === "checkbox") field.checked = text === "true"; else field.value = text;
            field.classList.toggle("changed", text !== field.dataset.was);
          }
      }
      marked();
    };

    const refuse = () => {
      let wrong;
      try { wrong = JSON.parse(props.wrong || "{}"); } catch { wrong = {}; }
      for (const place of all(".wrong")) {
        const why = wrong[place.id.slice(0, -"-wrong".length)] ?? "";
        place.hidden = !why;
        place.textContent = why;
        const field = place.previousElementSibling;
        if (why) { field.setAttribute("aria-invalid", "true"); unfold(field); }
        else field.removeAttribute("aria-invalid");
      }
    };

    element.addEventListener("change", event => {
      if (event.target.matches("[data-field]")) {  // an option of a recipe is wanted with the recipe
        const own = box(event.target.closest(".rc"));
        if (!own.checked) own.checked = true;
      }
      marked();
      props.value = JSON.stringify(read());
      trigger("change");
    });
    const linked = () => {  // ?recipe=NAME: that one and the baseline
      const name = new URL(location.href).searchParams.get("recipe");
      const wanted = cards().find(card => card.dataset.recipe === name);
      if (!wanted || props.value) return;
      for (const card of cards()) if (!box(card).disabled) box(card).checked = card === wanted;
      marked();
      props.value = JSON.stringify(read());
    };

    write();
    linked();
    refuse();
    for (const card of cards()) if (box(card).checked && !("first" in box(card).dataset)) unfold(card);
    watch("value", write);
    watch("cards", () => { write(); refuse(); });
    watch("wrong", refuse);
  },
});
