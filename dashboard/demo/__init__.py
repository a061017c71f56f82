"""The demo app: real handlers that show what an event loop does to requests.

`stories` says what there is, `app` serves it, one module per family holds the
handlers. Nothing here knows the dashboard that starts it.
"""
