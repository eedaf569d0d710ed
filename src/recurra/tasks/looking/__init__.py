"""Looking into trained models: what their layers do on a text or a series, as a page and as facts."""
