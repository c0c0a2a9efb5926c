"""What a tuning job tries: its ranges, its strategy, and when it has seen enough."""
