"""The compiled pipeline definition as data: model, expressions, loader, errors."""
