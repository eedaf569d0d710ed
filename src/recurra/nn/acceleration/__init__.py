"""torch.nn's layers inside of a module, changed into recurra's in place."""
