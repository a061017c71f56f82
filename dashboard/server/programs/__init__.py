"""Start the programs that are looked at, and end them."""
