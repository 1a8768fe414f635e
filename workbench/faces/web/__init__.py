"""The web page, at home and as a Space: `launch()`."""

from __future__ import annotations

import os

from workbench.store import Store


def launch(host: str = "127.0.0.1", port: int | None = None, shared: bool | None = None) -> None:
    """Serve until interrupted. `shared`: people see only their own runs; on a Space they always do."""
    from workbench.faces.web import look, page, take

    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    store = Store()
    on_a_space = bool(os.environ.get("SPACE_ID"))
    demo = page.build(store, shared=on_a_space if shared is None else shared or on_a_space)
    demo.queue(default_concurrency_limit=20)
    demo.launch(
        server_name="0.0.0.0" if on_a_space else host, server_port=port, theme=look.theme(), css=look.css(),
        head=look.head(), allowed_paths=[str(take.exports(store))], footer_links=[], run_history=False,
        enable_monitoring=False, max_file_size="50mb", ssr_mode=False, show_error=False,
    )  # fmt: skip
