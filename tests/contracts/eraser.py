"""A process of its own that erases a contact and is killed with SIGKILL at a moment of its choice.

Called with: the log's place, the keys' place, the master key's file, the list of erasures, the contact's id, and the moment:
`committed` (the proof is durable, nothing else is done), `listed` (the person is on the list), `deleted` (the key is gone from
the table, not yet from the file) or `never`, when it says that it is done.
"""

import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from bus.erasures import ErasureList
from bus.keystore import PostgresKeyStore, SQLiteKeyStore, open_vault
from bus.log import open_log
from bus.vault import Vault, master_key
from tests.contracts.commits import commit, erased


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after_deleting(store: SQLiteKeyStore | PostgresKeyStore) -> None:
    """The store's own way of deleting, up to where the file is cleaned."""
    if isinstance(store, SQLiteKeyStore):
        store._clean = die  # type: ignore[method-assign]
    else:
        delete = store.delete
        store.delete = lambda persons: (delete(persons), die())[1]  # type: ignore[method-assign]


if __name__ == "__main__":
    log_place, keys_place, master, listed, contact_id, moment = sys.argv[1:]
    with (
        closing(open_vault(keys_place, master_key(Path(master)), erasures=ErasureList(Path(listed)))) as vault,
        closing(open_log(log_place, vault)) as log,
    ):
        if moment == "committed":
            Vault.erase = die  # type: ignore[method-assign]
        elif moment == "listed":
            Vault._delete = die  # type: ignore[method-assign]
        elif moment == "deleted":
            die_after_deleting(vault._store)  # type: ignore[arg-type]
        with log.transaction() as tx:
            tx.append([commit(erased(UUID(contact_id)), after=1)])
        sys.stdout.write("done\n")
