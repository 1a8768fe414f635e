"""The web page, at home and as a Space: `launch()`."""

from __future__ import annotations

import importlib.util
import os

from workbench.errors import RequestError
from workbench.store import Store

MOST_UPLOAD = "50mb"
WAKE = 0.02  # seconds between two looks into Gradio's queue; its own 0.001 takes a twentieth of a core from measuring


def launch(host: str = "127.0.0.1", port: int | None = None, shared: bool | None = None) -> None:
    """Serve until interrupted. `shared`: people see only their own runs, and no place on this machine; a Space always
    is. With the package `mcp` installed, the functions of the API are MCP tools, too."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from workbench.faces.web import look, page, take

    store = Store()
    on_a_space = bool(os.environ.get("SPACE_ID"))
    demo = page.build(store, shared=on_a_space if shared is None else shared or on_a_space)
    demo.queue(default_concurrency_limit=20)
    demo._queue.sleep_when_free = demo._queue.progress_update_sleep_when_free = WAKE
    try:
        demo.launch(
            server_name="0.0.0.0" if on_a_space else host, server_port=port, theme=look.theme(), css=look.css(),
            head=look.head(), allowed_paths=[str(take.exports(store))], footer_links=[], run_history=False,
            enable_monitoring=False, max_file_size=MOST_UPLOAD, ssr_mode=False, show_error=False,
            mcp_server=importlib.util.find_spec("mcp") is not None,
        )  # fmt: skip
    except OSError as error:
        why = f"Somebody else listens at {host}, port {port}." if port else f"{error.strerror or error}."
        raise RequestError("The page cannot be served.", why, "Name another port with --port.") from None
