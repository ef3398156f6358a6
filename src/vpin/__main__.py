"""``python -m vpin``: the same as the command `vpin`."""

from vpin.cli import main

main()
