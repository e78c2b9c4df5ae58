//! What libtiff makes of our TIFFs.
