"""The page on which the OpenAPI document can be read and tried, served from files that come with Daybook."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

STATIC: Final = Path(__file__).parent / "static"
POLICY: Final = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Daybook: HTTP reference</title>
<link rel="icon" href="/static/swagger-ui/favicon-32x32.png">
<link rel="stylesheet" href="/static/swagger-ui/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/static/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

START: Final = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#reference", deepLinking: true, filter: true, docExpansion: "none"});\n'


def install(app: FastAPI) -> None:
    """Add `/docs` and the files that it needs; `/` leads there."""
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    async def reference() -> HTMLResponse:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})

    async def start() -> HTMLResponse:
        return HTMLResponse(START, media_type="text/javascript")

    async def home() -> RedirectResponse:
        return RedirectResponse("/docs")

    for path, page in (("/docs", reference), ("/docs/start.js", start), ("/", home)):
        app.add_api_route(path, page, include_in_schema=False, methods=["GET"])
