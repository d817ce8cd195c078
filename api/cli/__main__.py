"""`python -m api.cli` is `daybook`."""

from api.cli.main import main

main()
