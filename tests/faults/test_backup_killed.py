"""A backup of a server at work is of one moment; kill -9 in the middle leaves nothing that passes for a backup, and harms nothing."""

import random
import time
from pathlib import Path

import pytest

from tests.faults import history, readmodels
from tests.faults.clients import Crowd, talking
from tests.faults.commands import run, start
from tests.faults.server import Server

CLIENTS = 12


@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_a_killed_backup_leaves_nothing_that_passes_for_one(data_folder: Path, tmp_path: Path, soak: bool) -> None:  # noqa: FBT001
    moments = random.Random(6)
    server = Server(data_folder).started()
    crowd = Crowd(server.port, CLIENTS, seed=6)
    whole = 0
    rounds = 60 if soak else 8
    try:
        with talking(crowd) as ledger:
            time.sleep(1)
            for number in range(rounds):
                target, keys = tmp_path / f"log-{number}", tmp_path / f"keys-{number}"
                running = start(data_folder, "backup", str(target), "--keys", str(keys), output=tmp_path / "said.txt")
                time.sleep(moments.uniform(0.0, 1.2))
                running.kill()
                running.wait(60)
                for folder in (target, keys):
                    # Either it is there and whole, or it is not there.
                    assert not folder.exists() or (folder / "manifest.json").exists()
                if target.exists():
                    # The keys are made to appear first.
                    found = run(data_folder, "backup", "verify", str(target), "--keys", str(keys))
                    assert [each["findings"] for each in found] == [[], []]
                    whole += 1
                for partial in tmp_path.glob(".*.partial"):
                    refused = run(data_folder, "backup", "verify", str(partial), succeeds=False)
                    assert refused["code"] == "backup.incomplete"
            run(data_folder, "backup", str(tmp_path / "last"), "--keys", str(tmp_path / "last-keys"))
        readmodels.caught_up(server)
        assert server.stop() == 0
    finally:
        server.kill()
    assert not str(history.examine(data_folder, ledger))
    assert not ledger.unanswered
    restored = tmp_path / "restored"
    master_key = str(data_folder / "master.key")
    told = run(restored, "restore", str(tmp_path / "last"), "--keys", str(tmp_path / "last-keys"), "--master-key", master_key)
    assert 0 < told["position"] == told["counts"]["events"]
    assert not readmodels.differences(restored)
    assert not readmodels.unhealthy(restored)
    assert whole < rounds
