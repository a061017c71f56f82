"""What the dashboard answers, and to whom."""
