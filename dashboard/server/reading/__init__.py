"""Read the rings, and the processes that write them."""
