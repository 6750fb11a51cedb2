"""Pages of other companies that embed the widget, on an origin of their own."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><title>Shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>
<body><main><h1>Shop</h1><p><button id="before">A button of the page</button></p></main>
{scripts}</body></html>"""


class Site:
    """Serves what it is given; `page` makes a page with the widget on it and returns its address."""

    def __init__(self) -> None:
        self._pages: dict[str, tuple[str, str, dict[str, str]]] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                if self.path == "/favicon.ico":
                    self.send_response(204)
                    self.end_headers()
                    return
                content, media_type, headers = site._pages.get(self.path, ("", "text/plain", {}))
                body = content.encode()
                self.send_response(200 if self.path in site._pages else 404)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", f"{media_type}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, content: str, *, media_type: str = "text/html", headers: dict[str, str] | None = None) -> str:
        path = f"/{len(self._pages)}"
        self._pages[path] = (content, media_type, headers or {})
        return self.origin + path

    def page(self, *scripts: str, lang: str = "en", head: str = "", headers: dict[str, str] | None = None) -> str:
        return self.serve(PAGE.format(lang=lang, head=head, scripts="\n".join(scripts)), headers=headers)
