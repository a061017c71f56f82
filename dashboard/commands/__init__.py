"""What the command line can do; each module is light until it is run."""
