"""Data sets as their authors keep them: unpacking, reading, checking, splitting."""
