"""The bridge to the first-principles code LSMS."""
