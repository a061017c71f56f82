"""What is wrong, at which line, and what to do about it."""
