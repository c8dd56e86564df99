"""The modalities that ship, one file each."""
