"""Changes torch.nn's recurrent modules into recurra's in place, and back."""
