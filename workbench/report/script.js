// Comfort only: every figure and text of the page is there without this.
window.workbench = window.workbench || {};

// theme: the system's, or what was asked for. Only the page that stands alone has a button for it.
window.workbench.themed = page => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const button = page.querySelector(".theme");
  let theme = new URLSearchParams(location.search).get("theme");
  try { theme ??= localStorage.getItem("workbench-theme"); } catch { /* storage may be closed to files */ }
  const show = next => {
    theme = themes.includes(next) ? next : "auto";
    if (theme === "auto") root.removeAttribute("data-theme"); else root.setAttribute("data-theme", theme);
    if (button) button.textContent = theme[0].toUpperCase() + theme.slice(1);
    try { localStorage.setItem("workbench-theme", theme); } catch { /* as above */ }
  };
  show(theme);
  if (button) { button.hidden = false; button.onclick = () => show(themes[(themes.indexOf(theme) + 1) % 3]); }
};

// copying, flips and selection inside `page`, as often as its markup is new
window.workbench.enliven = page => {
  const all = (selector, from = page) => [...from.querySelectorAll(selector)];

  // copy
  all(".copy").forEach(one => {
    one.hidden = false;
    one.onclick = async () => {
      const text = one.closest(".code").querySelector("pre");
      try { await navigator.clipboard.writeText(text.textContent); one.lastChild.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(text); one.lastChild.textContent = "Selected"; }
    };
  });

  // flips: by variant and direction
  const filter = page.querySelector(".filter"), pick = page.querySelector(".flipvariant");
  let kind = "";
  const sift = () => all("[data-for]").forEach(group => {
    group.hidden = pick.value !== "" && group.dataset.for !== pick.value;
    if (pick.value) group.open = !group.hidden;
    all("li[data-kind]", group).forEach(item => { item.hidden = kind !== "" && item.dataset.kind !== kind; });
  });
  if (filter) {
    filter.hidden = false;
    pick.onchange = sift;
    all(".seg button", filter).forEach(one => one.onclick = () => {
      kind = one.dataset.kind;
      all(".seg button", filter).forEach(other => other.setAttribute("aria-pressed", other === one));
      sift();
    });
  }

  // a row, its point and its flips are one selection; who shows this page hears of it as "workbench:select"
  const rows = () => all(".board tr[data-row]:not(.out)");
  const select = row => {
    rows().forEach(one => one === row ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current"));
    all("[data-point]").forEach(one => { one.style.opacity = one.dataset.point === row.dataset.row ? 1 : 0.45; });
    if (pick && [...pick.options].some(option => option.value === row.dataset.row)) { pick.value = row.dataset.row; sift(); }
  };
  const chosen = row => {
    select(row);
    page.dispatchEvent(new CustomEvent("workbench:select", { detail: row.dataset.row }));
  };
  rows().forEach(row => {
    const name = row.querySelector(".id");
    if (name.querySelector("button")) return;
    name.innerHTML = `<button type="button">${name.innerHTML}</button>`;
    row.classList.add("live");
    row.onclick = () => chosen(row);
  });
  all("[data-point]").forEach(point => {
    const row = rows().find(one => one.dataset.row === point.dataset.point);
    point.classList.toggle("live", Boolean(row));
    point.onclick = row ? () => chosen(row) : null;
  });
  page.workbenchSelect = name => { const row = rows().find(one => one.dataset.row === name); if (row) select(row); };
};

if (document.body?.classList.contains("workbench")) {
  window.workbench.themed(document.body);
  window.workbench.enliven(document.body);
}
