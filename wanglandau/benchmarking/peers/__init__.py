"""What is run in the interpreter of a peer: scripts that import the peer and nothing of this package."""
