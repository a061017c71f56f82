"""Send it to whoever watches."""
