"""Keep what was told in a file, and tell it again."""
