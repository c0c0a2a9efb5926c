"""What the page answers where there is nothing to show."""


class Missing(Exception):
    """There is nothing at an address; `hint` says what to do, `back` where to go."""

    def __init__(self, message: str, *, hint: str, back: str) -> None:
        super().__init__(message)
        self.message, self.hint, self.back = message, hint, back
