"""What a loop did, from what it recorded: no clock, no I/O."""
