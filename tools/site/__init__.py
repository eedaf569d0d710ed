"""What Sphinx needs besides the pages: its settings, and the pages' generated parts."""
