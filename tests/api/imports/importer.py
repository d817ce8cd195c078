"""A program that imports and may be killed: `importer.py FOLDER CHUNK MAPPING FILE…`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.api.imports.importing import Books

if __name__ == "__main__":
    folder, chunk, mapping, *files = sys.argv[1:]
    books = Books(Path(folder))
    books.run(mapping, *map(Path, files), chunk=int(chunk))
    books.close()
