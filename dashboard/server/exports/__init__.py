"""The same for other programs: traces, tables, metrics, one HTML file."""
