"""The dashboard process: reads what others recorded, thinks, and shows it.

Never observed, never blocked, and never imported by what it watches.
"""
