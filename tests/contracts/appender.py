"""A process of its own that appends to a log until it has written enough or is killed; it says which commands were acknowledged.

Called with: the log's place, the keys' place, the master key's file, how many commits, how many events in each.
"""

import sys
from contextlib import closing
from pathlib import Path

from uuid_utils.compat import uuid7

from bus.keystore import open_vault
from bus.log import open_log
from bus.vault import master_key
from tests.contracts.commits import commit, contact

if __name__ == "__main__":
    log_place, keys_place, master, commits, events = sys.argv[1:]
    with closing(open_vault(keys_place, master_key(Path(master)))) as vault, closing(open_log(log_place, vault)) as log:
        for _ in range(int(commits)):
            contact_id = uuid7()
            each = commit(*(contact(contact_id) for _ in range(int(events))))
            with log.transaction() as tx:
                tx.append([each])
            sys.stdout.write(f"{each.command_id}\n")
            sys.stdout.flush()
