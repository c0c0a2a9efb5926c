"""Public data sets as their authors publish them: unpacking, reading, checking."""
