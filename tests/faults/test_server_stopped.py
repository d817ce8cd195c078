"""SIGTERM: whatever the server took in is answered, or refused cleanly; what nobody was answered to has not happened."""

import random
import time
from pathlib import Path

import pytest

from tests.faults import history
from tests.faults.clients import Crowd, talking
from tests.faults.server import Server


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_server_that_is_told_to_stop_answers_everything_that_it_took_in(data_folder: Path, soak: bool) -> None:  # noqa: FBT001
    moments = random.Random(8)
    for round_ in range(10 if soak else 1):
        data = data_folder / str(round_)
        server = Server(data, prefix=("env",)).started()
        crowd = Crowd(server.port, 32, seed=round_, once=True)
        try:
            with talking(crowd) as ledger:
                time.sleep(moments.uniform(0.5, 1.0))
                assert server.stop(timeout=30) == 0
        finally:
            server.kill()
        assert ledger.accepted
        assert not (data / "server.json").exists()
        assert set(ledger.unavailable) <= {"daybook.closing"}
        findings = history.examine(data, ledger, unanswered_may_have_happened=False)
        assert not str(findings)
        assert not ledger.faults
        assert not ledger.contradictions
        assert not server.complaints()
