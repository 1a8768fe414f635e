// What only the page needs: its address names the run, its title says how far it is, and copies say so.
window.workbench = Object.assign(window.workbench || {}, {
  address(run) {
    const url = new URL(location.href);
    if (run) url.searchParams.set("run", run); else url.searchParams.delete("run");
    history.replaceState(null, "", url);
  },
  title(text) { document.title = text ? `${text} · Workbench` : "Optimization Workbench"; },
  copyLink() { navigator.clipboard?.writeText(location.href); },
});
