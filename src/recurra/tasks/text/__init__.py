"""Language models of texts."""
