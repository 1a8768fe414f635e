"""The web page, at home and as a Space: `launch()`."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import threading

from workbench import isolate
from workbench.errors import RequestError
from workbench.faces.web.lighter import without_extras
from workbench.store import Store

MOST_UPLOAD = "50mb"
MOST_SESSIONS = 200  # pages whose state is kept; each costs a quarter of a megabyte, and anybody can open one
WAKE = 0.03  # seconds between two looks into Gradio's queue; its own 0.001 takes a twentieth of a core from measuring


def launch(host: str = "127.0.0.1", port: int | None = None, shared: bool | None = None) -> None:
    """Serve until interrupted. `shared`: people see only their own runs, and no place on this machine; a Space always
    is. With the package `mcp` installed, the functions of the API are MCP tools, too."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from workbench import bench

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # the address is seen at once in a log, too
    isolate.hide()
    isolate.end_orphans()
    isolate.take_place(first=True)  # what is timed goes before others, and would let no page be served
    store = Store()
    devices = threading.Thread(target=bench.offered, kwargs={"store": store})  # asked in a worker, beside the imports
    devices.start()
    with without_extras():
        from workbench.faces.web import look, page, take

    devices.join()
    on_a_space = bool(os.environ.get("SPACE_ID"))
    demo = page.build(store, shared=on_a_space if shared is None else shared or on_a_space)
    demo.queue(default_concurrency_limit=20)
    demo._queue.sleep_when_free = demo._queue.progress_update_sleep_when_free = WAKE
    try:
        demo.launch(
            server_name="0.0.0.0" if on_a_space else host, server_port=port, theme=look.theme(), css=look.css(),
            head=look.head(), allowed_paths=[str(take.exports(store))], footer_links=[], run_history=False,
            enable_monitoring=False, state_session_capacity=MOST_SESSIONS, max_file_size=MOST_UPLOAD, ssr_mode=False,
            show_error=False, mcp_server=importlib.util.find_spec("mcp") is not None,
        )  # fmt: skip
    except OSError as error:
        why = f"Somebody else listens at {host}, port {port}." if port else f"{error.strerror or error}."
        raise RequestError("The page cannot be served.", why, "Name another port with --port.") from None
