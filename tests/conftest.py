"""What tests of all folders share: where the third-party data lies, and that no setting of the machine reaches a test."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.postgres", "tests.kafka", "tests.held"]

ROOT = Path(__file__).resolve().parents[1]
SOAK = os.environ.get("DAYBOOK_SOAK") == "1"

# Machines that run tests are shared and slow, so no example is held to a time; CI tries the same examples each time, others look further.
settings.register_profile(
    "daybook",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    max_examples=1000 if SOAK else 100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("daybook")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; test input only."""
    folder = ROOT.parent / "shared" / "data"
    assert folder.is_dir(), f"the data folder is missing: {folder}"
    return folder


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether the fault tests run at full size (`make soak`)."""
    return SOAK


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that a test starts see the settings it gives them, and no others; they would refuse DAYBOOK_SOAK as unknown."""
    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """An empty data folder of a Daybook of its own."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long tests first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
