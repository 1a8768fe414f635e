// Draws the run's markup into the cell's output, and tells the kernel what was clicked. The output is plain HTML that
// stays when kernel and widget are gone; while they live, this takes it over.
const GONE = "The kernel was restarted or is gone. The run goes on: the same cell again finds it.";
const ACTIONS = { cancel: "Cancel", resume: "Resume" };
const NEXT = { waiting: "cancel", running: "cancel", failed: "resume", cancelled: "resume", stopped: "resume" };

// Change only what differs, so that focus, scrolling and turning icons stay as they are.
function patch(old, now) {
  if (old.isEqualNode(now)) return;
  if (old.nodeName !== now.nodeName || old.nodeType !== now.nodeType) return old.replaceWith(now);
  if (old.nodeType === Node.TEXT_NODE) { old.data = now.data; return; }
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...now.childNodes]];
  after.forEach((node, i) => before[i] ? patch(before[i], node) : old.append(node));
  before.slice(after.length).forEach(node => node.remove());
}

function draw(model, element, signal) {
  const drawn = element.querySelector(".drawn"), actions = element.querySelector(".actions");
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.onclick = () => { button.disabled = true; model.send({ do: button.dataset.action }); };

  const show = () => {
    if (model.get("html") && drawn.dataset.stamp !== model.get("stamp")) {
      const log = drawn.querySelector(".log");
      const atEnd = !log || log.scrollTop + log.clientHeight > log.scrollHeight - 8;
      const now = drawn.cloneNode(false);
      now.innerHTML = model.get("html");
      now.dataset.stamp = model.get("stamp");
      patch(drawn, now);
      const newer = drawn.querySelector(".log");
      if (newer && atEnd) newer.scrollTop = newer.scrollHeight;
    }
    window.workbench.enliven(element);
    act();
    mark();
  };
  const act = () => {
    const next = NEXT[model.get("status")];
    if (button.dataset.action !== next) {
      button.disabled = false;
      button.dataset.action = next ?? "";
      button.textContent = ACTIONS[next] ?? "";
    }
    if (next && !button.isConnected) actions.replaceChildren(button);
    if (!next) actions.replaceChildren();
  };
  const mark = () => { if (model.get("selected")) element.workbenchSelect?.(model.get("selected")); };
  const choose = event => { model.set("selected", event.detail); model.save_changes(); };

  element.addEventListener("workbench:select", choose, { signal });
  model.on("change:stamp", show);
  model.on("change:selected", mark);
  show();
  return () => {
    model.off("change:stamp", show);
    model.off("change:selected", mark);
    element.removeEventListener("workbench:select", choose);
  };
}

export default {
  // Outputs of this cell's name are taken over whenever they appear: at first, replaced by a newer one, after a reload.
  initialize({ model, signal }) {
    const place = `[data-workbench-cell="${model.get("cell")}"] > .workbench`;
    const taken = new Map();
    const look = () => {
      for (const [element, stop] of taken) if (!element.isConnected) { stop(); taken.delete(element); }
      document.querySelectorAll(place).forEach(one => { if (!taken.has(one)) taken.set(one, draw(model, one, signal)); });
    };
    let asked = 0;
    const observer = new MutationObserver(() => { asked ||= requestAnimationFrame(() => { asked = 0; look(); }); });
    observer.observe(document.body, { childList: true, subtree: true });
    const gone = () => taken.forEach((_, element) => {
      const actions = element.querySelector(".actions");
      if (!actions.firstChild) return;
      actions.replaceChildren(Object.assign(document.createElement("p"), { className: "note", textContent: GONE }));
    });
    model.on("comm_live_update", gone);
    look();
    return () => { observer.disconnect(); gone(); taken.forEach(stop => stop()); };
  },
  render({ model, el, signal }) {
    el.innerHTML = model.get("place");
    return draw(model, el.querySelector(".workbench"), signal);
  },
};
