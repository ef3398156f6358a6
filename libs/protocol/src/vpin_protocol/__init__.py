"""Sans-IO codecs of the board, app and web framings."""
