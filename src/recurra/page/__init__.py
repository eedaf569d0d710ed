"""Pages: one HTML file each, with its style, scripts and pictures inside."""
