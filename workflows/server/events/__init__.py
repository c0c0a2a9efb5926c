"""EventBridge: rules and their patterns, schedules, and what starts when they match or are due."""
