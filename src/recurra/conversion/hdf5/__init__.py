"""A reader of HDF5 files: the groups, arrays and texts that Keras and h5py write, and nothing that runs code."""
