"""What a press of a button sends, and what became of it."""
