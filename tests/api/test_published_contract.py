"""A server keeps to the OpenAPI document that it publishes: schemathesis, with all its checks and phases, finds nothing against it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.server import Server

TERMS = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_operation_does_what_the_document_says(tmp_path: Path, root: Path) -> None:
    server = Server(tmp_path / "data").started()
    try:
        report = subprocess.run(
            [
                sys.executable,
                "-m",
                "schemathesis.cli",
                "--config-file",
                str(TERMS),
                "run",
                f"http://127.0.0.1:{server.port}/openapi.json",
                "--no-color",
            ],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.api.ndjson", "PYTHONPATH": str(root)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert report.returncode == 0, report.stdout[-20_000:] + report.stderr[-5_000:]
        assert server.get("/health")["status"] == "ok"
    finally:
        server.stop()
