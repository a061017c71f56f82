"""Send load from a process of its own, and draw throughput against users.

plan (what to send) → run (processes that send it) → tally (what came back, by users)
→ report (text, JSON, CSV, one HTML file). Nothing here knows the dashboard: what is
sent is ordinary HTTP, to any server.
"""
