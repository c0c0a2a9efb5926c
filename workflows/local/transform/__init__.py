"""What a batch transform does to its objects: split, ask, join, assemble."""
